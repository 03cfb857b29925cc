"""detect_anomaly and profile."""

import itertools
import time
from pathlib import Path

import numpy as np
import pytest

import minitorch_seg as ms

F = ms.functional


def line_of(words):
    """file:line of the one line of this file that holds `words`."""
    numbers = [n for n, line in enumerate(Path(__file__).read_text().splitlines(), 1) if words in line]
    assert len(numbers) == 2, "the place, and the call of line_of that names it"
    return f"{Path(__file__).name}:{numbers[0]}"


def nan_of(function, *tensors):
    """What detect_anomaly says of function(*tensors) and its backward pass."""
    with ms.detect_anomaly(), pytest.raises(RuntimeError, match=r"the first NaN|was given") as caught:
        function(*tensors).sum().backward()
    return str(caught.value)


def test_the_first_nan_of_the_forward_pass_is_named_with_its_line():
    def function(x):
        y = x * 2.0
        z = y.sqrt()  # the square root of −2
        return z.exp() * y

    text = nan_of(function, ms.tensor([-1.0, 1.0], requires_grad=True))
    assert text.startswith("Sqrt.forward made") and text.endswith(line_of("the square root of −2"))


def test_the_first_nan_of_the_backward_pass_names_the_line_of_the_forward_pass():
    def function(x):
        y = x**2  # its gradient is ∞ · 0
        return y.sqrt() * 3.0

    text = nan_of(function, ms.tensor([0.0, 1.0], requires_grad=True))
    assert text.startswith("Pow.backward made") and text.endswith(line_of("its gradient is ∞ · 0"))


@pytest.mark.parametrize(
    "operator, call",
    [
        ("Conv2d.forward", lambda x: F.conv2d(x, ms.ones(1, 1, 1, 1))),
        ("BatchNorm.forward", lambda x: F.batch_norm(x, None, None, training=True)),
        ("Softmax.forward", lambda x: F.softmax(x, 1)),
        ("MaxPool2d.forward", lambda x: F.max_pool2d(x, 2)),
        ("Recurrence.forward", lambda x: F.rnn(x[0], None, ms.ones(1, 2), ms.ones(1, 1))),
        ("CrossEntropy.forward", lambda x: F.cross_entropy(x, ms.tensor([[[0, 0], [0, 0]]]))),
        ("Sum.forward", lambda x: F.layer_norm(x, 2)),
    ],
)
def test_an_input_with_nan_is_noticed_by_the_first_operator_that_meets_it(operator, call):
    x = ms.tensor([[[[1.0, np.nan], [2.0, 3.0]]]])
    x.requires_grad = True
    expected = "GetItem.forward" if operator.startswith("Recurrence") else operator
    with ms.detect_anomaly(), pytest.raises(RuntimeError, match=f"{expected} was given a NaN"):
        call(x)


def test_inside_a_layer_the_line_of_the_user_is_the_call_of_the_layer():
    layer = ms.nn.Sequential(ms.nn.Linear(2, 2), ms.nn.Tanh())
    layer[0].weight.data[0, 0] = np.nan

    def function(x):
        return layer(x)  # the layer with a spoilt weight

    text = nan_of(function, ms.ones(1, 2))
    assert text.startswith("Permute.forward was given a NaN") and text.endswith(
        line_of("the layer with a spoilt weight")
    )


def test_a_gradient_with_nan_is_said_to_be_given():
    x = ms.ones(2, requires_grad=True)
    with ms.detect_anomaly(), pytest.raises(RuntimeError, match=r"Mul\.backward was given a NaN"):
        (x * 2.0).backward(np.array([1.0, np.nan], np.float32))


def test_anomalies_are_watched_in_this_thread_alone():
    import threading

    results = []
    with ms.detect_anomaly():
        thread = threading.Thread(target=lambda: results.append(ms.tensor(-1.0).sqrt().item()))
        thread.start()
        thread.join()
    assert np.isnan(results).all() and len(results) == 1


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


def test_profile_of_a_training_step_adds_up():
    """Every operator of the step has a row; the sum of their seconds is no more than what has passed."""
    ms.manual_seed(0)
    model = ms.nn.Sequential(ms.nn.Conv2d(1, 4, 3), ms.nn.BatchNorm2d(4), ms.nn.MaxPool2d(2))
    x = ms.rand(2, 1, 8, 8)
    model(x)  # compiled
    start = time.perf_counter()
    with ms.profile() as p:
        loss = F.cross_entropy(model(x), ms.zeros(2, 3, 3, dtype="int64"))
        loss.backward()
    passed = time.perf_counter() - start
    assert 0 < sum(row.seconds for row in p.rows) <= passed and all(row.seconds >= 0 for row in p.rows)
    seen = {(row.operator, row.phase) for row in p.rows}
    for name in ("Conv2d", "BatchNorm", "MaxPool2d", "CrossEntropy"):
        assert {(name, "forward"), (name, "backward")} <= seen
    rows = {(row.operator, row.phase): row for row in p.rows}
    assert rows["Conv2d", "forward"].bytes == 4 * (2 * 4 * 6 * 6)
    assert rows["Conv2d", "backward"].bytes == 4 * (4 * 9 + 4)  # weight and bias; x needs none
    costliest = [row.seconds for row in p.rows]
    assert costliest == sorted(costliest, reverse=True)
    header, *lines = str(p).splitlines()
    assert header.split() == ["operator", "phase", "calls", "ms", "share", "MB", "conversions"]
    assert len(lines) == len(p.rows)


def test_profile_counts_a_conversion_where_it_happens():
    """Two operators are given a map in C order: each brings it into channels-last order for itself."""
    x = ms.from_numpy(np.ones((1, 3, 8, 8), np.float32))
    with ms.profile() as p:
        F.max_pool2d(x, 2)
        F.avg_pool2d(F.relu(F.conv2d(x, ms.ones(4, 3, 3, 3))), 2)
    counts = {row.operator: row.conversions for row in p.rows}
    assert counts["MaxPool2d"] == counts["Conv2d"] == 1 and counts["Relu"] == counts["AvgPool2d"] == 0


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

        def watch(self, phase, node, run, given):
            self.seen.append((phase, node.name))
            return super().watch(phase, node, run, given)

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


def test_the_operator_inside_a_checkpoint_is_named():
    def block(x):
        y = x**2  # inside a block, 0 times ∞
        return y.sqrt() * 3.0

    text = nan_of(lambda x: ms.checkpoint(block, x), ms.tensor([0.0, 1.0], requires_grad=True))
    assert text.startswith("Pow.backward made") and text.endswith(line_of("inside a block, 0 times"))
