"""gradcheck: is the analytic gradient the derivative?

Every operator of this project passes, and so can yours: one line in a test of your own is enough,

    ms.gradcheck(my_function, [x, w], order=2)

The analytic gradient is held against central differences (finite_differences.py).  Four things make that
worth something:

* The cotangent u is random.  With u = 1 (differentiating a sum) a gradient that is flipped, permuted or
  transposed often sums to the same numbers, and the mistake stays hidden.
* Small inputs are compared entry by entry of the Jacobian J, large ones by the identity  <u, J v> = <Jᵀ u, v>
  for random directions v: two evaluations, however large the input (the checker of HIPS autograd).
* Several step sizes are tried, so neither curvature nor rounding is taken for a mistake.
* A point where left and right derivative differ (relu at 0, a tie in a maximum) is recognised as a *kink*:
  no derivative exists there, so the inputs are moved a little and checked again, and the report says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minitorch_seg.autograd.backward import gradients_or_zeros
from minitorch_seg.autograd.dtypes import is_float
from minitorch_seg.autograd.finite_differences import (
    GradcheckReport,
    Kink,
    PointCheck,
    float_outputs,
    name_of,
)
from minitorch_seg.autograd.grad_mode import enable_grad
from minitorch_seg.autograd.tensor import Tensor, as_tensors
from minitorch_seg.errors import GradcheckError


def gradcheck(
    fn: Callable[..., Any],
    inputs: Sequence[Any] | Tensor | np.ndarray,
    *,
    order: int = 1,
    rtol: float = 1e-6,
    atol: float = 1e-6,
    max_jacobian: int = 1500,
    directions: int = 6,
    seed: int = 0,
    name: str | None = None,
) -> GradcheckReport:
    """Compare the gradients of `fn` with central differences; raise GradcheckError where they differ.

    Args:
        fn: takes tensors, returns a float tensor or a tuple of them; must give the same result each time.
        inputs: tensors or arrays.  Every float input is checked (as a float64 copy; yours is not touched),
            except a tensor that says requires_grad=False while another says True.  If one lies on a GPU
            `fn` is computed there, all inputs with it, and held against differences taken on the CPU.
        order: 2 also checks the derivative of the gradient itself.
        rtol, atol: |analytic − numeric| ≤ atol + rtol · |numeric| is agreement.
        max_jacobian: up to this many entries the whole Jacobian is compared, above it random directions.
        directions: how many random directions.
        seed: of the cotangents and directions.
        name: of the operator in messages; default: the function's.

    Returns: a report, which says how many derivatives were compared, the largest error, and the kinks.

    Raises: GradcheckError (an AssertionError) where a derivative differs, and for a function that is not
        finite, not the same each time, or changes its arguments; ValueError without a float input.

    >>> import numpy as np
    >>> import minitorch_seg as ms
    >>> x = np.random.default_rng(0).normal(size=(2, 3))
    >>> print(ms.gradcheck(lambda t: (t * t).sum(dim=0), x, name="square"))
    square: 18 derivatives and 6 random directions agree, largest error ...

    A mistake is caught and located.  Here a factor 2 was lost:

    >>> class Square(ms.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x.data ** 2
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return x * grad
    >>> try:
    ...     ms.gradcheck(Square.apply, np.array([3.0]))
    ... except ms.GradcheckError as error:
    ...     print(error)
    Square: d output[0] / d argument 0[0] is 6 by central differences, but backward says 3
      the argument's value there: 3
      step 1e-06: numeric ..., difference -3
      step 1e-05: numeric ..., difference -3
      step 1e-04: numeric ..., difference -3
      step 1e-03: numeric ..., difference -3
      half as large as it should be

    And here the gradient of a reversed vector was not reversed.  A sum would not notice, because its
    gradient is 1 everywhere; the random cotangent does:

    >>> class Reverse(ms.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x.data[::-1]
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         return grad
    >>> t = ms.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> Reverse.apply(t).sum().backward(); t.grad                           # looks right
    tensor([1., 1., 1.])
    >>> try:
    ...     ms.gradcheck(Reverse.apply, np.array([1.0, 2.0, 3.0]))
    ... except ms.GradcheckError as error:
    ...     print(str(error).splitlines()[0])
    Reverse: d output[0] / d argument 0[0] is 0 by central differences, but backward says 1

    Where there is no derivative, nothing is wrong: the point is left, and the report says so.

    >>> ms.gradcheck(lambda t: t.relu(), np.array([0.0, 1.0])).kinks
    ['argument 0[0]: left and right derivative differ']
    """
    rng = np.random.default_rng(seed)
    given = [inputs] if isinstance(inputs, Tensor | np.ndarray) else list(inputs)
    tensors = _float64_copies(given)
    checked = [i for i, t in enumerate(tensors) if t.requires_grad]
    if not checked:
        raise ValueError("gradcheck needs at least one float input")
    report = GradcheckReport(name or name_of(fn))
    device = next((t.device for t in given if isinstance(t, Tensor) and t.device != "cpu"), "cpu")
    if device != "cpu":
        fn = _computed_on(device, fn)
    for _ in range(5):
        try:
            PointCheck(fn, tensors, checked, report, rng, rtol, atol).run(max_jacobian, directions)
            break
        except Kink as kink:
            report.kinks.append(str(kink))
            report.compared = report.directional = 0  # all is compared anew
            for i in checked:  # step aside: far beyond the largest step, small against the numbers
                data = tensors[i].data
                tensors[i] = Tensor(data + 0.01 * (1.0 + np.abs(data)) * rng.uniform(-1, 1, data.shape), True)
    else:
        raise GradcheckError(f"{report.name}: every point tried is a kink, last: {report.kinks[-1]}")
    if order > 1:
        _check_gradient_of_gradient(
            fn, tensors, checked, report, order, rtol, atol, max_jacobian, directions, seed
        )
    return report


def _float64_copies(given: list[Any]) -> list[Tensor]:
    some_marked = any(isinstance(t, Tensor) and t.requires_grad for t in given)
    tensors = []
    for value in given:
        data = value.detach().cpu().data if isinstance(value, Tensor) else np.asarray(value)
        wanted = is_float(data.dtype) and (
            not some_marked or not isinstance(value, Tensor) or value.requires_grad
        )
        dtype = np.float64 if is_float(data.dtype) else data.dtype
        tensors.append(Tensor(np.array(data, dtype=dtype, order="K"), wanted))
    return tensors


def _computed_on(device: str, fn: Callable) -> Callable:
    """`fn` for tensors on the CPU, where the differences are taken; it is computed on `device`."""

    def moved(*tensors: Tensor) -> tuple[Tensor, ...]:
        results = fn(*(t.to(device) for t in tensors))
        return tuple(r.cpu() for r in as_tensors(name_of(fn), results))

    moved.__name__ = name_of(fn)
    return moved


def _check_gradient_of_gradient(
    fn: Callable,
    tensors: list[Tensor],
    checked: list[int],
    report: GradcheckReport,
    order: int,
    rtol: float,
    atol: float,
    max_jacobian: int,
    directions: int,
    seed: int,
) -> None:
    """gradcheck of (x, u) -> Jᵀ(x) u."""
    rng = np.random.default_rng(seed + 1)
    cotangents = [Tensor(rng.standard_normal(o.shape), True) for o in float_outputs(fn, tensors)]

    def pullback(*arguments: Tensor) -> tuple[Tensor, ...]:
        xs, us = list(arguments[: len(tensors)]), arguments[len(tensors) :]
        # While differences are taken an argument comes without requires_grad; it is differentiated anyway.
        inner = [
            Tensor(x.data, True) if i in checked and not x.requires_grad else x for i, x in enumerate(xs)
        ]
        with enable_grad():
            outputs = float_outputs(fn, inner)
            wanted = [inner[i] for i in checked]
            return tuple(gradients_or_zeros(outputs, wanted, us, create_graph=True))

    second = gradcheck(
        pullback,
        [*tensors, *cotangents],
        order=order - 1,
        rtol=rtol,
        atol=atol,
        max_jacobian=max_jacobian,
        directions=directions,
        seed=seed + 2,
        name=f"gradient of {report.name}",
    )
    report.compared, report.directional = (
        report.compared + second.compared,
        report.directional + second.directional,
    )
    report.max_error = max(report.max_error, second.max_error)
    report.kinks += second.kinks
