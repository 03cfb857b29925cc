"""gradcheck: is the analytic gradient the derivative?  Every operator of this project passes it, and so can yours.

The numeric derivative is the central difference  (f(x + h e) − f(x − h e)) / 2h  in float64, whose error h²f'''/6 + ε|f|/h
is smallest near h = 10⁻⁵.  Four things make the comparison worth something:

* the cotangent u is random.  With u = 1 (differentiating a sum) a gradient that is flipped, permuted or transposed
  often sums to the same numbers, and the mistake stays hidden;
* small inputs are compared entry by entry of the Jacobian, large ones by the identity  <u, J v> = <Jᵀ u, v>  for random
  directions v (HIPS autograd's checker; two evaluations however large the input);
* several step sizes are tried, so neither curvature nor rounding is taken for a mistake;
* a point where left and right derivative differ (relu at 0, a tie in a maximum) is recognised as a *kink*: no derivative
  exists there, so the inputs are moved a little and checked again, and the report says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minitorch_seg.autograd.backward import grad
from minitorch_seg.autograd.dtypes import is_float
from minitorch_seg.autograd.grad_mode import no_grad
from minitorch_seg.autograd.tensor import Tensor
from minitorch_seg.errors import GradcheckError

STEPS = (1e-5, 1e-4, 1e-6, 1e-3)


@dataclass
class GradcheckReport:
    """What was compared: how many numbers, the largest relative error, the kinks that were stepped aside from."""

    name: str
    compared: int = 0
    max_error: float = 0.0
    kinks: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return True  # a check that fails raises

    def __str__(self) -> str:
        kinks = f", {len(self.kinks)} kink(s) avoided" if self.kinks else ""
        return f"{self.name}: {self.compared} derivatives agree, largest error {self.max_error:.1e}{kinks}"


class _Kink(Exception):
    pass


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
        inputs: tensors or arrays.  Every float input is checked (as a float64 copy; yours is not touched), except a
            tensor that says requires_grad=False while another says True.
        order: 2 also checks the derivative of the gradient itself.
        rtol, atol: |analytic − numeric| ≤ atol + rtol · |numeric| is agreement.
        max_jacobian: up to this many entries the whole Jacobian is compared, above it random directions.
        directions: how many random directions.
        seed: of the cotangents and directions.
        name: of the operator in messages; default: the function's.

    >>> import numpy as np
    >>> import minitorch_seg as ms
    >>> x = np.random.default_rng(0).normal(size=(2, 3))
    >>> print(str(ms.gradcheck(lambda t: (t * t).sum(dim=0), x, name="square"))[:32])
    square: 24 derivatives agree, la

    A mistake is caught and located, here a factor 2 that was lost:

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
    ...     print(str(error).splitlines()[0])
    Square: d output[0] / d argument 0[0] is 6 by central differences, but backward says 3
    """
    rng = np.random.default_rng(seed)
    given = [inputs] if isinstance(inputs, Tensor | np.ndarray) else list(inputs)
    tensors = _float64_copies(given)
    checked = [i for i, t in enumerate(tensors) if t.requires_grad]
    if not checked:
        raise ValueError("gradcheck needs at least one float input")
    report = GradcheckReport(name or _name_of(fn))
    for _ in range(5):
        try:
            _check_once(fn, tensors, checked, report, rng, rtol, atol, max_jacobian, directions)
            break
        except _Kink as kink:
            report.kinks.append(str(kink))
            for i in checked:  # step aside: far beyond the largest step, small against the numbers
                data = tensors[i].data
                tensors[i] = Tensor(data + 0.01 * (1.0 + np.abs(data)) * rng.uniform(-1, 1, data.shape), True)
    else:
        raise GradcheckError(f"{report.name}: every point tried is a kink, last: {report.kinks[-1]}")
    if order > 1:
        _check_gradient_of_gradient(fn, tensors, checked, report, order, rtol, atol, max_jacobian, directions, seed)
    return report


def _name_of(fn: Callable) -> str:
    owner = getattr(fn, "__self__", None)
    name = getattr(owner, "__name__", None) or getattr(fn, "__name__", type(fn).__name__)
    return "function" if name == "<lambda>" else name


def _float64_copies(given: list[Any]) -> list[Tensor]:
    some_marked = any(isinstance(t, Tensor) and t.requires_grad for t in given)
    tensors = []
    for value in given:
        data = value.data if isinstance(value, Tensor) else np.asarray(value)
        wanted = is_float(data.dtype) and (not some_marked or not isinstance(value, Tensor) or value.requires_grad)
        dtype = np.float64 if is_float(data.dtype) else data.dtype
        tensors.append(Tensor(np.array(data, dtype=dtype, order="K"), wanted))
    return tensors


def _outputs(fn: Callable, tensors: list[Tensor]) -> list[Tensor]:
    result = fn(*tensors)
    outputs = [r for r in (result if isinstance(result, tuple | list) else (result,)) if is_float(r.dtype)]
    for output in outputs:
        if output.dtype != np.float64:
            raise GradcheckError(f"{_name_of(fn)} turns float64 into {output.dtype}: keep the input's dtype")
    return outputs


