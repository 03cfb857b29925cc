"""The table's reductions; their oracles treat one list of Python numbers after the other."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

import minitorch_seg as ms
from tests.ops.table.draw import Case, Draw, operator


def along(dims: int | tuple[int, ...] | None, keepdim: bool, function: Callable[[list], Any]) -> Callable:
    """`function` of the list of numbers along `dims`, for each place of the other dimensions."""

    def apply(x: np.ndarray) -> np.ndarray:
        chosen = range(x.ndim) if dims is None else (dims,) if isinstance(dims, int) else dims
        axes = sorted(d % x.ndim for d in chosen) if x.ndim else []
        others = [d for d in range(x.ndim) if d not in axes]
        lists = np.transpose(x, [*others, *axes]).reshape(math.prod(x.shape[d] for d in others), -1)
        results = np.array([function(numbers.tolist()) for numbers in lists])
        kept = [1 if d in axes else n for d, n in enumerate(x.shape)]
        return results.reshape(kept if keepdim else [x.shape[d] for d in others])

    return apply


def log_sum_exp(numbers: list[float]) -> float:
    return math.log(math.fsum(math.exp(v) for v in numbers))


@operator("sum", "mean", "amax", "amin", "logsumexp", "any", "all")
def over_dims(r: Draw, name: str) -> Case:
    x = r.normal(*r.shape(1, 4, empty=False))
    x = r.rounded(*x.shape) if name[0] == "a" else x
    if name in ("any", "all"):
        x = x > 0
    dims, keepdim = r.one(r.dim(x), r.dims(x), None), r.flag()
    dims = -1 if dims is None and name == "logsumexp" else dims  # it alone wants a dim, as in PyTorch
    functions = {
        "sum": math.fsum,
        "mean": statistics.fmean,
        "amax": max,
        "amin": min,
        "logsumexp": log_sum_exp,
    }
    functions |= {"any": any, "all": all}
    return Case(
        [x],
        lambda x: getattr(ms, name)(x, dims, keepdim),
        along(dims, keepdim, functions[name]),
        recorded=name not in ("any", "all"),
    )


@operator("var", "std")
def spread(r: Draw, name: str) -> Case:
    x = r.normal(*r.shape(1, 3, empty=False), 3)  # at least three numbers, along the last dimension
    dims, keepdim, correction = r.one(-1, (x.ndim - 1, 0), None), r.flag(), r.int(0, 2)

    def function(numbers: list[float]) -> float:
        mean = statistics.fmean(numbers)
        variance = math.fsum((v - mean) ** 2 for v in numbers) / (len(numbers) - correction)
        return math.sqrt(variance) if name == "std" else variance

    return Case(
        [x],
        lambda x: getattr(ms, name)(x, dims, correction=correction, keepdim=keepdim),
        along(dims, keepdim, function),
    )


@operator("max", "min")
def extremum(r: Draw, name: str) -> Case:
    x = r.rounded(*r.shape(1, 4, empty=False))
    dim, keepdim = r.dim(x), r.flag()
    pick = max if name == "max" else min
    if r.flag():
        return Case([x], lambda x: getattr(x, name)(), along(None, False, pick))
    return Case(
        [x],
        lambda x: tuple(getattr(x, name)(dim, keepdim=keepdim)),
        lambda x: (
            along(dim, keepdim, pick)(x),
            along(dim, keepdim, lambda numbers: numbers.index(pick(numbers)))(x),
        ),
    )


@operator("argmax", "argmin")
def place_of_extremum(r: Draw, name: str) -> Case:
    x = r.rounded(*r.shape(1, 4, empty=False))
    dim, keepdim = r.one(r.dim(x), r.dim(x), None), r.flag()
    pick = max if name == "argmax" else min
    return Case(
        [x],
        lambda x: getattr(ms, name)(x, dim, keepdim),
        along(dim, keepdim, lambda numbers: numbers.index(pick(numbers))),
        recorded=False,
    )


@operator("cumsum")
def cumsum(r: Draw) -> Case:
    x = r.normal(*r.shape(1, 4))
    dim = r.dim(x)

    def oracle(x: np.ndarray) -> np.ndarray:
        y, moved = np.zeros(x.shape), np.moveaxis(x, dim, -1)
        for place in np.ndindex(moved.shape[:-1]):
            np.moveaxis(y, dim, -1)[place] = list(itertools.accumulate(moved[place].tolist()))
        return y

    return Case([x], lambda x: x.cumsum(dim), oracle)


@operator("sum_to_size")
def sum_to_size(r: Draw) -> Case:
    shape = r.shape(0, 4)
    size = tuple(r.one(n, 1) for n in shape)[r.int(0, len(shape)) :]

    def oracle(x: np.ndarray) -> np.ndarray:
        y = np.zeros(size)
        for place in np.ndindex(x.shape):
            where = place[x.ndim - len(size) :]
            y[tuple(0 if n == 1 else i for i, n in zip(where, size, strict=True))] += x[place]
        return y

    return Case([r.normal(*shape)], lambda x: x.sum_to_size(size), oracle)
