"""Arithmetic: add, sub, mul, div, floor_divide, remainder, neg, pow, abs, with NumPy's broadcasting and
PyTorch's type promotion.

    y = a + b       dL/da =  g             dL/db = g                  (g = dL/dy)
    y = a − b       dL/da =  g             dL/db = −g
    y = a · b       dL/da =  g b           dL/db = g a
    y = a / b       dL/da =  g / b         dL/db = −g y / b
    y = ⌊a / b⌋     piecewise constant: nothing is recorded
    y = a mod b     dL/da =  g             dL/db = −g ⌊a / b⌋          (y = a − b ⌊a / b⌋)
    y = −a          dL/da = −g
    y = aᵉ          dL/da =  g e aᵉ⁻¹      dL/de = g y log a
    y = |a|         dL/da =  g sign(a)     (0 at the kink a = 0)

Where an operand was broadcast, one of its numbers feeds many results; the engine adds their gradients up
(`broadcasts = True`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import explained_sizes
from minitorch_seg.kernels import dispatch
from minitorch_seg.ops.arguments import broadcastable
from minitorch_seg.ops.cast import as_tensor, promote, refuse_bool, to_float
from minitorch_seg.ops.selection import where


class Add(Function):
    broadcasts = True

    @staticmethod
    def forward(ctx, a, b):
        return dispatch.get("add").add(a.data, b.data)

    @staticmethod
    def backward(ctx, grad):
        return grad, grad


class Sub(Function):
    broadcasts = True

    @staticmethod
    def forward(ctx, a, b):
        return np.subtract(a.data, b.data)

    @staticmethod
    def backward(ctx, grad):
        return grad, -grad if ctx.needs_input_grad[1] else None


class Mul(Function):
    broadcasts = True

    @staticmethod
    def forward(ctx, a, b):
        need_a, need_b = ctx.needs_input_grad
        ctx.save_for_backward(a if need_b else None, b if need_a else None)
        return np.multiply(a.data, b.data)

    @staticmethod
    def backward(ctx, grad):
        a, b = ctx.saved_tensors
        need_a, need_b = ctx.needs_input_grad
        return grad * b if need_a else None, grad * a if need_b else None


class Div(Function):
    broadcasts = True

    @staticmethod
    def forward(ctx, a, b):
        y = np.true_divide(a.data, b.data)
        ctx.save_for_backward(b, y if ctx.needs_input_grad[1] else None)
        return y

    @staticmethod
    def backward(ctx, grad):
        b, y = ctx.saved_tensors
        quotient = grad / b
        return quotient, -quotient * y if ctx.needs_input_grad[1] else None


class Remainder(Function):
    broadcasts = True

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return np.remainder(a.data, b.data)

    @staticmethod
    def backward(ctx, grad):
        return grad, -grad * floor_divide(*ctx.saved_tensors) if ctx.needs_input_grad[1] else None


class Neg(Function):
    @staticmethod
    def forward(ctx, a):
        return np.negative(a.data)

    @staticmethod
    def backward(ctx, grad):
        return -grad


class Pow(Function):
    broadcasts = True

    @staticmethod
    def forward(ctx, a, exponent):
        y = np.power(a.data, exponent.data)
        ctx.save_for_backward(a, exponent, y if ctx.needs_input_grad[1] else None)
        return y

    @staticmethod
    def backward(ctx, grad):
        a, exponent, y = ctx.saved_tensors
        need_a, need_exponent = ctx.needs_input_grad
        grad_a = grad_exponent = None
        if need_a:  # a⁰ is constant, also at a = 0 where the formula would say 0 · 0⁻¹
            constant = exponent == 0
            grad_a = where(constant, 0.0, grad * exponent * a ** where(constant, 1.0, exponent - 1))
        if need_exponent:  # 0ᵉ is 0 for all e > 0: its derivative is 0, not 0 · log 0
            flat = (a == 0) & (exponent >= 0)
            grad_exponent = where(flat, 0.0, grad * y * where(flat, 1.0, a).log())
        return grad_a, grad_exponent


class Abs(Function):
    @staticmethod
    def forward(ctx, a):
        ctx.save_for_backward(a)
        return np.absolute(a.data)

    @staticmethod
    def backward(ctx, grad):
        (a,) = ctx.saved_tensors
        return grad * Tensor(np.sign(a.data))


def add(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """input + alpha · other, elementwise.

    Returns: the broadcast shape, in the promoted dtype (`ms.result_type`).

    Raises: ShapeError where the shapes cannot be broadcast.

    >>> import minitorch_seg as ms
    >>> ms.tensor([1.0, 2.0]) + 10
    tensor([11., 12.])
    """
    a, b = promote(input, other)
    broadcastable("add", a, b)
    return Add.apply(a, b if alpha == 1 else b * alpha)


def sub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """input − alpha · other, elementwise.

    Returns: the broadcast shape, in the promoted dtype (`ms.result_type`).

    Raises: ShapeError where the shapes cannot be broadcast; TypeError for bools.

    >>> import minitorch_seg as ms
    >>> 10 - ms.tensor([1.0, 2.0])
    tensor([9., 8.])
    """
    if any(isinstance(o, bool) or getattr(o, "dtype", None) == np.bool_ for o in (input, other)):
        raise TypeError("sub: bools cannot be subtracted: use ^ (exclusive or), or convert with .int()")
    a, b = promote(input, other)
    broadcastable("sub", a, b)
    return Sub.apply(a, b if alpha == 1 else b * alpha)


def mul(input: Any, other: Any) -> Tensor:
    """input · other, elementwise.

    Returns: the broadcast shape, in the promoted dtype (`ms.result_type`).

    Raises: ShapeError where the shapes cannot be broadcast.

    >>> import minitorch_seg as ms
    >>> ms.tensor([[1.0], [2.0]]) * ms.tensor([1.0, 10.0])
    tensor([[ 1., 10.],
            [ 2., 20.]])
    """
    a, b = promote(input, other)
    broadcastable("mul", a, b)
    return Mul.apply(a, b)


def div(input: Any, other: Any) -> Tensor:
    """input / other, elementwise; integers give float32.

    Returns: the broadcast shape, in the promoted dtype; float32 for integers and bools.

    Raises: ShapeError where the shapes cannot be broadcast.

    >>> import minitorch_seg as ms
    >>> ms.tensor([1, 2, 0]) / 0
    tensor([inf, inf, nan])
    """
    a, b = as_tensor(input), as_tensor(other)
    if a.dtype.kind != "f" and b.dtype.kind != "f":  # at once: −1 beside a uint8 must not become 255 first
        a, b = to_float(a), to_float(b)
    else:
        a, b = promote(input, other)
    broadcastable("div", a, b)
    return Div.apply(a, b)


@explained_sizes("floor_divide")
@np.errstate(all="ignore")
def floor_divide(input: Any, other: Any) -> Tensor:
    """⌊input / other⌋, elementwise: the largest whole number not above the quotient, behind the sign //.

    Returns: the broadcast shape, in the promoted dtype; it carries no gradient, which would be 0.

    Raises: ShapeError where the shapes cannot be broadcast; ValueError for an integer by 0; DTypeError for
        two bools.

    >>> import minitorch_seg as ms
    >>> ms.tensor([7, -7]) // 2
    tensor([ 3, -4])
    """
    a, b = _division("floor_divide", input, other)
    return Tensor(np.floor_divide(a.data, b.data))


def remainder(input: Any, other: Any) -> Tensor:
    """input − other · ⌊input / other⌋, elementwise: what is left over, with the sign of other; behind %.

    Returns: the broadcast shape, in the promoted dtype (`ms.result_type`).

    Raises: ShapeError where the shapes cannot be broadcast; ValueError for an integer by 0; DTypeError for
        two bools.

    >>> import minitorch_seg as ms
    >>> ms.tensor([7.0, -7.0]) % 3, divmod(17, ms.tensor(5))
    (tensor([1., 2.]), (tensor(3), tensor(2)))
    """
    return Remainder.apply(*_division("remainder", input, other))


def _division(operator: str, input: Any, other: Any) -> list[Tensor]:
    a, b = operands = promote(input, other)
    broadcastable(operator, refuse_bool(operator, a), b)
    if a.dtype.kind in "iu" and a.data.size and not b.data.all():
        raise ValueError(f"{operator}: no integer is the quotient of a division by 0: use .float()")
    return operands


def neg(input: Any) -> Tensor:
    """−input, elementwise.

    Returns: the input's shape and dtype.

    Raises: DTypeError for bools.

    >>> import minitorch_seg as ms
    >>> -ms.tensor([1, -2])
    tensor([-1,  2])
    """
    return Neg.apply(refuse_bool("neg", as_tensor(input)))


def pow(input: Any, exponent: Any) -> Tensor:
    """input to the power of exponent, elementwise.

    Returns: the broadcast shape, in the promoted dtype (`ms.result_type`).

    Raises: ShapeError where the shapes cannot be broadcast; DTypeError for two bools.

    >>> import minitorch_seg as ms
    >>> ms.tensor([1.0, 2.0, 3.0]) ** 2
    tensor([1., 4., 9.])
    """
    a, e = promote(input, exponent)
    broadcastable("pow", a, e)
    if a.dtype.kind in "iu" and (e.data < 0).any():
        raise ValueError("pow: integers have no negative powers among integers: use .float()")
    return Pow.apply(refuse_bool("pow", a), e)


def abs(input: Any) -> Tensor:
    """|input|, elementwise.

    Returns: the input's shape and dtype.

    Raises: DTypeError for bools.

    >>> import minitorch_seg as ms
    >>> abs(ms.tensor([-1.5, 2.0]))
    tensor([1.5, 2. ])
    """
    return Abs.apply(refuse_bool("abs", as_tensor(input)))
