"""Activations and dropout as modules; formulas in ops/activation.py, ops/softmax.py and ops/dropout.py."""

from __future__ import annotations

from minitorch_seg import functional as F
from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.nn.applied import Applied
from minitorch_seg.nn.module import Module


class ReLU(Applied):
    """max(x, 0).

    >>> import minitorch_seg as ms
    >>> ms.nn.ReLU()(ms.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    operator = staticmethod(F.relu)

    def __init__(self, inplace: bool = False):
        super().__init__(inplace=inplace)


class LeakyReLU(Applied):
    """x where it is positive, negative_slope · x elsewhere.

    >>> import minitorch_seg as ms
    >>> ms.nn.LeakyReLU(0.1)(ms.tensor([-1.0, 2.0]))
    tensor([-0.1,  2. ])
    """

    operator = staticmethod(F.leaky_relu)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False):
        super().__init__(negative_slope=negative_slope, inplace=inplace)


class ELU(Applied):
    """x where it is positive, alpha · (eˣ − 1) elsewhere.

    >>> import minitorch_seg as ms
    >>> ms.nn.ELU()(ms.tensor([-100.0, 2.0]))
    tensor([-1.,  2.])
    """

    operator = staticmethod(F.elu)

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        super().__init__(alpha=alpha, inplace=inplace)


class GELU(Applied):
    """x · Φ(x); approximate is "none" or "tanh".

    >>> import minitorch_seg as ms
    >>> ms.nn.GELU()(ms.tensor([-100.0, 0.0, 100.0]))
    tensor([ -0.,   0., 100.])
    """

    operator = staticmethod(F.gelu)

    def __init__(self, approximate: str = "none"):
        super().__init__(approximate=approximate)


class SiLU(Applied):
    """x · sigmoid(x).

    >>> import minitorch_seg as ms
    >>> ms.nn.SiLU()(ms.tensor([-100.0, 0.0, 100.0]))
    tensor([ -0.,   0., 100.])
    """

    operator = staticmethod(F.silu)

    def __init__(self, inplace: bool = False):
        super().__init__(inplace=inplace)


class Softplus(Applied):
    """log(1 + e^(beta·x)) / beta; x itself where beta·x > threshold.

    >>> import minitorch_seg as ms
    >>> ms.nn.Softplus()(ms.tensor([0.0, 100.0]))
    tensor([  0.6931, 100.    ])
    """

    operator = staticmethod(F.softplus)

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        super().__init__(beta=beta, threshold=threshold)


class LogSigmoid(Module):
    """log sigmoid(x).

    >>> import minitorch_seg as ms
    >>> ms.nn.LogSigmoid()(ms.tensor([-200.0, 0.0]))
    tensor([-200.    ,   -0.6931])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class Sigmoid(Module):
    """1 / (1 + e⁻ˣ).

    >>> import minitorch_seg as ms
    >>> ms.nn.Sigmoid()(ms.tensor([0.0, 1000.0]))
    tensor([0.5, 1. ])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent.

    >>> import minitorch_seg as ms
    >>> ms.nn.Tanh()(ms.tensor([0.0, 1000.0]))
    tensor([0., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)


class Softmax(Applied):
    """eˣ / Σ eˣ over `dim`; arguments as functional.softmax.

    >>> import minitorch_seg as ms
    >>> ms.nn.Softmax(1)(ms.tensor([[0.0, 0.0]]))
    tensor([[0.5, 0.5]])
    """

    operator = staticmethod(F.softmax)

    def __init__(self, dim: int | None = None):
        super().__init__(dim=dim)


class LogSoftmax(Applied):
    """log softmax over `dim`; arguments as functional.softmax.

    >>> import minitorch_seg as ms
    >>> ms.nn.LogSoftmax(1)(ms.tensor([[0.0, 0.0]]))
    tensor([[-0.6931, -0.6931]])
    """

    operator = staticmethod(F.log_softmax)

    def __init__(self, dim: int | None = None):
        super().__init__(dim=dim)


class Softmax2d(Module):
    """eˣ / Σ eˣ over the channels of (N, C, H, W) or (C, H, W).

    >>> import minitorch_seg as ms
    >>> ms.nn.Softmax2d()(ms.zeros(1, 2, 1, 1)).reshape(-1)
    tensor([0.5, 0.5])
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise ShapeError(f"Softmax2d: input has shape {input.shape}, expected (N, C, H, W) or (C, H, W)")
        return F.softmax(input, -3)


class Dropout(Applied):
    """In training each number is zero with probability p, else divided by 1 − p; in evaluation y = x.

    >>> import minitorch_seg as ms
    >>> ms.nn.Dropout(0.3).eval()(ms.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """

    operator = staticmethod(F.dropout)

    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__(p=p, inplace=inplace)
        if not 0 <= p <= 1:
            raise ValueError(f"{type(self).__name__}: p is a probability between 0 and 1, found {p}")

    def forward(self, input: Tensor) -> Tensor:
        return self.operator(input, self.p, self.training)


class Dropout2d(Dropout):
    """In training each channel is zero with probability p, else divided by 1 − p; in evaluation y = x.

    >>> import minitorch_seg as ms
    >>> ms.nn.Dropout2d(0.3).eval()(ms.tensor([[[[1.0]], [[2.0]]]])).reshape(-1)
    tensor([1., 2.])
    """

    operator = staticmethod(F.dropout2d)
