"""Reductions: sum, mean, var, std, max, min, amax, amin, argmax, argmin, logsumexp, cumsum.

    sum         y = Σ x                           dL/dx = g, spread over what was summed (g = dL/dy)
    mean        y = Σ x / n                       dL/dx = g / n
    var         y = Σ (x − mean)² / (n − c)       dL/dx = 2 g (x − mean) / (n − c)      (c: the correction)
    std         y = √var                          dL/dx = g (x − mean) / ((n − c) y)
    amax, amin  y = the largest (smallest) x      the gradient goes to it; equal ones share it
    max, min    with a dim, the index too         the gradient goes to the first of equal ones
    logsumexp   y = log Σ eˣ                      dL/dx = g softmax(x)
    cumsum      y_i = Σ_{j≤i} x_j                 dL/dx_j = Σ_{i≥j} g_i

argmax and argmin give indices, which carry no gradient.  `dim` counts like a Python index, may be a tuple
where PyTorch allows it, and None means all dimensions.

Blanchard, Higham and Higham, "Accurately computing the log-sum-exp and softmax functions", 2021.
"""

from __future__ import annotations

import builtins
from collections import namedtuple
from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import RangeError
from minitorch_seg.kernels import dispatch, layout
from minitorch_seg.ops.arguments import normalize_dim, normalize_dims
from minitorch_seg.ops.cast import as_tensor, float_tensor, refuse_bool, to_float
from minitorch_seg.ops.indexing import gather
from minitorch_seg.ops.selection import where
from minitorch_seg.ops.typed import typed

Dims = int | tuple[int, ...] | list[int] | None
Extremum = namedtuple("Extremum", ["values", "indices"])


def _sum_dtype(x: Tensor) -> np.dtype:
    """int64 for bools and integers of any size (NumPy would make uint64 of uint8)."""
    return x.dtype if x.dtype.kind == "f" else np.dtype(np.int64)


class Sum(Function):
    @staticmethod
    def forward(ctx, x, dims, keepdim):
        ctx.shape, ctx.kept = x.shape, tuple(1 if d in dims else n for d, n in enumerate(x.shape))
        if dims == (0, 2, 3) and layout.is_map(x.data) and x.dtype in (np.float32, np.float64):
            y = dispatch.get("channel_sum", x.data).channel_sum(x.data)
            return np.reshape(y, ctx.kept) if keepdim else y
        return np.sum(x.data, axis=dims, keepdims=keepdim, dtype=_sum_dtype(x))

    @staticmethod
    def backward(ctx, grad):
        return grad.reshape(ctx.kept).expand(ctx.shape), None, None


