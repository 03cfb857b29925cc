"""The training step: both libraries compute the same, and what is measured of ours alone."""

import time

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.bench import process, unet
from minitorch_seg.kernels import parallel

TOY = {"base": 2, "batch": 2, "side": 16}


def test_a_step_is_compared_with_pytorchs_and_timed():
    pytest.importorskip("torch")
    records = unet.steps([TOY], 1, 0.0, group="step", isa="native")
    assert [r["contestant"] for r in records] == ["auto", "torch", "torch channels-last"]
    assert all(r["case"] == "step base 2, 2 × 3 × 16 × 16" and r["wall"]["median"] > 0 for r in records)
    assert 0 <= records[0]["serial"] <= 1 and records[0]["difference"] < unet.TOLERANCE


def test_models_that_differ_are_not_timed(monkeypatch, capsys):
    pytest.importorskip("torch")
    right = unet.OurStep.gradients

    def flipped(self):
        found = right(self)
        return found | {"merge.0.3.weight": found["merge.0.3.weight"][..., ::-1]}

    monkeypatch.setattr(unet.OurStep, "gradients", flipped)
    records = unet.steps([TOY], 1, 0.0, group="step", isa="native")
    assert all("differ" in r["failed"] and "wall" not in r for r in records)
    assert "differ" in capsys.readouterr().err


def test_the_difference_is_that_of_whole_gradients():
    ones = np.ones((3, 3))
    nearly = np.where(np.eye(3, dtype=bool), 1.01, 1.0)
    assert unet.difference(1.0, {"w": ones}, 1.0, {"w": ones}) == 0
    assert 0 < unet.difference(1.0, {"w": nearly}, 1.0, {"w": ones}) < 0.01
    assert unet.difference(1.0, {"w": -ones}, 1.0, {"w": ones}) == pytest.approx(2)
    assert unet.difference(1.01, {"w": ones}, 1.0, {"w": ones}) == pytest.approx(10)


def test_serial_is_what_runs_outside_parallel_for_or_in_one_chunk():
    from minitorch_seg.kernels.cpu import channel_sum

    before, threads = channel_sum.parallel_for, ms.get_num_threads()

    def sleep(first, last):
        time.sleep(0.05)

    def step():
        time.sleep(0.05)  # outside
        channel_sum.parallel_for(sleep, 1)  # one chunk
        channel_sum.parallel_for(sleep, 8)

    assert 0.5 < unet.serial_share(step) < 0.8
    assert channel_sum.parallel_for is before is parallel.parallel_for and ms.get_num_threads() == threads


def test_memory_grows_with_the_batch():
    # In processes of their own, as the benchmark does: memory that other tests have left is used again.
    task = "minitorch_seg.bench.unet:memory"
    sizes = [{"library": "auto", "base": 4, "batch": batch, "side": 48} for batch in (1, 16)]
    small, large = (process.fresh(task, size)["bytes"] for size in sizes)
    numbers_in_one_map = 16 * 4 * 48 * 48 * 4
    assert large > small + 10 * numbers_in_one_map


def test_the_first_step_is_timed_from_the_start_of_the_process(monkeypatch):
    monkeypatch.setattr(unet.process, "started", time.time() - 5)
    found = unet.first_step(2, 1, 16)
    assert found["from_start"] >= 5 + found["step"] - 0.1 and found["step"] > 0
