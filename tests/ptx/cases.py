"""Calls that make the kernels of kernels/cuda run, small enough to be executed instruction by instruction."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minitorch_seg.kernels.layout import as_map
from minitorch_seg.kernels.reference.activation import normal_cdf
from minitorch_seg.kernels.sizes import window_counts
from tests.kernels.helpers import calls, close

SIDE = 5  # of the maps that tests/kernels/helpers.py makes
ONES = (1, 1)
SAME = (ONES, ONES, ONES, 1)  # stride, padding, dilation, groups


def on_device(value: Any) -> Any:
    """Arrays moved to the device, also those in lists."""
    from minitorch_seg.kernels.cuda.array import to_device

    if isinstance(value, tuple | list):
        return type(value)(on_device(v) for v in value)
    return to_device(value) if isinstance(value, np.ndarray) else value


def on_host(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return tuple(on_host(v) for v in value)
    return value.to_host() if hasattr(value, "to_host") else value


class Room:
    """A module of kernels/cuda whose functions take and give NumPy arrays."""

    def __init__(self, operator: str):
        self.module = importlib.import_module(f"minitorch_seg.kernels.cuda.{operator}")

    def __getattr__(self, name: str) -> Callable:
        function = getattr(self.module, name)
        return lambda *arguments: on_host(function(*on_device(arguments)))


def agree(operator: str, call: Callable) -> None:
    """call(room) with the kernels on the device and with the reference kernels: the same numbers."""
    reference = importlib.import_module(f"minitorch_seg.kernels.reference.{operator}")
    with np.errstate(all="ignore"):
        expected = call(reference)
    found = call(Room(operator))
    for f, e in zip(*[r if isinstance(r, tuple | list) else (r,) for r in (found, expected)], strict=True):
        assert (f is None) == (e is None)
        if e is not None:
            close(f, np.asarray(e))


def operators(dtype: str = "float32", every: bool = True) -> dict[str, tuple[str, Callable]]:
    """title -> (operator, call): a call of every function of every operator, and of the tiles."""
    listed = calls(dtype, SIDE)
    del listed["conv2d"], listed["matmul"]  # too many instructions: smaller ones below
    found = {
        operator: (operator, call)
        for operator, call in listed.items()
        if importlib.util.find_spec(f"minitorch_seg.kernels.cuda.{operator}")
    }
    found["conv2d, 3 channels"] = "conv2d", convolution(dtype, channels=5)
    for outs in (12, 20, 40) if every else (12, 40):
        found[f"conv2d, {outs} channels"] = "conv2d", convolution(dtype, outs=outs)
    found["conv2d, groups"] = "conv2d", convolution(dtype, channels=4, outs=6, groups=2)
    found["conv2d, few channels of a group"] = "conv2d", convolution(dtype, channels=6, outs=6, groups=6)
    found["conv2d, stride and dilation"] = "conv2d", convolution(dtype, stride=(2, 3), dilation=(2, 1))
    for columns in (5, 12, 24, 40) if every else (5, 24):
        found[f"matmul, {columns} columns"] = "matmul", product(dtype, columns)
    found["matmul, a long sum"] = "matmul", product(dtype, 3, rows=4, terms=530)
    found["matmul, turned"] = "matmul", lambda room: room.matmul(*turned(dtype))
    if every:
        found["rnn, many units"] = "rnn", recurrence(dtype)
        found["nll_loss"] = "cross_entropy", losses(dtype)
        found["max_pool2d, a large window"] = "max_pool2d", wide_window(dtype)
    return found


def unrepresentable(source: str, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Floats that an int32 or an int64 cannot hold, and what they become: as NumPy has it on x86-64."""
    x = np.array([np.nan, np.inf, -np.inf, 3e9, -3e9, 2.0**31, 1e20, -1e20, 2.0**63, -(2.0**63)], source)
    if target == "int64":
        expected = np.full(x.shape, -(2**63))
        expected[3:6] = 3 * 10**9, -3 * 10**9, 2**31
    else:
        expected = np.full(x.shape, -(2**31)).astype(target)  # of the narrow ones the lowest bits, all 0
    return x, expected


def numbers(dtype: str, *shape: int, seed: int = 3) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    return as_map(x) if len(shape) == 4 else x