@typed
def sum(input: Any, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The sum over `dim`; bools and integers are summed as int64.

    Returns: the other dimensions (and 1 for each of `dim` with keepdim), in the input's float type.

    Raises: IndexError for a dimension that is not there.

    >>> import minitorch_seg as ms
    >>> ms.tensor([[1.0, 2.0], [3.0, 4.0]]).sum(dim=1)
    tensor([3., 7.])
    """
    x = as_tensor(input)
    return Sum.apply(x, normalize_dims("sum", dim, x.ndim), keepdim)


def sum_to_size(input: Tensor, size: tuple[int, ...]) -> Tensor:
    """Sum over the dimensions that broadcasting repeated, back to `size`: the adjoint of expand.

    Returns: a tensor of that size.

    Raises: ShapeError unless `size` can be broadcast to the input's shape.

    >>> import minitorch_seg as ms
    >>> ms.tensor([[1.0, 2.0], [3.0, 4.0]]).sum_to_size((2, 1)).tolist()
    [[3.0], [7.0]]
    """
    extra = input.ndim - len(size)
    repeated = tuple(range(extra)) + tuple(
        d + extra for d, n in enumerate(size) if n == 1 and input.shape[d + extra] != 1
    )
    summed = sum(input, repeated) if repeated else input
    return summed if summed.shape == tuple(size) else summed.reshape(size)


@typed
def mean(input: Any, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The arithmetic mean over `dim`; of no elements NaN, as in PyTorch.

    Returns: as sum.

    Raises: DTypeError unless the input is a float; IndexError for a dimension that is not there.

    >>> import minitorch_seg as ms
    >>> ms.tensor([[1.0, 2.0], [3.0, 6.0]]).mean(dim=0)
    tensor([2., 4.])
    """
    x = float_tensor("mean", input)
    dims = normalize_dims("mean", dim, x.ndim)
    count = int(np.prod([x.shape[d] for d in dims]))
    return sum(x, dims, keepdim) / float(count)


@typed
def var(input: Any, dim: Dims = None, correction: float | None = 1, keepdim: bool = False) -> Tensor:
    """Σ (x − mean)² / (n − correction) over `dim`.

    Correction 1 estimates a population's variance from a sample of it; 0 gives the variance of the numbers
    themselves, as batch normalisation uses it.

    Returns: as sum; NaN (of one number) or ∞ where n ≤ correction.

    Raises: DTypeError unless the input is a float; IndexError for a dimension that is not there.

    >>> import minitorch_seg as ms
    >>> x = ms.tensor([1.0, 2.0, 3.0])
    >>> x.var().item(), round(x.var(correction=0).item(), 4)
    (1.0, 0.6667)
    """
    x = float_tensor("var", input)
    dims = normalize_dims("var", dim, x.ndim)
    count = int(np.prod([x.shape[d] for d in dims]))
    centred = x - mean(x, dims, keepdim=True)
    return sum(centred * centred, dims, keepdim) / float(
        builtins.max(count - (1 if correction is None else correction), 0)
    )


@typed
def std(input: Any, dim: Dims = None, correction: float | None = 1, keepdim: bool = False) -> Tensor:
    """The square root of `var`; its gradient is taken as 0 where it is 0 (there √ has none).

    Returns and raises: as var.

    >>> import minitorch_seg as ms
    >>> ms.tensor([[1.0, 3.0], [5.0, 5.0]]).std(dim=1, correction=0)
    tensor([1., 0.])
    """
    variance = var(input, dim, correction, keepdim)
    constant = variance == 0
    return where(constant, 0.0, where(constant, 1.0, variance).sqrt())


def _refuse_empty(operator: str, x: Tensor, dims: tuple[int, ...]) -> None:
    if 0 in [x.shape[d] for d in dims]:
        raise RangeError(
            f"{operator}: among no elements there is no extreme one: shape {x.shape}, dim {dims}"
        )


class Amax(Function):
    @staticmethod
    def forward(ctx, x, dims, keepdim, pick):
        y = pick(x.data, axis=dims, keepdims=True)
        winners = np.equal(x.data, y)
        ctx.share = (winners / np.sum(winners, axis=dims, keepdims=True)).astype(x.dtype, copy=False)
        ctx.kept = y.shape
        return y if keepdim else np.reshape(y, [n for d, n in enumerate(y.shape) if d not in dims])

    @staticmethod
    def backward(ctx, grad):
        return grad.reshape(ctx.kept) * Tensor(ctx.share), None, None, None


@typed
def amax(input: Any, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The largest element along `dim`; equal ones share the gradient (`max` with a dim: to the first alone).

    Returns: the other dimensions (and 1 for each of `dim` with keepdim), in the input's dtype.

    Raises: IndexError for a dimension that is not there, or has no elements.

    >>> import minitorch_seg as ms
    >>> ms.tensor([[1.0, 5.0], [7.0, 2.0]]).amax(dim=1)
    tensor([5., 7.])
    """
    return _over_all("amax", as_tensor(input), dim, keepdim, np.max)


@typed
def amin(input: Any, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The smallest element along `dim`; equal ones share the gradient.  See amax.

    Returns and raises: as amax.

    >>> import minitorch_seg as ms
    >>> ms.tensor([[1.0, 5.0], [7.0, 2.0]]).amin(dim=1)
    tensor([1., 2.])
    """
    return _over_all("amin", as_tensor(input), dim, keepdim, np.min)


def _over_all(operator: str, x: Tensor, dim: Dims, keepdim: bool, pick: Any) -> Tensor:
    dims = normalize_dims(operator, dim, x.ndim)
    _refuse_empty(operator, x, dims)
    return Amax.apply(x, dims, keepdim, pick)


@typed
def max(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The largest element of all; with `dim` the pair (values, indices) along it, ties to the first.

    Returns: the input's dtype, and int64 for the indices.

    Raises: IndexError for a dimension that is not there, or has no elements.

    >>> import minitorch_seg as ms
    >>> values, indices = ms.tensor([[1.0, 5.0, 5.0]]).max(dim=1)
    >>> values.item(), indices.item()
    (5.0, 1)
    """
    return _extremum(as_tensor(input), dim, keepdim, np.argmax, amax)


@typed
def min(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest element of all; with `dim` the pair (values, indices) along it, ties to the first.

    Returns: the input's dtype, and int64 for the indices.

    Raises: IndexError for a dimension that is not there, or has no elements.

    >>> import minitorch_seg as ms
    >>> ms.tensor([3.0, 1.0, 2.0]).min().item()
    1.0
    """
    return _extremum(as_tensor(input), dim, keepdim, np.argmin, amin)


def _extremum(x: Tensor, dim: int | None, keepdim: bool, arg: Any, over_all: Any) -> Any:
    if dim is None:
        return over_all(x)
    name = arg.__name__[3:]
    dim = normalize_dim(name, dim, x.ndim)
    if not x.ndim:
        return Extremum(x, Tensor(np.zeros((), np.int64, like=x.data)))
    _refuse_empty(name, x, (dim,))
    indices = Tensor(np.expand_dims(arg(x.data, axis=dim), dim))
    values = gather(x, dim, indices)
    return Extremum(values, indices) if keepdim else Extremum(values.squeeze(dim), indices.squeeze(dim))


@typed
def argmax(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the first largest element along `dim` (of the flattened tensor for None).

    Returns: int64.

    Raises: IndexError for a dimension that is not there, or has no elements; DTypeError for bools.

    >>> import minitorch_seg as ms
    >>> ms.tensor([[1.0, 5.0], [7.0, 2.0]]).argmax(dim=1)
    tensor([1, 0])
    """
    x, dim = _arg_dim("argmax", input, dim)
    if dim == 1 and x.ndim == 4 and x.device == "cpu":  # NumPy is slow along a strided axis: compare in turn
        best = np.zeros((x.shape[0], *x.shape[2:]), np.int64)
        top = np.array(x.data[:, 0])
        for c in range(1, x.shape[1]):
            better = (x.data[:, c] > top) | (np.isnan(x.data[:, c]) & ~np.isnan(top))
            best[better] = c
            top = np.where(better, x.data[:, c], top)
        return Tensor(np.expand_dims(best, 1) if keepdim else best)
    return Tensor(np.argmax(x.data, axis=dim, keepdims=keepdim))


@typed
def argmin(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the first smallest element along `dim` (of the flattened tensor for None).  See argmax.

    Returns and raises: as argmax.

    >>> import minitorch_seg as ms
    >>> ms.tensor([[1.0, 5.0], [7.0, 2.0]]).argmin(dim=1)
    tensor([0, 1])
    """
    x, dim = _arg_dim("argmin", input, dim)
    return Tensor(np.argmin(x.data, axis=dim, keepdims=keepdim))


def _arg_dim(operator: str, input: Any, dim: int | None) -> tuple[Tensor, int | None]:
    x = refuse_bool(operator, as_tensor(input))
    if dim is not None:
        dim = normalize_dim(operator, dim, x.ndim)
    _refuse_empty(operator, x, tuple(range(x.ndim)) if dim is None or not x.ndim else (dim,))
    return x, dim if x.ndim else None


@typed
def logsumexp(input: Any, dim: int | tuple[int, ...] | list[int], keepdim: bool = False) -> Tensor:
    """log Σ eˣ over `dim`, without overflow: m + log Σ eˣ⁻ᵐ with m the largest x.

    m is a constant for the derivative, which is the softmax either way.

    Returns: as sum; float32 for integers and bools.

    Raises: IndexError for a dimension that is not there.

    >>> import minitorch_seg as ms
    >>> round(ms.tensor([1000.0, 1000.0]).logsumexp(dim=0).item(), 2)
    1000.69
    """
    x = to_float(input)
    dims = normalize_dims("logsumexp", dim, x.ndim)
    largest = np.max(x.data, axis=dims, keepdims=True, initial=-np.inf)  # of no elements: log 0
    m = Tensor(np.where(np.isfinite(largest), largest, np.zeros_like(largest)))
    y = m + (x - m).exp().sum(dims, keepdim=True).log()
    return y if keepdim else y.reshape([n for d, n in enumerate(y.shape) if d not in dims])


class Cumsum(Function):
    @staticmethod
    def forward(ctx, x, dim):
        ctx.dim = dim
        return np.cumsum(x.data, axis=dim, dtype=_sum_dtype(x))

    @staticmethod
    def backward(ctx, grad):  # a running sum from the other end
        return grad.flip(ctx.dim).cumsum(ctx.dim).flip(ctx.dim), None


def cumsum(input: Any, dim: int) -> Tensor:
    """The running sum along `dim`; of bools and integers as int64.

    Returns: the input's shape.

    Raises: IndexError for a dimension that is not there.

    >>> import minitorch_seg as ms
    >>> ms.tensor([1.0, 2.0, 3.0]).cumsum(0)
    tensor([1., 3., 6.])
    """
    x = as_tensor(input)
    dim = normalize_dim("cumsum", dim, x.ndim)
    return Cumsum.apply(x, dim) if x.ndim else sum(x)
