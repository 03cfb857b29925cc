"""Rectifier, joining, copying and adding on the GPU; and the optimisers' steps against their formulas."""

import importlib

import numpy as np
import pytest

import minitorch_seg as ms
from tests.cuda_simulator.agreement import agree, close, normal, on_device


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(7,), (3, 40), (2, 3, 2, 3), (0, 3)])
def test_relu(shape, dtype):
    rng = np.random.default_rng(1)
    x, grad = normal(rng, *shape, dtype=dtype), normal(rng, *shape, dtype=dtype)
    if x.size:
        x.flat[0], x.flat[1], x.flat[2] = np.nan, -np.inf, np.inf
        grad.flat[1] = np.nan
    y = agree("relu", "relu", x)
    agree("relu", "relu_gradient", grad, y)


@pytest.mark.parametrize("dim", [0, 1, 2, 3, -1])
def test_cat(dim):
    rng = np.random.default_rng(2)
    shapes = [[2, 3, 2, 4] for _ in range(3)]
    shapes[1][dim], shapes[2][dim] = 5, 0
    parts = [normal(rng, *shape) for shape in shapes]
    found = importlib.import_module("minitorch_seg.kernels.cuda.cat").cat([on_device(p) for p in parts], dim)
    close(found.to_host(), np.concatenate(parts, dim))


def test_cat_of_other_dtypes_and_dimensions():
    cat = importlib.import_module("minitorch_seg.kernels.cuda.cat").cat
    parts = [np.arange(6).reshape(2, 3), np.arange(4).reshape(2, 2)]
    close(cat([on_device(p) for p in parts], 1).to_host(), np.concatenate(parts, 1))
    rows = [np.arange(3, dtype="float32"), np.arange(2, dtype="float64")]
    close(cat([on_device(p) for p in rows], 0).to_host(), np.concatenate(rows))


def test_add_and_copy():
    rng = np.random.default_rng(3)
    x, y = normal(rng, 2, 3, 2, 2), normal(rng, 1, 3, 1, 1)
    agree("add", "add", x, y)
    agree("copy", "copy", x)
    part = on_device(x)[:, 1:]
    copied = importlib.import_module("minitorch_seg.kernels.cuda.copy").copy(part)
    assert copied.storage is not part.storage
    close(copied.to_host(), x[:, 1:])


NUMBERS = {
    "adam": [(0.9, 0.0, 0.1, 0.99, 0.01, 1e-8, 0.1, 0.5), (1.0, 0.1, 0.1, 0.99, 0.01, 1e-8, 0.1, 0.5)],
    "sgd": [(0.1, 0.0, 0.9, 0.9, 1.0), (0.1, 0.2, 0.9, 0.9, 0.5)],
    "rmsprop": [(0.1, 0.0, 0.9, 0.1, 1e-8, 0.9), (0.1, 0.2, 0.9, 0.1, 1e-8, 0.5)],
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule, states", [("adam", 3), ("sgd", 1), ("rmsprop", 3)])
def test_steps_of_optimisers(rule, states, dtype):
    formula = {"adam": ms.optim.Adam, "sgd": ms.optim.SGD, "rmsprop": ms.optim.RMSprop}[rule].formula
    cuda = importlib.import_module(f"minitorch_seg.kernels.cuda.{rule}")
    rng = np.random.default_rng(4)
    for numbers in NUMBERS[rule]:
        for kept in range(2):  # with and without the states that may be missing
            parameter, gradient = normal(rng, 5, 9, dtype=dtype), normal(rng, 5, 9, dtype=dtype)
            state = [np.abs(normal(rng, 5, 9, dtype=dtype)) + 3 for _ in range(states)]
            if rule == "rmsprop":
                state[0] += 40  # the mean square is larger than the mean's square
            if not kept:
                state = [state[0], state[1], None] if rule == "adam" else [*state[:-1], None]
            flag = (True,) if rule == "sgd" else ()
            on_gpu = [None if a is None else on_device(a) for a in (parameter, gradient, *state)]
            getattr(cuda, rule)(*on_gpu, *flag, *numbers)
            formula((parameter, gradient, *state), (*flag, *numbers))
            for found, expected in zip(on_gpu, (parameter, gradient, *state), strict=True):
                if expected is not None:
                    close(found.to_host(), expected)
