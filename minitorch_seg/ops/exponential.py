"""exp, log, log1p, sqrt, elementwise (g = dL/dy).

    y = eˣ            dL/dx = g y
    y = log x         dL/dx = g / x
    y = log(1 + x)    dL/dx = g / (1 + x)
    y = √x            dL/dx = g / (2 y)

exp and sqrt save their result, because it is what their derivative needs; the logarithms save x.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.ops.cast import to_float


class Exp(Function):
    @staticmethod
    def forward(ctx, x):
        y = np.exp(x.data)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return grad * y


class Log(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return np.log(x.data)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad / x


class Log1p(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return np.log1p(x.data)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad / (x + 1)


class Sqrt(Function):
    @staticmethod
    def forward(ctx, x):
        y = np.sqrt(x.data)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return grad / (2 * y)


def exp(input: Any) -> Tensor:
    """e to the power of input, elementwise; integers give float32.

    Returns: the input's shape and float type; float32 for integers and bools.

    >>> import minitorch_seg as ms
    >>> ms.tensor([0.0, 1.0]).exp()
    tensor([1.    , 2.7183])
    """
    return Exp.apply(to_float(input))


def log(input: Any) -> Tensor:
    """The natural logarithm, elementwise; −∞ at 0, NaN below.

    Returns: the input's shape and float type; float32 for integers and bools.

    >>> import minitorch_seg as ms
    >>> ms.tensor([1.0, 0.0]).log()
    tensor([  0., -inf])
    """
    return Log.apply(to_float(input))


def log1p(input: Any) -> Tensor:
    """log(1 + input), elementwise, exact also for tiny input.

    Returns: the input's shape and float type; float32 for integers and bools.

    >>> import minitorch_seg as ms
    >>> ms.tensor(1e-20).log1p().item() > 0, ms.tensor(1 + 1e-20).log().item() > 0
    (True, False)
    """
    return Log1p.apply(to_float(input))


def sqrt(input: Any) -> Tensor:
    """The square root, elementwise; NaN below 0.

    Returns: the input's shape and float type; float32 for integers and bools.

    >>> import minitorch_seg as ms
    >>> ms.tensor([9.0, -1.0]).sqrt()
    tensor([ 3., nan])
    """
    return Sqrt.apply(to_float(input))
