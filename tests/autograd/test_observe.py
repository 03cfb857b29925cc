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


def test_an_operation_recorded_before_detect_anomaly_has_no_line():
    x = ms.tensor([0.0, 1.0], requires_grad=True)
    y = (x * 1.0).sqrt().sum()
    with (
        ms.detect_anomaly(),
        pytest.raises(RuntimeError, match=r"Sqrt\.backward made.*called at before detect_anomaly$"),
    ):
        (y * 0.0).backward()


def test_an_anomaly_in_a_backward_pass_is_charged_to_the_operator_not_to_its_parts():
    class Part(ms.Function):
        @staticmethod
        def forward(ctx, x):
            return x.data * 1

        @staticmethod
        def backward(ctx, g):
            return (g - g).log() * 0.0  # -∞ · 0: the product alone is NaN

    y = Part.apply(ms.tensor([1.0], requires_grad=True))
    for create_graph in (False, True):
        with ms.detect_anomaly(), pytest.raises(RuntimeError, match=r"^Part\.backward made the first NaN"):
            y.backward(retain_graph=True, create_graph=create_graph)
    with (
        ms.detect_anomaly(),
        pytest.raises(RuntimeError, match=r"^Mul\.forward made"),
    ):  # and goes on watching
        ms.tensor([np.inf]) * 0.0


def test_detect_anomaly_goes_on_after_an_error_in_a_backward_pass():
    class Broken(ms.Function):
        @staticmethod
        def forward(ctx, x):
            return x.data * 1

        @staticmethod
        def backward(ctx, g):
            raise ValueError("broken")

    with ms.detect_anomaly():
        with pytest.raises(ValueError, match="broken"):
            Broken.apply(ms.tensor([1.0], requires_grad=True)).backward()
        with pytest.raises(RuntimeError, match=r"Sqrt\.forward"):
            ms.tensor([-1.0]).sqrt()


def test_observers_are_nested_and_leave_in_any_order():
    from minitorch_seg.autograd.observe import Observer

    class Count(Observer):
        def __init__(self):
            self.seen = []

        def watch(self, phase, node, run):
            self.seen.append((phase, node.name))
            return super().watch(phase, node, run)

    outer, inner = Count(), Count()
    x = ms.tensor([1.0], requires_grad=True)
    with outer as entered:
        assert entered is outer
        with inner:
            y = x.exp()
        y.backward()
    x.exp()
    assert inner.seen == [("forward", "Exp")]
    assert outer.seen[:2] == [("forward", "Exp"), ("backward", "Exp")]


def test_every_result_is_searched():
    class Several(ms.Function):
        @staticmethod
        def forward(ctx, x):
            return x.data, np.array([1, 2]), None if x.data[0] < 0 else x.data / 0 * 0

        @staticmethod
        def backward(ctx, *g):
            return g[0]

    with ms.detect_anomaly(), pytest.raises(RuntimeError, match=r"Several\.forward"):
        Several.apply(ms.tensor([1.0]))
