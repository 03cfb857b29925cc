"""Cross-entropy for each pixel: all rooms against PyTorch, the CPU and the fast kernels against the
reference, bad targets.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_seg.kernels import parallel
from minitorch_seg.kernels.cpu import cross_entropy as cpu
from minitorch_seg.kernels.fast import cross_entropy as fast
from minitorch_seg.kernels.fast import softmax
from minitorch_seg.kernels.layout import is_map
from minitorch_seg.kernels.reference import cross_entropy as reference
from tests.kernels.helpers import LAYOUTS, close, lay_out

KERNELS = pytest.mark.parametrize("kernels", [reference, cpu, fast], ids=["reference", "cpu", "fast"])


@KERNELS
@pytest.mark.parametrize("shape", [(3, 4, 5, 6), (9, 4), (2, 4, 7)])
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_and_gradient_agree_with_pytorch(kernels, shape, weighted):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    logits, weight = rng.standard_normal(shape), rng.random(4) if weighted else None
    target = rng.integers(0, 4, (shape[0], *shape[2:]))
    target.flat[::3] = 255
    tensor = torch.from_numpy(logits).requires_grad_()
    expected = torch.nn.functional.cross_entropy(
        tensor,
        torch.from_numpy(target),
        None if weight is None else torch.from_numpy(weight),
        ignore_index=255,
        reduction="none",
    )
    loss, pixel_weight, probability = kernels.cross_entropy(logits, target, weight, 255)
    close(loss, expected.detach().numpy())
    table = np.ones(4) if weight is None else weight
    np.testing.assert_array_equal(pixel_weight, np.where(target == 255, 0, table[target % 4]))
    grad = rng.standard_normal(target.shape)
    (dlogits,) = torch.autograd.grad(expected, tensor, torch.from_numpy(grad))
    close(kernels.cross_entropy_gradient(grad, probability, target, weight, 255), dlogits.numpy())


@settings(max_examples=50, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("kernels", [cpu, fast], ids=["cpu", "fast"])
def test_the_kernels_agree_with_the_reference(kernels, data):
    classes = data.draw(st.integers(1, 9))
    pixels = tuple(data.draw(st.sampled_from([(), (5, 7), (40, 60), (0, 3), (6,)])))
    n, ignore = data.draw(st.integers(0, 4)), data.draw(st.sampled_from([-100, 0, 255]))
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    layout = data.draw(st.sampled_from(LAYOUTS))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    logits = lay_out((3 * rng.standard_normal((n, classes, *pixels))).astype(dtype), layout)
    weight = rng.random(classes).astype(dtype) if data.draw(st.booleans()) else None
    target = lay_out(
        np.where(rng.random((n, *pixels)) < 0.2, ignore, rng.integers(0, classes, (n, *pixels))), layout
    )
    found, expected = (k.cross_entropy(logits, target, weight, ignore) for k in (kernels, reference))
    for ours, theirs in zip(found, expected, strict=True):
        close(ours, theirs)
    grad = rng.standard_normal(target.shape).astype(dtype)
    dlogits = kernels.cross_entropy_gradient(grad, found[2], target, weight, ignore)
    close(dlogits, reference.cross_entropy_gradient(grad, found[2], target, weight, ignore))
    if pixels and len(pixels) == 2:
        assert is_map(dlogits)


@KERNELS
@pytest.mark.parametrize("bad", [3, -1, 2**62, -(2**62)])
def test_a_target_outside_the_classes_gives_nan_and_touches_nothing_else(kernels, bad):
    logits = np.random.default_rng(1).standard_normal((4, 3)).astype("float32")
    target = np.array([0, bad, 2, -100])
    loss, pixel_weight, probability = kernels.cross_entropy(logits, target, None, -100)
    assert np.isnan(loss).tolist() == np.isnan(pixel_weight).tolist() == [False, True, False, False]
    dlogits = kernels.cross_entropy_gradient(np.ones(4, "float32"), probability, target, None, -100)
    assert np.isnan(dlogits).any(axis=1).tolist() == [False, True, False, False]


@KERNELS
def test_an_ignored_pixel_is_silent_even_where_its_scores_are_not_numbers(kernels):
    logits = np.array([[np.nan, 1.0], [0.0, np.inf], [0.0, 0.0]])
    target = np.array([-100, -100, 1])
    loss, pixel_weight, probability = kernels.cross_entropy(logits, target, None, -100)
    np.testing.assert_allclose(loss, [0, 0, np.log(2)])
    assert pixel_weight.tolist() == [0, 0, 1]
    dlogits = kernels.cross_entropy_gradient(np.ones(3), probability, target, None, -100)
    np.testing.assert_allclose(dlogits, [[0, 0], [0, 0], [0.5, -0.5]])


@KERNELS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_scores_and_many_blocks(kernels, dtype):
    rng = np.random.default_rng(4)
    logits = rng.standard_normal((2, 5, 60, 70)).astype(dtype)
    logits[0, :, 0, 0] = [1e30, 1e30, 0, -np.inf, 3]
    target = rng.integers(0, 5, (2, 60, 70))
    target[0, 0, 0] = 1
    wide = logits.astype("float64")
    found = kernels.cross_entropy(logits, target, None, -100)
    for ours, exact in zip(found, reference.cross_entropy(wide, target, None, -100), strict=True):
        np.testing.assert_allclose(ours, exact, rtol=2e-6, atol=1e-6)
    grad = rng.standard_normal(target.shape).astype(dtype)
    dlogits = kernels.cross_entropy_gradient(grad, found[2], target, None, -100)
    close(dlogits, reference.cross_entropy_gradient(grad, found[2], target, None, -100))


def test_one_two_and_seven_threads_give_the_same_bits():
    rng, before, results = np.random.default_rng(3), parallel.get_num_threads(), []
    logits, target = rng.standard_normal((2, 3, 61, 70)).astype("float32"), rng.integers(0, 3, (2, 61, 70))
    try:
        for threads in (1, 2, 7):
            parallel.set_num_threads(threads)
            loss, _, probability = fast.cross_entropy(logits, target, None, 1)
            dlogits = fast.cross_entropy_gradient(loss, probability, target, None, 1)
            results.append([a.tobytes() for a in (loss, probability, dlogits)])
    finally:
        parallel.set_num_threads(before)
    assert results[0] == results[1] == results[2]


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_the_choice_alone_agrees_with_the_reference(data):
    shape = (
        data.draw(st.integers(0, 3)),
        data.draw(st.integers(1, 6)),
        *data.draw(st.sampled_from([(), (40, 61)])),
    )
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    y = rng.standard_normal(shape).astype(dtype)
    y[rng.random(shape) < 0.2] = -np.inf
    y = lay_out(y, data.draw(st.sampled_from(LAYOUTS)))
    weight = rng.random(shape[1]).astype(dtype) if data.draw(st.booleans()) else None
    target = rng.integers(-1, shape[1] + 1, (shape[0], *shape[2:]))
    found, expected = (k.nll_loss(y, target, weight, 2)[:2] for k in (fast, reference))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
        assert ours.dtype == theirs.dtype
    grad = rng.standard_normal(target.shape).astype(dtype)
    close(*(k.nll_loss_gradient(grad, y, target, weight, 2) for k in (fast, reference)))


@pytest.mark.parametrize("classes", [2, 3, 8, 9, 21])
def test_no_loss_falls_below_zero_and_no_logarithm_of_a_probability_rises_above(classes):
    """Where one class is nearly certain, the loss is a difference of nearly equal numbers."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-8, -6, (1, classes, 100, 100)).astype("float32")
    x[:, 0] = rng.uniform(6, 7.99, (1, 100, 100))
    target = np.zeros((1, 100, 100), np.int64)
    loss = fast.cross_entropy(x, target, None, -100)[0]
    logarithm = softmax.log_softmax(x, 1)
    exact = np.log(np.exp(x.astype(float) - x[:, :1]).sum(1))
    assert loss.min() >= 0 and logarithm.max() <= 0
    rounding = 6e-8 * (classes + 1)  # of a sum that is a little above 1
    assert np.abs(loss - exact).max() < rounding and np.abs(logarithm[:, 0] + exact).max() < rounding