def convolution(dtype, channels=3, outs=3, stride=ONES, dilation=ONES, groups=1) -> Callable:
    x, weight = numbers(dtype, 2, channels, 7, 6), numbers(dtype, outs, channels // groups, 3, 3, seed=4)
    options = stride, ONES, dilation, groups
    size = window_counts(x.shape[2:], (3, 3), stride, ONES, dilation)
    grad = numbers(dtype, 2, outs, *size, seed=5)

    def call(room):
        y = room.conv2d(x, weight, weight[:, 0, 0, 0].copy(), *options)
        return y, room.conv2d_weight_gradient(x, grad, (3, 3), *options)

    return call


def product(dtype, columns, rows=9, terms=21) -> Callable:
    a, b = numbers(dtype, 2, rows, terms), numbers(dtype, 2, terms, columns, seed=4)
    return lambda room: room.matmul(a, b)


def turned(dtype) -> tuple[np.ndarray, np.ndarray]:
    return numbers(dtype, 17, 9).T, numbers(dtype, 12, 17).T


def recurrence(dtype) -> Callable:
    """The recurrence step by step, as it is for more units than a block keeps."""
    units = 7
    x, h0, bias = numbers(dtype, 2, 3, 4), numbers(dtype, 3, units), numbers(dtype, units)
    w_xh, w_hh = numbers(dtype, units, 4), numbers(dtype, units, units) / 4
    grad = numbers(dtype, 2, 3, units, seed=8)

    def call(room):
        with pytest.MonkeyPatch.context() as patch:
            if isinstance(room, Room):
                patch.setattr(room.module, "HIDDEN", 0)
            h = room.rnn(x, h0, w_xh, w_hh, bias, "relu")
            return h, *room.rnn_gradient(grad, x, h, h0, w_xh, w_hh, "relu", True)

    return call


def losses(dtype) -> Callable:
    """From the logarithm of softmax; a class is ignored, another one impossible."""
    y, target = numbers(dtype, 2, 3, 4, 3), np.random.default_rng(1).integers(0, 3, (2, 4, 3))
    target[0, 0, :2] = -100, 7
    weight, grad = numbers(dtype, 3), numbers(dtype, 2, 4, 3, seed=6)

    def call(room):
        loss, share, _ = room.nll_loss(y, target, weight, -100)
        return loss, share, room.nll_loss_gradient(grad, y, target, weight, -100)

    return call


def wide_window(dtype) -> Callable:
    """Winners that an int8 does not count to."""
    x, grad, window = (
        numbers(dtype, 1, 2, 4, 3),
        numbers(dtype, 1, 2, 5, 4, seed=5),
        ((12, 12), ONES, (6, 6), ONES),
    )

    def call(room):
        y, taps = room.max_pool2d(x, *window, (5, 4))
        return y, taps, room.max_pool2d_gradient(grad, taps, (4, 3), *window)

    return call


ONE = """negative positive absolute square sign exp expm1 log log1p sqrt tanh reciprocal isnan isfinite
logical_not"""
TWO = """add subtract multiply divide floor_divide remainder power maximum minimum equal not_equal less
less_equal greater greater_equal logical_and logical_or logical_xor"""


def put(x, places):
    changed = np.copy(x)
    changed[:, places] = changed[:, :1]
    return changed


def add_at(x, places):
    changed = np.copy(x)
    np.add.at(changed, (slice(None), places), changed[:, :3])
    return changed


def functions(dtype: str = "float32") -> dict[str, Callable]:
    """title -> a call on NumPy arrays or CUDA arrays: element-wise maps, reductions, indexing, copies."""
    special = np.array([0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan, 0.3]).astype(dtype)
    a, b = (v.ravel() for v in np.meshgrid(special, special))
    a, b = np.append(a, numbers(dtype, 300)), np.append(b, numbers(dtype, 300, seed=4))
    x, places = numbers(dtype, 3, 40, 5), np.array([2, 0, 2])

    def with_arrays(function, *arrays):
        return lambda move: function(*(move(v) for v in arrays))

    found = {name: with_arrays(getattr(np, name), a) for name in ONE.split()}
    found |= {name: with_arrays(getattr(np, name), a, b) for name in TWO.split()}
    for name in ("add", "multiply", "divide", "subtract"):
        found[f"{name} of a view"] = with_arrays(lambda u, v, f=name: getattr(np, f)(u, v[:, :1]), x, x)
    found["where of a view"] = with_arrays(lambda u, v: np.where(u > v[:, :1], u, v[:, :1]), x, x)
    found["where"] = with_arrays(lambda u, v: np.where(u > v, u, v), a, b)
    for name in ("sum", "max", "min", "argmax", "argmin"):
        found[name] = with_arrays(lambda u, f=name: getattr(np, f)(u, axis=1), x)
    found["any"] = with_arrays(lambda u: np.any(u > 2, axis=1), x)
    found["all"] = with_arrays(lambda u: np.all(u > -2, axis=1), x)
    found["sum of many"] = with_arrays(np.sum, numbers(dtype, 3000))
    found["cumsum"] = with_arrays(lambda u: np.cumsum(u, axis=1), x)
    found["take"] = with_arrays(lambda u, i: u[:, i], x, places)
    found["put"] = with_arrays(put, x, places)
    found["add at"] = with_arrays(add_at, x, places)
    found["gelu"] = with_arrays(normal_cdf, a[:64])
    found["full"] = with_arrays(lambda u: np.full_like(u, 2), x)
    for target in ("float64", "int64", "bool"):
        found[f"astype {target}"] = with_arrays(lambda u, t=target: u.astype(t), x)
    return found