def _values(fn: Callable, tensors: list[Tensor], argument: int, data: np.ndarray) -> np.ndarray:
    """All outputs at a changed argument, as one flat array."""
    moved = list(tensors)
    moved[argument] = Tensor(data)
    with no_grad():
        return np.concatenate([o.data.reshape(-1) for o in _outputs(fn, moved)])


def _pullback(outputs: list[Tensor], wanted: list[Tensor], u: np.ndarray) -> list[np.ndarray]:
    """Jᵀu for every wanted input, u being the flat cotangent of all outputs."""
    parts = np.split(u, np.cumsum([o.data.size for o in outputs])[:-1])
    pairs = [(o, p.reshape(o.shape)) for o, p in zip(outputs, parts, strict=True) if o.requires_grad]
    if not pairs:
        return [np.zeros(t.shape) for t in wanted]
    found = grad([o for o, _ in pairs], wanted, [p for _, p in pairs], retain_graph=True, allow_unused=True)
    return [np.zeros(t.shape) if g is None else g.data for g, t in zip(found, wanted, strict=True)]


def _check_once(
    fn: Callable, tensors: list[Tensor], checked: list[int], report: GradcheckReport, rng: np.random.Generator,
    rtol: float, atol: float, max_jacobian: int, directions: int,
) -> None:  # fmt: skip
    before = [t.data.copy() for t in tensors]
    outputs = _outputs(fn, tensors)
    wanted = [tensors[i] for i in checked]
    value = np.concatenate([o.data.reshape(-1) for o in outputs])
    again = _values(fn, tensors, checked[0], tensors[checked[0]].data)
    if not np.array_equal(value, again, equal_nan=True):
        raise GradcheckError(f"{report.name} gives another result each time it is called: fix its seed")
    if not np.isfinite(value).all():
        raise GradcheckError(f"{report.name} is not finite at this point: choose other inputs")
    if value.size:
        u = rng.standard_normal(value.size)
        for k, analytic in enumerate(_pullback(outputs, wanted, u)):
            _check_directions(fn, tensors, checked[k], u, analytic, report, rng, rtol, atol, directions)
        if value.size * sum(t.data.size for t in wanted) <= max_jacobian:
            _check_jacobian(fn, tensors, checked, outputs, report, rtol, atol)
    for i, data in enumerate(before):
        if not np.array_equal(data, tensors[i].data, equal_nan=True):
            raise GradcheckError(f"{report.name} changes its argument {i} in place: compute into a new array")


def _check_directions(
    fn: Callable, tensors: list[Tensor], argument: int, u: np.ndarray, analytic: np.ndarray, report: GradcheckReport,
    rng: np.random.Generator, rtol: float, atol: float, directions: int,
) -> None:  # fmt: skip
    x = tensors[argument].data
    for _ in range(directions if x.size else 0):
        v = rng.standard_normal(x.shape)
        v /= np.linalg.norm(v)
        claimed = float(np.sum(analytic * v))
        found = _compare(lambda s, v=v: u @ _values(fn, tensors, argument, x + s * v), claimed, rtol, atol)
        if found.ok:
            report.compared += 1
            report.max_error = max(report.max_error, found.error)
            continue
        for index in _suspects(x.shape, rng):  # locate the mistake: single entries of Jᵀu
            step = np.zeros(x.shape)
            step[index] = 1.0
            entry = _compare(lambda s, e=step: u @ _values(fn, tensors, argument, x + s * e), analytic[index], rtol, atol)
            if entry.kink:
                raise _Kink(f"argument {argument}{list(index)}: left and right derivative differ")
            if not entry.ok:
                where = f"d <u, output> / d argument {argument}{list(index)} for a random cotangent u"
                raise GradcheckError(_message(report.name, where, entry, x[index]))
        if found.kink:
            raise _Kink(f"argument {argument}, along a random direction: left and right derivative differ")
        raise GradcheckError(_message(report.name, f"<u, J v> for argument {argument}, random u and v", found, None))


def _suspects(shape: tuple[int, ...], rng: np.random.Generator) -> list[tuple[int, ...]]:
    size = int(np.prod(shape))
    order = rng.permutation(size)[:200]
    return [tuple(int(i) for i in np.unravel_index(k, shape)) for k in sorted(order)]


def _check_jacobian(
    fn: Callable, tensors: list[Tensor], checked: list[int], outputs: list[Tensor], report: GradcheckReport,
    rtol: float, atol: float,
) -> None:  # fmt: skip
    wanted = [tensors[i] for i in checked]
    size = sum(o.data.size for o in outputs)
    rows = [_pullback(outputs, wanted, unit) for unit in np.eye(size)]
    for k, argument in enumerate(checked):
        x = tensors[argument].data
        for index in np.ndindex(x.shape):
            step = np.zeros(x.shape)
            step[index] = 1.0
            cache: dict[float, np.ndarray] = {}

            def column(s: float, x: np.ndarray = x, e: np.ndarray = step, cache: dict = cache, argument: int = argument) -> np.ndarray:
                if s not in cache:
                    cache[s] = _values(fn, tensors, argument, x + s * e)
                return cache[s]

            for out in range(size):
                found = _compare(lambda s, out=out, column=column: column(s)[out], float(rows[out][k][index]), rtol, atol)
                if found.kink:
                    raise _Kink(f"argument {argument}{list(index)}: left and right derivative differ")
                if not found.ok:
                    where = f"d output{_output_index(outputs, out)} / d argument {argument}{list(index)}"
                    raise GradcheckError(_message(report.name, where, found, x[index]))
                report.compared += 1
                report.max_error = max(report.max_error, found.error)


