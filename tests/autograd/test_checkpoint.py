"""checkpoint: the same gradients, less memory."""

import tracemalloc

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.kernels import buffers

F = ms.functional


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


def test_same_gradients_of_a_convolutional_block():
    """Strided and transposed convolution, batch norm and pooling: the parameters' gradients to the bit."""
    ms.manual_seed(3)
    block = ms.nn.Sequential(
        ms.nn.Conv2d(3, 8, 3, padding=1), ms.nn.BatchNorm2d(8), ms.nn.ReLU(), ms.nn.MaxPool2d(2),
        ms.nn.ConvTranspose2d(8, 2, 2, stride=2),
    )  # fmt: skip
    x, found = ms.randn(2, 3, 8, 8), []
    for wrap in (False, True):
        block.zero_grad()
        logits = ms.checkpoint(block, x) if wrap else block(x)  # x itself requires no gradient
        F.cross_entropy(logits, ms.zeros(2, 8, 8, dtype="int64")).backward()
        found.append([p.grad.data.copy() for p in block.parameters()])
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))


def test_several_arguments_and_results():
    a, b = (ms.tensor(np.float64(v), requires_grad=True) for v in (2.0, 3.0))
    p, q = ms.checkpoint(lambda s, t, factor: (s * t, s * factor), a, b, 5.0)
    (p * q).backward()
    assert a.grad.item() == 2 * 2.0 * 3.0 * 5.0 and b.grad.item() == 5.0 * 4.0


def test_grad_fills_no_grad_and_sees_parameters():
    w, x = ms.tensor(3.0, requires_grad=True), ms.tensor(2.0, requires_grad=True)
    y = ms.checkpoint(lambda t: w * t * t, x)
    dw, dx = ms.grad(y * w, [w, x])  # w inside the checkpoint and outside: y w = w² x²
    assert (dw.item(), dx.item()) == (2 * 3 * 4, 9 * 4)
    assert w.grad is None and x.grad is None
    (only,) = ms.grad(ms.checkpoint(lambda t: w * t * t, x), x)
    assert only.item() == 12 and w.grad is None
    with pytest.raises(RuntimeError, match="do not depend on input 0"):
        ms.grad(ms.checkpoint(lambda t: t * t, x), w)


def test_hooks_on_parameters_run_once():
    w, calls = ms.tensor(3.0, requires_grad=True), []
    w.register_hook(lambda g: calls.append(g.item()) or g * 10)
    ms.checkpoint(lambda t: w * w * t, ms.tensor(2.0)).backward()
    assert calls == [12.0] and w.grad.item() == 120.0


def test_a_computed_tensor_from_outside_must_be_an_argument():
    x = ms.tensor(2.0, requires_grad=True)
    h = x * 3
    with pytest.raises(RuntimeError, match="pass it as an argument"):
        ms.checkpoint(lambda t: t * h, x)
    ms.checkpoint(lambda t, s: t * s, x, h).backward()
    assert x.grad.item() == 12.0


def test_without_recording_it_is_a_plain_call():
    x, calls = ms.tensor(2.0, requires_grad=True), []

    def block(t):
        calls.append(t)
        return t * t

    with ms.no_grad():
        y = ms.checkpoint(block, x)
    assert calls == [x] and not y.requires_grad
    assert not ms.checkpoint(block, ms.tensor(2.0)).requires_grad


def test_a_result_without_gradient_stays_so():
    x = ms.tensor([1.0, 3.0, 2.0], requires_grad=True)
    largest, place = ms.checkpoint(lambda t: (t.max(0).values * 2, t.argmax()), x)
    assert place.item() == 1 and not place.requires_grad
    largest.backward()
    assert x.grad.tolist() == [0, 2, 0]


def test_a_parameter_changed_in_place_is_caught():
    w, x = ms.tensor(3.0, requires_grad=True), ms.tensor(2.0, requires_grad=True)
    y = ms.checkpoint(lambda t: w * t, x)
    with ms.no_grad():
        w += 1
    with pytest.raises(RuntimeError, match="in-place"):
        y.backward()


def peak(wrap, layers, x):
    """Bytes that the forward and backward pass of `layers` hold at most, beyond what was there before."""
    buffers.release_memory()
    tracemalloc.start()
    y = x
    for layer in layers:
        y = ms.checkpoint(layer, y) if wrap else layer(y)
    y.sum().backward()
    result = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return result


def test_memory_is_saved():
    """Eight blocks of ten sigmoids keep 8 + 10 arrays instead of 80."""

    def block(t):
        for _ in range(10):
            t = t.sigmoid()
        return t

    x = ms.tensor(np.ones((64, 512), np.float32), requires_grad=True)
    x.sigmoid().sum().backward()  # the kernels are compiled now, which takes memory of its own
    saved = peak(True, [block] * 8, x) / peak(False, [block] * 8, x)
    print(f"\ncheckpoint: {saved:.2f} of the memory, for eight blocks of ten operations")
    assert saved < 0.35


def test_memory_of_a_convolutional_network_is_saved():
    ms.manual_seed(0)
    layers = [
        ms.nn.Sequential(
            ms.nn.Conv2d(8, 8, 3, padding=1), ms.nn.BatchNorm2d(8), ms.nn.ReLU(),
            ms.nn.Conv2d(8, 8, 3, padding=1), ms.nn.BatchNorm2d(8), ms.nn.ReLU(),
        )
        for _ in range(12)
    ]  # fmt: skip
    x = ms.randn(2, 8, 64, 64)
    peak(False, layers, x)  # compiles the kernels, which takes memory as well
    plain, saved = (peak(wrap, layers, x) for wrap in (False, True))
    print(f"\ncheckpoint: {saved / 1e6:.1f} MB for {plain / 1e6:.1f} MB, twelve double convolutions")
    assert saved < 0.6 * plain


def test_create_graph_is_refused():
    x = ms.tensor(2.0, requires_grad=True)
    with pytest.raises(RuntimeError, match="create_graph"):
        ms.checkpoint(lambda t: t * t, x).backward(create_graph=True)


@pytest.mark.parametrize("returned", [None, 1.5, (None, 1)])
def test_a_function_that_returns_no_tensor_is_refused(returned):
    with pytest.raises(TypeError, match=r"checkpoint must return a tensor, or a tuple of tensors, found"):
        ms.checkpoint(lambda x: returned, ms.ones(2, requires_grad=True))


def test_a_list_of_results_comes_back_as_a_tuple():
    x = ms.tensor([1.0, 2.0], requires_grad=True)
    y, z = ms.checkpoint(lambda t: [t * 2, t * t], x)
    (y + z).sum().backward()
    assert x.grad.tolist() == [4.0, 6.0]


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_stays_a_list_and_a_tuple_a_tuple(kind):
    x = ms.tensor([1.0, 2.0], requires_grad=True)
    assert type(ms.checkpoint(lambda t: kind([t * 2, t * 3]), x)) is kind
