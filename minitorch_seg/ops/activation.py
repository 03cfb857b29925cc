"""Activations: relu, sigmoid, tanh, softplus, logsigmoid.

    relu       y = max(x, 0)            dL/dx = g where x > 0, else 0     (0 at the kink)
    sigmoid    y = 1 / (1 + e⁻ˣ)        dL/dx = g y (1 − y)
    tanh       y = tanh x               dL/dx = g (1 − y²)
    softplus   y = log(1 + eˣ)          dL/dx = g sigmoid(x)
    logsigmoid y = −softplus(−x)

Sigmoid of a very negative x overflows in e⁻ˣ, to ∞, and 1/(1 + ∞) = 0 is the right answer.
(½ (1 + tanh(x/2)) never overflows, but is 0 already at x = −20, where the logarithm still matters.)
Softplus is max(x, 0) + log(1 + e^−|x|), because there an overflow would stay.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.ops.cast import as_tensor, to_float
from minitorch_seg.ops.selection import where


class Relu(Function):
    @staticmethod
    def forward(ctx, x):
        y = np.maximum(x.data, 0)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return where(Tensor(y.data > 0), grad, 0.0)


class Sigmoid(Function):
    @staticmethod
    def forward(ctx, x):
        y = 1 / (1 + np.exp(-x.data))
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return grad * y * (1 - y)


class Tanh(Function):
    @staticmethod
    def forward(ctx, x):
        y = np.tanh(x.data)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return grad * (1 - y * y)


class Softplus(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return np.maximum(x.data, 0) + np.log1p(np.exp(-np.absolute(x.data)))

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * sigmoid(x)


def relu(input: Any) -> Tensor:
    """max(input, 0), elementwise (Nair and Hinton, 2010).

    >>> import minitorch_seg as ms
    >>> ms.functional.relu(ms.tensor([-1.0, 0.0, 2.0]))
    tensor([0., 0., 2.])
    """
    x = as_tensor(input)
    if x.dtype == np.bool_:
        raise TypeError("relu: input is bool, expected numbers: use .float()")
    return Relu.apply(x)


def sigmoid(input: Any) -> Tensor:
    """1 / (1 + e^−input), elementwise: a logit becomes a probability.

    >>> import minitorch_seg as ms
    >>> ms.tensor([-1000.0, 0.0, 1000.0]).sigmoid()
    tensor([0. , 0.5, 1. ])
    """
    return Sigmoid.apply(to_float(input, "sigmoid"))


def tanh(input: Any) -> Tensor:
    """The hyperbolic tangent, elementwise."""
    return Tanh.apply(to_float(input, "tanh"))


def softplus(input: Any) -> Tensor:
    """log(1 + e^input), elementwise: a smooth relu."""
    return Softplus.apply(to_float(input, "softplus"))


def logsigmoid(input: Any) -> Tensor:
    """log sigmoid(input), without underflow."""
    return -softplus(-to_float(input, "logsigmoid"))