def _output_index(outputs: list[Tensor], flat: int) -> str:
    for number, output in enumerate(outputs):
        if flat < output.data.size:
            index = [int(i) for i in np.unravel_index(flat, output.shape)] if output.ndim else []
            return (f" {number}" if len(outputs) > 1 else "") + str(index)
        flat -= output.data.size
    raise IndexError(flat)


@dataclass
class _Comparison:
    ok: bool
    analytic: float
    numeric: float
    error: float
    kink: bool = False
    by_step: dict[float, float] = field(default_factory=dict)


def _compare(along: Callable[[float], float], analytic: float, rtol: float, atol: float) -> _Comparison:
    """The claimed derivative at 0 of `along`, against central differences over several step sizes."""
    by_step: dict[float, float] = {}
    for h in STEPS:
        numeric = float(along(h) - along(-h)) / (2 * h)
        by_step[h] = numeric
        error = abs(analytic - numeric) / (1.0 + abs(numeric))
        if abs(analytic - numeric) <= atol + rtol * abs(numeric):
            return _Comparison(True, analytic, numeric, error)
    numeric = by_step[STEPS[0]]
    return _Comparison(False, analytic, numeric, abs(analytic - numeric), _is_kink(along, analytic), by_step)


def _is_kink(along: Callable[[float], float], analytic: float) -> bool:
    """Do the slopes to the left and right differ by an amount that does not shrink with the step?

    For a smooth function their difference is h·f'', ten times smaller at a tenth of the step.
    """
    gaps = []
    middle = along(0.0)
    for h in (1e-4, 1e-5, 1e-6):
        right, left = (along(h) - middle) / h, (middle - along(-h)) / h
        gaps.append(abs(right - left))
    scale = 1e-4 * (1.0 + abs(analytic))
    return bool(min(gaps) > scale and gaps[2] > 0.3 * gaps[0])


def _message(name: str, where: str, found: _Comparison, at: Any) -> str:
    def exact(value: float) -> str:
        return f"{value:.7g}"

    rounded = float(f"{found.numeric:.6g}")  # differences carry about six sound digits
    lines = [f"{name}: {where} is {exact(rounded)} by central differences, but backward says {exact(found.analytic)}"]
    if at is not None:
        lines.append(f"  the argument's value there: {exact(float(at))}")
    lines += [f"  step {h:.0e}: numeric {n:.9g}, difference {found.analytic - n:.3g}" for h, n in sorted(found.by_step.items())]
    if found.analytic and found.numeric:
        ratio = found.analytic / found.numeric
        for factor, text in ((-1, "the sign is turned"), (2, "twice too large"), (0.5, "half as large as it should be")):
            if abs(ratio - factor) < 1e-5:
                lines.append(f"  {text}")
    elif not found.analytic:
        lines.append("  the analytic gradient is zero: was a term forgotten, or the graph cut?")
    return "\n".join(lines)


def _check_gradient_of_gradient(
    fn: Callable, tensors: list[Tensor], checked: list[int], report: GradcheckReport, order: int,
    rtol: float, atol: float, max_jacobian: int, directions: int, seed: int,
) -> None:  # fmt: skip
    """gradcheck of (x, u) -> Jᵀ(x) u."""
    rng = np.random.default_rng(seed + 1)
    cotangents = [Tensor(rng.standard_normal(o.shape), True) for o in _outputs(fn, tensors)]

    def pullback(*arguments: Tensor) -> tuple[Tensor, ...]:
        xs, us = list(arguments[: len(tensors)]), arguments[len(tensors) :]
        # x·1 so that an input without requires_grad (while differences are taken) can be differentiated all the same
        inner = [Tensor(x.data, True) if i in checked and not x.requires_grad else x for i, x in enumerate(xs)]
        from minitorch_seg.autograd.grad_mode import enable_grad

        with enable_grad():
            outputs = _outputs(fn, inner)
            wanted = [inner[i] for i in checked]
            pairs = [(o, u) for o, u in zip(outputs, us, strict=True) if o.requires_grad]
            found = grad(
                [o for o, _ in pairs], wanted, [u for _, u in pairs], create_graph=True, allow_unused=True
            )
        return tuple(Tensor(np.zeros(t.shape)) if g is None else g for g, t in zip(found, wanted, strict=True))

    second = gradcheck(
        pullback, [*tensors, *cotangents], order=order - 1, rtol=rtol, atol=atol, max_jacobian=max_jacobian,
        directions=directions, seed=seed + 2, name=f"gradient of {report.name}",
    )  # fmt: skip
    report.compared += second.compared
    report.max_error = max(report.max_error, second.max_error)
    report.kinks += second.kinks
