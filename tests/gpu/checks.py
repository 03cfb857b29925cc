"""What is checked on a GPU at sizes of some thousand (test_arrays.py), and in the simulator at small ones
(tests/cuda_simulator/test_gpu_checks.py), so that these tests are known to run before a GPU is at hand."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable

import numpy as np

import minitorch_seg as ms
from minitorch_seg.kernels import layout


def numbers(seed: int, *shape: int, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def same(call: Callable, *arrays: np.ndarray, tolerance: float = 2e-6) -> None:
    """call(...) of NumPy arrays and of their copies on the GPU."""
    from minitorch_seg.kernels.cuda.array import to_device

    expected, found = np.asarray(call(*arrays)), call(*map(to_device, arrays)).to_host()
    assert found.shape == expected.shape and found.dtype == expected.dtype
    largest = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * largest)


def changed(x, index, value):
    x = np.copy(x)
    x[index] = value
    return x


def added(x, index, value):
    x = np.copy(x)
    np.add.at(x, index, value)
    return x


def indexing(size: int) -> None:
    x = numbers(0, size, 7, 5)
    rng = np.random.default_rng(1)
    places, once = rng.integers(-size, size, 2 * size), rng.permutation(size)[: size // 2]
    for index in (
        np.s_[places],
        np.s_[:, [6, 0, 3]],
        np.s_[places, ..., 2],
        np.s_[places, :, [4]],
        np.s_[::-2, 1:],
    ):
        same(lambda a, i=index: a[i], x)
    same(lambda a, b: changed(a, once, b), x, numbers(2, size // 2, 7, 5))
    same(lambda a, b: added(a, places, b), x, numbers(3, 2 * size, 7, 5))


def strided_maps(size: int) -> None:
    x, y = numbers(0, size, 6, 3), numbers(1, 3, 6, size)
    same(lambda a, b: a + b.T, x, y)
    same(lambda a, b: np.where(a > 0, a, b.T[::-1]), x, y)
    same(lambda a: np.exp(a[::3, 1:, ::2]), x)
    same(lambda a: a[:, :, None] * a[:, None, :, :1], x)
    same(lambda a: np.tanh(a.transpose(2, 0, 1)).astype("float64"), x)
    same(lambda a: (a * 100).astype("int16").astype("uint8"), x)


def reductions(size: int) -> None:
    x = numbers(0, 9, size, 11)
    for axis in (None, 0, 1, 2, (0, 1), (0, 2), (1, 2), (0, 1, 2)):
        same(lambda a, d=axis: np.sum(a, axis=d), x, tolerance=1e-5)
        same(lambda a, d=axis: np.max(a.transpose(2, 0, 1), axis=d), x)
    for axis in (0, 1, 2):
        same(lambda a, d=axis: np.argmax(a, axis=d), x)
        same(lambda a, d=axis: np.cumsum(a, axis=d), x, tolerance=1e-5)
    same(lambda a: np.any(a > 3, axis=(0, 2)), x)
    same(lambda a: np.mean(a, axis=1), x, tolerance=1e-5)


def average_pooling(size: int) -> None:
    window = (3, 2), (2, 1), (1, 1)
    x = layout.as_map(numbers(0, 2, 5, size, size))
    out = (size + 2 - 3) // 2 + 1, size + 2 - 2 + 1
    divisor = np.random.default_rng(1).integers(1, 9, out)
    grad = layout.as_map(numbers(2, 2, 5, *out))
    of = {
        room: importlib.import_module(f"minitorch_seg.kernels.{room}.avg_pool2d")
        for room in ("cuda", "reference")
    }

    def room(x):
        return of["reference" if isinstance(x, np.ndarray) else "cuda"]

    same(lambda a: room(a).avg_pool2d(a, divisor, *window), x)
    same(lambda g: room(g).avg_pool2d_gradient(g, (size, size), divisor, *window), grad)


def joining(size: int) -> None:
    parts = [numbers(i, 3, i + 1, size) for i in range(4)]
    on_gpu = [ms.tensor(p, device="cuda") for p in parts]
    np.testing.assert_array_equal(ms.cat(on_gpu, 1).cpu().numpy(), np.concatenate(parts, 1))
    np.testing.assert_array_equal(ms.cat(on_gpu[:1] * 3, 2).cpu().numpy(), np.concatenate(parts[:1] * 3, 2))


RULES = {
    "sgd": lambda p: ms.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.01),
    "plain sgd": lambda p: ms.optim.SGD(p, lr=0.01),
    "adam": lambda p: ms.optim.Adam(p, lr=0.01, amsgrad=True),
    "rmsprop": lambda p: ms.optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True),
}


def optimiser(rule: str, size: int) -> None:
    ends = []
    for device in ("cpu", "cuda"):
        w = ms.tensor(numbers(0, size, 3), device=device, requires_grad=True)
        optimizer = RULES[rule]([w])
        for _ in range(3):
            optimizer.zero_grad()
            (w * w * w).sum().backward()
            optimizer.step()
        ends.append(w.detach().cpu().numpy())
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-4, atol=1e-6)


def views_with_an_offset(size: int) -> None:
    """Kernels get a piece of memory that does not begin where the memory does."""
    x = numbers(0, size + 3, 8)
    same(lambda a: np.exp(a[3:]), x)
    same(lambda a: np.sum(a[3:, 2:], axis=0), x, tolerance=1e-5)
    same(lambda a: np.add(a[3:].reshape(-1), a[:-3].reshape(-1)), x)
    of = {
        room: importlib.import_module(f"minitorch_seg.kernels.{room}.softmax")
        for room in ("cuda", "reference")
    }
    same(lambda a: of["reference" if isinstance(a, np.ndarray) else "cuda"].softmax(a[3:], 1), x)


def a_second_thread(size: int) -> None:
    """Kernels that are compiled and launched by another thread of Python, on arrays of the first."""
    x, found, errors = ms.tensor(numbers(0, size, 5), device="cuda"), [], []

    def work():
        try:
            found.append(((x * 2).sum(dim=1) + 1).cpu().numpy())
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    for result in found:
        np.testing.assert_allclose(result, (numbers(0, size, 5) * 2).sum(1) + 1, rtol=1e-4, atol=1e-4)


CHECKS = (indexing, strided_maps, reductions, average_pooling, joining, views_with_an_offset, a_second_thread)
