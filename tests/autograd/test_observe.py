"""detect_anomaly and profile."""

import itertools

import numpy as np
import pytest

import minitorch_seg as ms


def test_the_first_nan_of_the_forward_pass_is_named_with_its_line():
    x = ms.tensor([-1.0, 1.0], requires_grad=True)
    expected = r"Sqrt\.forward made the first NaN.*test_observe\.py:\d+"
    with ms.detect_anomaly(), pytest.raises(RuntimeError, match=expected):
        x.sqrt().exp().sum()


def test_the_first_nan_of_the_backward_pass_names_the_line_of_the_forward_pass():
    x = ms.tensor([0.0, 1.0], requires_grad=True)
    with ms.detect_anomaly():
        y = (x**2).sqrt()  # the slope of √ at 0 is infinite, and ∞ · 0 is NaN
        with pytest.raises(RuntimeError, match=r"made the first NaN.*test_observe\.py:\d+"):
            y.sum().backward()


def test_nothing_is_said_of_sound_numbers_and_afterwards():
    x = ms.tensor([1.0, 2.0], requires_grad=True)
    with ms.detect_anomaly():
        (x.log() * x).sum().backward()
    assert np.isnan(ms.tensor(-1.0).sqrt().item())


def test_profile_counts_calls_bytes_and_layout_conversions():
    x = ms.from_numpy(np.ones((1, 3, 8, 8), np.float32))  # C order: one conversion at conv2d's door
    w = ms.ones(4, 3, 3, 3, requires_grad=True)
    with ms.profile() as p:
        y = ms.functional.conv2d(x, w, padding=1)
        y.relu().sum().backward()
    rows = {(row.operator, row.phase): row for row in p.rows}
    forward = rows["Conv2d", "forward"]
    assert (forward.calls, forward.bytes, forward.conversions) == (1, 4 * 8 * 8 * 4, 1)
    assert rows["Relu", "backward"].calls == 1
    assert "Conv2d" in str(p) and "conversions" in str(p)


def test_profile_charges_an_operator_only_with_its_own_time(monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr("minitorch_seg.profiling.time.perf_counter", lambda: next(ticks))

    class Outer(ms.Function):
        @staticmethod
        def forward(ctx, x):
            for _ in range(200):
                x = x.exp().log()
            return x

        @staticmethod
        def backward(ctx, g):
            return g

    with ms.profile() as p:
        Outer.apply(ms.ones(2))
    rows = {row.operator: row for row in p.rows}
    # a clock that ticks when it is read: every inner call lasts one tick, and one passes between two calls
    assert rows["Exp"].calls == 200 and rows["Exp"].seconds == 200
    assert rows["Outer"].seconds == 401
