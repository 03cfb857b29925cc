"""learn.using: a student's operators in place of the framework's, for as long as a `with` block lasts.

    with learn.using(conv2d=(conv2d, conv2d_backward), Adam=adam_step):
        model, losses = learn.train_on_coins(steps=20)

An operator is a pair of plain functions on arrays, forward and backward, just as the lessons write them; that
reads best for someone who knows NumPy, and these are the functions that the checks have judged.  Where you
would rather write for the engine, a subclass of `ms.Function`, or a function of tensors, may stand in its
place; it is called with the arguments of the same name in `ms.functional`.

    operator        forward                 backward, g = dL/d(result)
    conv2d          (x, w, b, s, p) -> y    (g, x, w, s, p) -> dx, dw, db
    max_pool2d      (x, k, s) -> y          (g, x, k, s) -> dx
    cross_entropy   (z, t) -> L             (z, t) -> dz
    relu            (x) -> y                (g, x) -> dx
    Adam            (theta, g, m, v, t, lr, beta1, beta2, eps) -> theta, m, v

x is (N, C, H, W), w (O, C, kh, kw), b (O,); s, p and k are ints; z is (N, K, H, W) scores and t (N, H, W)
classes; L is the mean over all pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minitorch_seg import functional, optim
from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import UserError, nearest_name

__all__ = ["using"]

#: operator -> how many of its arguments, the first, are differentiable: its backward has as many results
OPERATORS = {"conv2d": 3, "max_pool2d": 1, "cross_entropy": 1, "relu": 1}
VALID = (*OPERATORS, "Adam")


@contextmanager
def using(**own: Any) -> Iterator[None]:
    """Let the named operators be a student's own; afterwards ours are back, also after an error.

    >>> import minitorch_seg as ms
    >>> halves = (lambda x: x / 2, lambda g, x: g / 2)
    >>> with using(relu=halves):
    ...     print(ms.functional.relu(ms.tensor([-4.0, 4.0])))
    tensor([-2., 2.])
    >>> ms.functional.relu(ms.tensor([-4.0, 4.0]))
    tensor([0., 4.])
    """
    for name in own:
        if name not in VALID:
            raise UserError(
                f"learn.using: there is no operator {name!r} to replace{nearest_name(name, VALID)}"
            )
    places = {name: optim if name == "Adam" else functional for name in own}
    ours = {name: getattr(place, name) for name, place in places.items()}
    try:
        for name, given in own.items():
            setattr(places[name], name, _optimizer(given) if name == "Adam" else _operator(name, given))
        yield
    finally:
        for name, place in places.items():
            setattr(place, name, ours[name])


def _operator(name: str, given: Any) -> Callable[..., Any]:
    if isinstance(given, tuple):
        if len(given) != 2 or not all(map(callable, given)):
            raise UserError(f"learn.using: {name} needs a pair of functions, (forward, backward)")
        return _CALLS[name](_function(name, *given))
    if isinstance(given, type) and issubclass(given, Function):
        return given.apply
    if callable(given):
        return given
    raise UserError(f"learn.using: {name} is {type(given).__name__}, expected a pair (forward, backward)")


def _function(name: str, forward: Callable[..., Any], backward: Callable[..., Any]) -> type[Function]:
    """A Function of two plain functions; the first arguments are differentiable, the others not."""
    count = OPERATORS[name]

    class Own(Function):
        @staticmethod
        def forward(ctx: Any, *args: Any) -> np.ndarray:
            arrays = [a.data if isinstance(a, Tensor) else a for a in args]
            ctx.arrays_of = arrays
            return _as(forward(*arrays), arrays[0].dtype, f"{name}: forward")

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
            arrays = ctx.arrays_of
            if name == "cross_entropy":  # its g is one number, and nearly always 1
                found: Any = _as(backward(*arrays), arrays[0].dtype, f"{name}: backward") * grad.data
            elif name == "conv2d":
                x, w, _, s, p = arrays
                found = backward(grad.data, x, w, s, p)
            else:
                found = backward(grad.data, *arrays)
            found = tuple(found) if isinstance(found, tuple | list) else (found,)
            if len(found) != count:
                raise UserError(f"{name}: your backward returned {len(found)} gradients, expected {count}")
            gradients = [_as(f, arrays[0].dtype, f"{name}: backward") for f in found]
            return (*gradients, *(None for _ in arrays[count:]))

    Own.__name__ = f"your {name}"
    return Own


def _as(found: Any, dtype: np.dtype, what: str) -> np.ndarray:
    """A result in the training's dtype, freshly laid out: it may be a view of the student's own buffers."""
    if found is None:
        raise UserError(f"{what} returned None: is the `return` missing?")
    return np.array(found, dtype)


def _whole(name: str, what: str, value: Any) -> int:
    numbers = {value} if isinstance(value, int) else set(value)
    if len(numbers) != 1:
        raise UserError(f"your {name} takes one number for the {what}, the model asks for {value}")
    return int(numbers.pop())


def _call_conv2d(own: type[Function]) -> Callable[..., Any]:
    def conv2d(
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        if _whole("conv2d", "dilation", dilation) != 1 or groups != 1:
            raise UserError("your conv2d has no dilation and no groups, and the model asks for them")
        if bias is None:
            bias = Tensor(np.zeros(weight.shape[0], weight.dtype))
        s, p = _whole("conv2d", "stride", stride), _whole("conv2d", "padding", padding)
        return own.apply(input, weight, bias, s, p)

    return conv2d


def _call_max_pool2d(own: type[Function]) -> Callable[..., Any]:
    def max_pool2d(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, **others: Any) -> Any:
        if _whole("max_pool2d", "padding", padding) or any(others.values()):
            raise UserError("your max_pool2d has a window and a stride only, and the model asks for more")
        k = _whole("max_pool2d", "window", kernel_size)
        return own.apply(input, k, k if stride is None else _whole("max_pool2d", "stride", stride))

    return max_pool2d


def _call_cross_entropy(own: type[Function]) -> Callable[..., Any]:
    def cross_entropy(input: Any, target: Any, **others: Any) -> Any:
        if others:
            raise UserError(f"your cross_entropy knows scores and classes only, not {', '.join(others)}")
        return own.apply(input, target)

    return cross_entropy


def _call_relu(own: type[Function]) -> Callable[..., Any]:
    return lambda input: own.apply(input)


_CALLS: dict[str, Callable[[type[Function]], Callable[..., Any]]] = {
    "conv2d": _call_conv2d,
    "max_pool2d": _call_max_pool2d,
    "cross_entropy": _call_cross_entropy,
    "relu": _call_relu,
}


def _optimizer(step: Any) -> Any:
    """A student's step (theta, g, m, v, t, lr, beta1, beta2, eps) -> theta, m, v as an optimiser."""
    if isinstance(step, type):
        return step

    class Own(optim.Optimizer):
        def __init__(self, params: Any, lr: float = 1e-3, betas: Any = (0.9, 0.999), eps: float = 1e-8):
            super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

        def update(
            self, parameter: np.ndarray, gradient: np.ndarray, state: dict[str, Any], group: dict[str, Any]
        ) -> None:
            if not state:
                state.update(t=0, m=np.zeros_like(parameter), v=np.zeros_like(parameter))
            state["t"] += 1
            arguments = state["m"], state["v"], state["t"], group["lr"], *group["betas"], group["eps"]
            found = step(parameter.copy(), gradient, *arguments)
            if not isinstance(found, tuple | list) or len(found) != 3:
                raise UserError("Adam: your step returns theta, m and v, all three of them")
            parameter[...] = found[0]
            state["m"], state["v"] = found[1], found[2]

    return Own
