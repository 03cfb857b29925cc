"""The table's operators that move numbers: shapes, joining, indexing, frames; the oracles say place by place
where each number comes from."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import minitorch_seg as ms
from tests.ops.table.draw import Case, Draw, operator

F = ms.functional


def from_places(shape: tuple[int, ...], source: Callable[..., Any]) -> np.ndarray:
    """y[i, j, …] = source(i, j, …)."""
    return np.reshape([float(source(*place)) for place in np.ndindex(*shape)], shape)


@operator("reshape", "flatten", "squeeze", "unsqueeze")
def row_major(r: Draw, name: str) -> Case:
    x = r.normal(*r.shape(1, 4))
    first, last = sorted((r.int(0, x.ndim - 1), r.int(0, x.ndim - 1)))
    joined = (*x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :])
    at = r.int(-x.ndim - 1, x.ndim)
    call, shape = {
        "reshape": (lambda x: x.reshape(joined), joined),
        "flatten": (lambda x: x.flatten(first, last - x.ndim), joined),
        "squeeze": (
            lambda x: x.squeeze(first),
            tuple(n for d, n in enumerate(x.shape) if n != 1 or d != first),
        ),
        "unsqueeze": (
            lambda x: x.unsqueeze(at),
            (*x.shape[: at % (x.ndim + 1)], 1, *x.shape[at % (x.ndim + 1) :]),
        ),
    }[name]
    return Case([x], call, lambda x: np.array(list(x.flat)).reshape(shape))


@operator("permute", "transpose")
def order_of_dimensions(r: Draw, name: str) -> Case:
    x = r.normal(*r.shape(2, 4))
    if name == "transpose":
        a, b = r.dim(x), r.dim(x)
        order = list(range(x.ndim))
        order[a], order[b] = order[b], order[a]
        call = lambda x: x.transpose(a, b)  # noqa: E731
    else:
        order = r.data.draw(st.permutations(range(x.ndim)))
        call = lambda x: x.permute(*order)  # noqa: E731
    back = [order.index(d) for d in range(x.ndim)]
    shape = tuple(x.shape[d] for d in order)
    return Case([x], call, lambda x: from_places(shape, lambda *i: x[tuple(i[d] for d in back)]))


@operator("expand", "broadcast_to")
def repeated(r: Draw, name: str) -> Case:
    shape = r.shape(0, 4)
    x = r.normal(*(tuple(r.one(n, 1) for n in shape)[r.int(0, len(shape)) :]))

    def oracle(x: np.ndarray) -> np.ndarray:
        extra = len(shape) - x.ndim
        return from_places(
            shape, lambda *i: x[tuple(0 if n == 1 else k for k, n in zip(i[extra:], x.shape, strict=True))]
        )

    return Case(
        [x], (lambda x: x.expand(*shape)) if name == "expand" else (lambda x: x.broadcast_to(shape)), oracle
    )


@operator("flip")
def flip(r: Draw) -> Case:
    x = r.normal(*r.shape(1, 4))
    dims = r.dims(x)
    return Case(
        [x],
        lambda x: x.flip(*dims),
        lambda x: from_places(
            x.shape, lambda *i: x[tuple(x.shape[d] - 1 - k if d in dims else k for d, k in enumerate(i))]
        ),
    )


@operator("roll")
def roll(r: Draw) -> Case:
    x = r.normal(*r.shape(1, 4))
    dims = r.dims(x)
    shifts = tuple(r.int(-5, 5) for _ in dims)
    by = dict(zip(dims, shifts, strict=True))
    return Case(
        [x],
        lambda x: x.roll(shifts, dims),
        lambda x: from_places(
            x.shape, lambda *i: x[tuple((k - by.get(d, 0)) % x.shape[d] for d, k in enumerate(i))]
        ),
    )


@operator("cat", "stack")
def joined(r: Draw, name: str) -> Case:
    x = r.normal(*r.shape(1, 4))
    if name == "stack":
        dim = r.int(-x.ndim - 1, x.ndim)
        others = [x, r.normal(*x.shape), r.normal(*x.shape)]
        return Case(
            others,
            lambda *x: ms.stack(x, dim),
            lambda *x: np.moveaxis(np.array(list(x)), 0, dim),
        )
    dim = r.dim(x)
    sizes = [r.int(0, 3) for _ in range(r.int(0, 2))]
    others = [r.normal(*(n if d == dim % x.ndim else m for d, m in enumerate(x.shape))) for n in sizes]

    def oracle(*x: np.ndarray) -> np.ndarray:
        rows = [row for part in x for row in np.moveaxis(part, dim, 0)]
        size = [n for d, n in enumerate(x[0].shape) if d != dim % x[0].ndim]
        return np.moveaxis(np.reshape(rows, (len(rows), *size)), 0, dim)

    return Case([x, *others], lambda *x: ms.cat(x, dim), oracle)


@operator("split", "chunk")
def parted(r: Draw, name: str) -> Case:
    x = r.normal(*r.shape(1, 4, empty=False))
    dim = r.dim(x)
    n, size = x.shape[dim], r.int(1, 3)
    length = size if name == "split" else math.ceil(n / size)

    def oracle(x: np.ndarray) -> list[np.ndarray]:
        rows = list(np.moveaxis(x, dim, 0))
        return [np.moveaxis(np.array(rows[i : i + length]), 0, dim) for i in range(0, n, length)]

    if name == "split" and r.flag():
        cut = r.int(0, n)
        return Case(
            [x],
            lambda x: x.split([cut, n - cut], dim),
            lambda x: list(np.split(x, [cut], dim)),
        )
    return Case([x], lambda x: getattr(x, name)(size, dim), oracle)


def index(r: Draw, shape: tuple[int, ...]) -> Any:
    """Ints, slices, lists of places, None and Ellipsis, for some or all dimensions; or a mask."""
    if r.int(0, 5) == 0:
        return r.bools(*shape[: r.int(1, len(shape))])
    parts: list[Any] = []
    for n in shape[: r.int(0, len(shape))]:
        places = st.integers(-n, n - 1)
        steps = st.slices(n).filter(lambda s: s.step is None or s.step > 0)
        parts.append(r.data.draw(st.one_of(places, steps, st.lists(places, min_size=2, max_size=2))))
    if r.int(0, 3) == 0:
        parts.insert(r.int(0, len(parts)), None)
    if r.int(0, 3) == 0 and all(not isinstance(p, list) for p in parts):
        parts.append(Ellipsis)
    return tuple(parts)


@operator("getitem")
def getitem(r: Draw) -> Case:
    shape = r.shape(1, 4, empty=False)
    i = index(r, shape)
    places = np.arange(math.prod(shape)).reshape(shape)[i]
    return Case(
        [r.normal(*shape)],
        lambda x: x[i],
        lambda x: np.reshape([list(x.flat)[k] for k in np.ravel(places)], places.shape),
    )


@operator("setitem")
def setitem(r: Draw) -> Case:
    shape = r.shape(1, 4, empty=False)
    i = index(r, shape)
    places = np.arange(math.prod(shape)).reshape(shape)[i]
    values = r.normal(*places.shape)

    def call(x: Any, values: Any) -> Any:
        y = x.detach().clone()
        y[i] = values.detach()
        return y

    def oracle(x: np.ndarray, values: np.ndarray) -> np.ndarray:
        numbers = list(x.flat)
        for k, value in zip(np.ravel(places), np.ravel(values), strict=True):
            numbers[k] = value
        return np.reshape(numbers, shape)

    return Case([r.normal(*shape), values], call, oracle, recorded=False)


@operator("gather", "index_select")
def picked(r: Draw, name: str) -> Case:
    x = r.normal(*r.shape(1, 4, empty=False))
    dim = r.dim(x)
    n, d = x.shape[dim], dim % x.ndim
    if name == "index_select":
        chosen = np.asarray(r.rng.integers(0, n, r.int(0, 4)))
        return Case(
            [x, chosen],
            lambda x, i: x.index_select(dim, i),
            lambda x, i: np.moveaxis(
                np.reshape([np.moveaxis(x, dim, 0)[k] for k in i], (len(i), *np.delete(x.shape, d))), 0, dim
            ),
        )
    shape = tuple(r.int(1, 4) if a == d else r.int(1, m) for a, m in enumerate(x.shape))
    return Case(
        [x, np.asarray(r.rng.integers(0, n, shape))],
        lambda x, i: x.gather(dim, i),
        lambda x, i: from_places(shape, lambda *p: x[(*p[:d], i[p], *p[d + 1 :])]),
    )


@operator("pad")
def pad(r: Draw) -> Case:
    mode = r.one("constant", "reflect", "replicate", "circular")
    if mode == "constant":
        shape = r.shape(1, 4, empty=False)
        count = r.int(1, len(shape))
    else:
        shape, count = (r.batch(), r.int(1, 2), r.int(2, 4), r.int(2, 4)), 2
    widths = [
        r.int(-1 if n > 2 and mode == "constant" else 0, min(3, n - 1))
        for n in shape[::-1][:count]
        for _ in "ab"
    ]
    value = {"value": 1.5} if mode == "constant" else {}
    pairs = [(0, 0)] * (len(shape) - count) + list(zip(widths[::2], widths[1::2], strict=True))[::-1]

    def source(n: int, i: int) -> int | None:
        if 0 <= i < n:
            return i
        if mode == "reflect":  # step by step along the mirrored way
            way = [*range(n), *range(n - 2, 0, -1)]
            return way[i % len(way)]
        return {"constant": None, "replicate": 0 if i < 0 else n - 1, "circular": i % n}[mode]

    def oracle(x: np.ndarray) -> np.ndarray:
        def number(*place: int) -> float:
            found = [source(n, i - a) for n, i, (a, _) in zip(x.shape, place, pairs, strict=True)]
            return 1.5 if None in found else x[tuple(found)]

        return from_places(tuple(n + a + b for n, (a, b) in zip(x.shape, pairs, strict=True)), number)

    return Case([r.normal(*shape)], lambda x: F.pad(x, widths, mode, **value), oracle)


@operator("pixel_shuffle", "pixel_unshuffle")
def shuffled(r: Draw, name: str) -> Case:
    f, lead, c, h, w = r.int(1, 3), r.shape(0, 2), r.int(1, 2), r.int(1, 3), r.int(1, 3)

    def oracle(x: np.ndarray) -> np.ndarray:
        if name == "pixel_shuffle":
            return from_places(
                (*lead, c, f * h, f * w),
                lambda *p: x[(*p[:-3], p[-3] * f * f + p[-2] % f * f + p[-1] % f, p[-2] // f, p[-1] // f)],
            )
        return from_places(
            (*lead, c * f * f, h, w),
            lambda *p: x[
                (*p[:-3], p[-3] // (f * f), p[-2] * f + p[-3] % (f * f) // f, p[-1] * f + p[-3] % f)
            ],
        )

    shape = (c * f * f, h, w) if name == "pixel_shuffle" else (c, f * h, f * w)
    return Case([r.normal(*lead, *shape)], lambda x: getattr(F, name)(x, f), oracle)
