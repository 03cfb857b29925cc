"""Times in turn, and wrong results that are never timed."""

import importlib.util

import numpy as np
import pytest

from minitorch_seg.bench import cases, libraries, measure
from minitorch_seg.kernels import dispatch

CASE = cases.convolution(8, 8, 8, batch=1)


class Flipped(libraries.Ours):
    """A contestant with a mistake: its weight gradient is upside down."""

    def prepare(self, *arguments):
        run = super().prepare(*arguments)

        def wrong():
            y, dx, dw, db = run()
            return [y, dx, dw.flip(2), db]

        return wrong


class Broken(libraries.Ours):
    def prepare(self, *arguments):
        raise RuntimeError("no such device\nand a second line")


def named(kind, name):
    contestant = kind("auto")
    contestant.name = name
    return contestant


def test_all_run_in_turn_and_each_turn_has_every_contestant_once(monkeypatch):
    monkeypatch.setattr(measure, "SHORT", 0.0)
    calls = []
    contestants = {name: lambda name=name: calls.append(name) for name in "abc"}
    times = measure.in_turn(contestants, 0.0)
    turns = calls[3:]  # a warm call each before them
    assert [sorted(turns[i : i + 3]) for i in range(0, len(turns), 3)] == [list("abc")] * measure.LEAST
    assert all(len(t.wall) == len(t.cpu) == measure.LEAST for t in times.values())
    measure.in_turn(contestants, 60.0)
    assert len(calls) == 3 + 3 * measure.LEAST + 3 + 3 * measure.MOST


def test_short_calls_are_repeated_within_a_turn(monkeypatch):
    monkeypatch.setattr(measure, "_seconds", lambda function: function() or 0.002)
    calls = []
    measure.in_turn({"a": lambda: calls.append(1)}, 0.0)
    assert len(calls) == 1 + measure.LEAST * 5


@pytest.mark.parametrize(("slowest", "repeats"), [(0.004, 5), (0.05, 2), (0.9, 1)])
def test_all_are_repeated_equally_often(slowest, repeats, monkeypatch):
    """Who had more repeats would find warm caches more often."""
    monkeypatch.setattr(measure, "_seconds", lambda function: function())
    quick, slow = [], []
    contestants = {"quick": lambda: quick.append(1) or 0.002, "slow": lambda: slow.append(1) or slowest}
    measure.in_turn(contestants, 0.0)
    assert len(quick) == len(slow) == 1 + measure.LEAST * repeats


def test_who_is_very_slow_is_called_once(monkeypatch):
    monkeypatch.setattr(measure, "_seconds", lambda function: function())
    slow, quick = [], []
    contestants = {"slow": lambda: slow.append(1) or 30.0, "quick": lambda: quick.append(1) or 1.0}
    times = measure.in_turn(contestants, 0.0)
    assert len(slow) == 1 and times["slow"].wall == [30.0] and len(quick) == 1 + measure.LEAST


def test_a_wrong_result_is_reported_and_never_timed(capsys):
    contestants = [libraries.Ours("auto"), named(Flipped, "flipped"), named(Broken, "broken")]
    good, flipped, broken = measure.measure(CASE, contestants, 0.0, group="test", threads=1)
    assert good["errors"]["y"] < 1e-4 and good["cpu"]["low"] <= good["cpu"]["median"] <= good["cpu"]["high"]
    assert good["first"] > 0 and good["group"] == "test" and "winograd, because" in good["why"][0]
    assert "wall" not in flipped and "wrong result" in flipped["failed"] and flipped["errors"]["x"] < 1e-4
    assert broken["failed"] == "RuntimeError: no such device" and "wall" not in broken
    assert "flipped: wrong result" in capsys.readouterr().err


def test_where_a_gradient_jumps_single_numbers_may_differ_but_not_the_whole():
    (case,) = [c for c in cases.other_operators(8) if c.operator == "batch_norm" and c.inputs["x"][1] == 32]

    class Kinked(libraries.Ours):
        def prepare(self, *arguments):
            run = super().prepare(*arguments)

            def one_off():
                y, dx, dw, db = run()
                dx.data[0, 0, 0, 0] += 0.3
                return [y, dx, dw, db]

            return one_off

    class Doubled(Kinked):
        def prepare(self, *arguments):
            run = super().prepare(*arguments)
            return lambda: [r * s for r, s in zip(run(), (1, 1, 1, 1.02), strict=True)]

    right, wrong = measure.measure(case, [named(Kinked, "kinked"), named(Doubled, "doubled")], 0.0)
    assert right["errors"]["x"] > 0.01 and "failed" not in right and "wrong result" in wrong["failed"]


def test_errors_are_relative_and_see_what_is_missing():
    exact = np.array([1.0, -4.0])
    assert measure.relative_error(np.array([1.0, -3.0]), exact) == 0.25
    assert measure.relative_error(np.array([1.0, np.nan]), exact) == float("inf")
    assert measure.relative_error(np.array([1.0]), exact) == float("inf")


def test_traffic_counts_each_number_as_often_as_it_must_move():
    case = cases.convolution(1, 1, 4, kernel=1, batch=1)
    inputs, exact = case.arrays("float32")[0], measure.exactly(case, "float32")
    x = y = 16
    read_twice, gradients = 2 * (x + 1 + 1), x + 1 + 1
    assert measure.traffic(exact, inputs, case) == 4 * (read_twice + gradients + 2 * y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_group_is_measured_by_those_who_are_wanted(dtype):
    names = ["auto", "plain", "reference", "torch", "torch channels-last"]
    records = measure.measure_group("operators", names, 1, "native", 0.0, "cat", 16, dtype)
    torch = importlib.util.find_spec("torch")
    assert {r["contestant"] for r in records} == set(names if torch else names[:3])
    assert not [r for r in records if "failed" in r]
    assert {r["dtype"] for r in records} == {dtype} and {r["operator"] for r in records} == {"cat"}


def test_settings_of_a_contestant_are_undone():
    run = libraries.Ours("plain").prepare(CASE, *CASE.arrays("float32"), np.ones((1, 8, 8, 8), "float32"))
    run()
    assert dispatch.get("conv2d").__name__.endswith("fast.conv2d") and dispatch.conv_algorithm() == "auto"


@pytest.mark.parametrize("name", ["auto", "winograd", "direct", "plain", "reference"])
def test_each_of_our_contestants_is_the_algorithm_that_it_is_named_after(name):
    (record,) = measure.measure(CASE, [libraries.Ours(name)], 0.0)
    said = record["why"][0]
    where = {"plain": "kernels/cpu", "reference": "kernels/reference"}.get(name, "kernels/fast")
    assert where in said and (
        name not in ("winograd", "direct") or f", {name}, because it was chosen" in said
    )
