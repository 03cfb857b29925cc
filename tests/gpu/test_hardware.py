"""The CUDA kernels on a real GPU, at sizes that the simulator cannot reach; skipped and counted elsewhere.

pytest -m gpu
"""

import importlib

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg import functional as F
from minitorch_seg.kernels import cuda, layout
from minitorch_seg.kernels.sizes import window_counts


def _why_not():
    if why := cuda.problem():
        return why
    from minitorch_seg.kernels.cuda import driver

    return "Numba's simulator is no GPU" if driver.simulated() else ""


pytestmark = [pytest.mark.gpu, pytest.mark.skipif(bool(_why_not()), reason=f"no GPU: {_why_not()}")]

TOLERANCE = {np.dtype("float32"): 5e-5, np.dtype("float64"): 1e-11}
# x, weight, stride, padding, dilation, groups: each tile, odd sizes, depthwise
CONVOLUTIONS = [
    ((4, 3, 65, 71), (16, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((4, 16, 64, 64), (32, 16, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((3, 64, 33, 35), (128, 64, 3, 3), (2, 2), (1, 1), (1, 1), 1),
    ((2, 70, 19, 23), (6, 70, 5, 4), (1, 2), (2, 0), (2, 1), 1),
    ((2, 64, 31, 30), (96, 32, 3, 3), (1, 1), (1, 1), (1, 1), 2),
    ((2, 48, 33, 29), (48, 1, 3, 3), (1, 1), (1, 1), (1, 1), 48),
    ((8, 256, 14, 14), (256, 256, 1, 1), (1, 1), (0, 0), (1, 1), 1),
]


def _normal(seed, *shape, dtype="float32"):
    values = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    return layout.as_map(values) if len(shape) == 4 else values


def _kernels(room, operator):
    return importlib.import_module(f"minitorch_seg.kernels.{room}.{operator}")


def _agree(operator, function, *arguments):
    """The result of the GPU, which must be the reference kernel's, and the same bits a second time."""
    from minitorch_seg.kernels.cuda.array import CudaArray, to_device

    on_gpu = [to_device(a) if isinstance(a, np.ndarray) else a for a in arguments]
    expected = getattr(_kernels("reference", operator), function)(*arguments)
    calls = [getattr(_kernels("cuda", operator), function)(*on_gpu) for _ in range(2)]
    one = not isinstance(expected, tuple)
    found, again, expected = ((r,) if one else r for r in (*calls, expected))
    for f, a, e in zip(found, again, expected, strict=True):
        assert isinstance(f, CudaArray) and f.shape == e.shape
        first, second = f.to_host(), a.to_host()
        assert first.tobytes() == second.tobytes(), f"{function} does not repeat bit for bit"
        if e.dtype.kind == "f":
            error = np.abs(first.astype("float64") - e).max() / max(np.abs(e).max(), 1e-30)
            assert error < TOLERANCE[e.dtype], f"{function}: {error:.1e} of the largest number"
        else:
            np.testing.assert_array_equal(first, e)
    return expected[0] if one else expected


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolutions(case, dtype):
    x_shape, w_shape, stride, padding, dilation, groups = case
    x = _normal(0, *x_shape, dtype=dtype)
    weight = np.ascontiguousarray(_normal(1, *w_shape, dtype=dtype))
    options = stride, padding, dilation, groups
    _agree("conv2d", "conv2d", x, weight, _normal(2, w_shape[0], dtype=dtype), *options)
    size = window_counts(x_shape[2:], w_shape[2:], stride, padding, dilation)
    grad = _normal(3, x_shape[0], w_shape[0], *size, dtype=dtype)
    _agree("conv2d", "conv2d_weight_gradient", x, grad, w_shape[2:], *options)
    _agree("conv_transpose2d", "conv_transpose2d", grad, weight, None, x_shape[2:], *options)


@pytest.mark.parametrize(
    "shapes", [((513, 257), (257, 129)), ((3, 70, 33), (33, 5)), ((40, 9000), (9000, 31))]
)
def test_products(shapes):
    _agree("matmul", "matmul", _normal(0, *shapes[0]), _normal(1, *shapes[1]))


@pytest.mark.parametrize("channels", [1, 3, 16, 40, 257])
def test_normalisation_and_sums(channels):
    x, grad = _normal(0, 3, channels, 67, 45), _normal(1, 3, channels, 67, 45)
    mean, variance = _agree("batch_norm", "channel_moments", x)
    inv_std, weight, bias = (
        (1 / np.sqrt(variance + 1e-5)).astype("float32"),
        _normal(2, channels),
        _normal(3, channels),
    )
    _agree("batch_norm", "normalize", x, mean, inv_std, weight, bias, True)
    dx, _, _ = _agree("batch_norm", "batch_norm_gradient", grad, x, mean, inv_std, weight, bias)
    _agree("channel_sum", "channel_sum", x * x)
    assert np.isfinite(dx).all()


def test_pooling_resizing_and_losses():
    x = _normal(0, 3, 19, 45, 38)
    window = (3, 3), (2, 2), (1, 1), (1, 1)
    _, taps = _agree("max_pool2d", "max_pool2d", x, *window, (23, 19))
    grad = _normal(1, 3, 19, 23, 19)
    _agree("max_pool2d", "max_pool2d_gradient", grad, taps, (45, 38), *window)
    _agree("interpolate", "interpolate_bilinear", x, (90, 61), False, None)
    _agree("interpolate", "interpolate_bilinear_gradient", x, (23, 19), False, None)
    _agree("interpolate", "interpolate_nearest_gradient", x, (23, 19), None)
    _agree("softmax", "softmax", x, 1)
    target = np.random.default_rng(2).integers(0, 19, (3, 45, 38))
    target[0, :3] = -100
    _, _, probability = _agree("cross_entropy", "cross_entropy", x, target, None, -100)
    _agree("cross_entropy", "cross_entropy_gradient", x[:, 0].copy(), probability, target, None, -100)


@pytest.mark.parametrize("hidden", [31, 300])
def test_recurrence(hidden):
    shapes = (9, 50, 12), (50, hidden), (hidden, 12), (hidden, hidden), (hidden,)
    x, h0, w_xh, w_hh, b = (_normal(i, *shape) / np.float32(4) for i, shape in enumerate(shapes))
    h = _agree("rnn", "rnn", x, h0, w_xh, w_hh / np.float32(4), b, "tanh")
    _agree("rnn", "rnn_gradient", _normal(9, *h.shape), x, h, h0, w_xh, w_hh / np.float32(4), "tanh", True)


def test_a_training_step_is_the_cpus():
    rng = np.random.default_rng(0)
    x, target = rng.standard_normal((2, 3, 64, 64)).astype("float32"), rng.integers(0, 3, (2, 64, 64))
    losses = {}
    for device in ("cpu", "cuda"):
        ms.manual_seed(0)
        model = ms.models.UNet(3, 3, 16, 3).to(device)
        optimizer = ms.optim.Adam(model.parameters(), lr=1e-3)
        images, labels = ms.tensor(x, device=device), ms.tensor(target, device=device)
        losses[device] = []
        for _ in range(4):
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[device].append(loss.item())
    np.testing.assert_allclose(losses["cuda"], losses["cpu"], rtol=1e-3)
    assert losses["cuda"][-1] < losses["cuda"][0]


def test_the_benchmark_starts():
    gpu = importlib.import_module("benchmarks.gpu")
    limits = gpu.device()
    assert limits.flops > 1e12 and limits.bytes > 1e10
    assert min(gpu.timed(lambda: None)) >= 0
