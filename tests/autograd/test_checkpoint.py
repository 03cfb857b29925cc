"""checkpoint: the same gradients, less memory."""

import tracemalloc

import numpy as np
import pytest

import minitorch_seg as ms


def blocks(width=8, count=4):
    ms.manual_seed(0)
    return [
        ms.nn.Sequential(ms.nn.Linear(width, width), ms.nn.Tanh(), ms.nn.Dropout(0.3)) for _ in range(count)
    ]


def run(layers, x, wrap):
    ms.manual_seed(7)
    y = x
    for layer in layers:
        y = ms.checkpoint(layer, y) if wrap else layer(y)
    loss = (y * y).sum()
    loss.backward()
    return loss.item(), [p.grad.data.copy() for layer in layers for p in layer.parameters()]


def test_same_gradients_dropout_included():
    x = ms.tensor(np.random.default_rng(0).standard_normal((5, 8)).astype(np.float32), requires_grad=True)
    plain = run(blocks(), x, False)
    direct = x.grad.data.copy()
    x.grad = None
    again = run(blocks(), x, True)
    assert plain[0] == again[0]
    assert np.array_equal(direct, x.grad.data)
    assert all(np.array_equal(a, b) for a, b in zip(plain[1], again[1], strict=True))
    after = ms.default_generator.get_state()
    run(blocks(), x.detach().requires_grad_(), False)
    assert ms.default_generator.get_state() == after  # recomputing does not move the generator


def test_several_arguments_and_results():
    a, b = (ms.tensor(np.float64(v), requires_grad=True) for v in (2.0, 3.0))
    p, q = ms.checkpoint(lambda s, t, factor: (s * t, s * factor), a, b, 5.0)
    (p * q).backward()
    assert a.grad.item() == 2 * 2.0 * 3.0 * 5.0 and b.grad.item() == 5.0 * 4.0


def test_memory_is_saved():
    def peak(wrap):
        ms.manual_seed(0)
        x = ms.tensor(np.ones((64, 512), np.float32), requires_grad=True)

        def block(t):
            for _ in range(10):
                t = t.sigmoid()
            return t

        tracemalloc.start()
        y = x
        for _ in range(8):
            y = ms.checkpoint(block, y) if wrap else block(y)
        y.sum().backward()
        result = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return result

    assert peak(True) < 0.35 * peak(False)


def test_create_graph_is_refused():
    x = ms.tensor(2.0, requires_grad=True)
    with pytest.raises(RuntimeError, match="create_graph"):
        ms.checkpoint(lambda t: t * t, x).backward(create_graph=True)


def test_what_needs_no_gradient_gets_none_and_is_not_recorded():
    x, constant = ms.tensor([2.0, 3.0], requires_grad=True), ms.tensor([4.0, 5.0])
    seen = []

    def block(a, b, label):
        seen.append((ms.is_grad_enabled(), a.requires_grad, b.requires_grad, label))
        return a * b, (b * 2).detach()

    y, plain = ms.checkpoint(block, x, constant, "name")
    assert plain.tolist() == [8.0, 10.0]
    y.sum().backward()
    assert x.grad.tolist() == [4.0, 5.0] and constant.grad is None
    # first unrecorded; then again, with leaves that require what the arguments did
    assert seen == [(False, True, False, "name"), (True, True, False, "name")]


def test_a_block_that_fails_the_second_time_leaves_the_generator_as_it_was():
    calls = []

    def block(t):
        calls.append(1)
        if len(calls) > 1:
            raise ValueError("again")
        return t * ms.rand(2)

    y = ms.checkpoint(block, ms.tensor([1.0, 2.0], requires_grad=True))
    ms.rand(8)
    before = ms.default_generator.get_state()
    with pytest.raises(ValueError, match="again"):
        y.sum().backward()
    assert ms.default_generator.get_state() == before


def test_an_argument_changed_in_place_and_a_second_pass_are_refused():
    x = ms.tensor([1.0, 2.0], requires_grad=True)
    h = x * 1
    y = ms.checkpoint(lambda t: t * t, h).sum()
    with ms.no_grad():
        h += 1
    with pytest.raises(RuntimeError, match=r"Checkpoint saved array.*in-place"):
        y.backward()
    y = ms.checkpoint(lambda t: t * t, x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="Checkpoint a second time"):
        y.backward()
