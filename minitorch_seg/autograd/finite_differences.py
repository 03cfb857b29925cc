"""Finite differences: one point of a function, its analytic gradient held against central differences.

The numeric derivative of f along v is

    (f(x + h v) − f(x − h v)) / 2h

in float64.  Its error  h² |f‴|/6 + ε |f|/h  (curvature; rounding, with ε ≈ 10⁻¹⁶) is smallest near h = 10⁻⁵.
Several step sizes are tried, so that neither curvature nor rounding is taken for a mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minitorch_seg.autograd.backward import gradients_or_zeros
from minitorch_seg.autograd.dtypes import is_float
from minitorch_seg.autograd.grad_mode import no_grad
from minitorch_seg.autograd.tensor import Tensor, as_tensors
from minitorch_seg.errors import GradcheckError

STEPS = (1e-5, 1e-4, 1e-6, 1e-3)


@dataclass
class GradcheckReport:
    """What was compared: how many numbers, the largest error |a − n| / (1 + |n|), the kinks avoided.

    `directional` of them are slopes along random directions, the others entries of the Jacobian.
    """

    name: str
    compared: int = 0
    directional: int = 0
    max_error: float = 0.0
    kinks: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return True  # a check that fails raises

    def __str__(self) -> str:
        kinks = f", {len(self.kinks)} kink{'s' * (len(self.kinks) > 1)} avoided" if self.kinks else ""
        return (
            f"{self.name}: {self.compared - self.directional} derivatives and {self.directional} random "
            f"directions agree, largest error {self.max_error:.1e}{kinks}"
        )


class Kink(Exception):
    """The function has no derivative at this point."""


def float_outputs(fn: Callable, tensors: list[Tensor]) -> list[Tensor]:
    outputs = [r for r in as_tensors(name_of(fn), fn(*tensors)) if is_float(r.dtype)]
    for output in outputs:
        if output.dtype != np.float64:
            raise GradcheckError(f"{name_of(fn)} turns float64 into {output.dtype}: keep the input's dtype")
    return outputs


class _Line:
    """All outputs, as one flat array, while one argument moves along a straight line: s ↦ f(x + s v)."""

    def __init__(self, fn: Callable, tensors: list[Tensor], argument: int, direction: np.ndarray):
        self.fn, self.tensors, self.argument, self.direction = fn, tensors, argument, direction
        self._known: dict[float, np.ndarray] = {}

    def __call__(self, s: float) -> np.ndarray:
        if s not in self._known:
            moved = list(self.tensors)
            moved[self.argument] = Tensor(self.tensors[self.argument].data + s * self.direction)
            with no_grad():
                self._known[s] = _flat(float_outputs(self.fn, moved))
        return self._known[s]


def _flat(outputs: list[Tensor]) -> np.ndarray:
    return np.concatenate([output.data.reshape(-1) for output in outputs])


def _unit(shape: tuple[int, ...], index: tuple[int, ...]) -> np.ndarray:
    unit = np.zeros(shape)
    unit[index] = 1.0
    return unit


def _pullback(outputs: list[Tensor], wanted: list[Tensor], u: np.ndarray) -> list[np.ndarray]:
    """Jᵀu for every wanted input, u being the flat cotangent of all outputs."""
    parts = np.split(u, np.cumsum([o.data.size for o in outputs])[:-1])
    cotangents = [part.reshape(o.shape) for o, part in zip(outputs, parts, strict=True)]
    return [gradient.data for gradient in gradients_or_zeros(outputs, wanted, cotangents)]


@dataclass
class PointCheck:
    """One comparison at one point; `tensors` are float64, `checked` numbers those to differentiate."""

    fn: Callable
    tensors: list[Tensor]
    checked: list[int]
    report: GradcheckReport
    rng: np.random.Generator
    rtol: float
    atol: float

    def run(self, max_jacobian: int, directions: int) -> None:
        before = [np.array(t.data) for t in self.tensors]
        outputs = float_outputs(self.fn, self.tensors)
        wanted = [self.tensors[i] for i in self.checked]
        value = _flat(outputs)
        again = _Line(self.fn, self.tensors, self.checked[0], np.zeros(wanted[0].shape))(0.0)
        if not np.array_equal(value, again, equal_nan=True):
            raise GradcheckError(
                f"{self.report.name} gives another result each time it is called: fix its seed"
            )
        if not np.isfinite(value).all():
            raise GradcheckError(f"{self.report.name} is not finite at this point: choose other inputs")
        if value.size:
            if value.size * sum(t.data.size for t in wanted) <= max_jacobian:
                self.jacobian(outputs, wanted)
            u = self.rng.standard_normal(value.size)
            for argument, analytic in zip(self.checked, _pullback(outputs, wanted, u), strict=True):
                self.directions(argument, u, analytic, directions)
        for i, data in enumerate(before):
            if not np.array_equal(data, self.tensors[i].data, equal_nan=True):
                raise GradcheckError(
                    f"{self.report.name} changes its argument {i} in place: compute into a new array"
                )

    def jacobian(self, outputs: list[Tensor], wanted: list[Tensor]) -> None:
        """Every entry: a row of Jᵀ by a unit cotangent, a column by moving one number."""
        units = np.eye(sum(o.data.size for o in outputs))
        rows = [_pullback(outputs, wanted, unit) for unit in units]
        for k, argument in enumerate(self.checked):
            for index in np.ndindex(wanted[k].shape):
                line = _Line(self.fn, self.tensors, argument, _unit(wanted[k].shape, index))
                for out, unit in enumerate(units):
                    found = self.compare(line, unit, float(rows[out][k][index]))
                    if not found.ok:
                        where = f"d output{_output_index(outputs, out)} / d argument {argument}{list(index)}"
                        raise GradcheckError(_message(self.report.name, where, found, wanted[k].data[index]))

    def directions(self, argument: int, u: np.ndarray, analytic: np.ndarray, count: int) -> None:
        """<u, J v> = <Jᵀu, v> for random v of length 1; on a difference, look for the entry that is wrong."""
        x = self.tensors[argument].data
        for _ in range(count if x.size else 0):
            v = self.rng.standard_normal(x.shape)
            v /= np.linalg.norm(v)
            found = self.compare(
                _Line(self.fn, self.tensors, argument, v), u, float(np.sum(analytic * v)), False
            )
            if found.ok:
                self.report.directional += 1
                continue
            for flat in self.rng.permutation(x.size)[:200]:
                index = tuple(int(i) for i in np.unravel_index(flat, x.shape))
                entry = self.compare(
                    _Line(self.fn, self.tensors, argument, _unit(x.shape, index)), u, float(analytic[index])
                )
                if not entry.ok:
                    where = f"d <u, output> / d argument {argument}{list(index)} for a random cotangent u"
                    raise GradcheckError(_message(self.report.name, where, entry, x[index]))
            if found.kink:
                raise Kink(f"argument {argument}, along a random direction: left and right derivative differ")
            where = f"<u, J v> for argument {argument}, random u and v"
            raise GradcheckError(_message(self.report.name, where, found, None))

    def compare(self, line: _Line, u: np.ndarray, analytic: float, raise_kink: bool = True) -> _Comparison:
        """The claimed derivative of <u, line(s)> at s = 0, against central differences of several steps."""
        by_step: dict[float, float] = {}
        for h in STEPS:
            by_step[h] = numeric = float(u @ line(h) - u @ line(-h)) / (2 * h)
            if abs(analytic - numeric) <= self.atol + self.rtol * abs(numeric):
                self.report.compared += 1
                self.report.max_error = max(
                    self.report.max_error, abs(analytic - numeric) / (1.0 + abs(numeric))
                )
                return _Comparison(True, analytic, numeric)
        kink = _is_kink(line, u, analytic)
        if kink and raise_kink:
            raise Kink(
                f"argument {line.argument}{np.argwhere(line.direction)[0].tolist()}: "
                "left and right derivative differ"
            )
        return _Comparison(False, analytic, by_step[STEPS[0]], kink, by_step)


def _output_index(outputs: list[Tensor], flat: int) -> str:
    for number, output in enumerate(outputs):
        if flat < output.data.size:
            index = [int(i) for i in np.unravel_index(flat, output.shape)]
            return (f" {number}" if len(outputs) > 1 else "") + str(index)
        flat -= output.data.size
    raise IndexError(flat)


@dataclass
class _Comparison:
    ok: bool
    analytic: float
    numeric: float
    kink: bool = False
    by_step: dict[float, float] = field(default_factory=dict)


def _is_kink(line: _Line, u: np.ndarray, analytic: float) -> bool:
    """Do the slopes to the left and right differ by an amount that does not shrink with the step?

    For a smooth function their difference is h·f'', ten times smaller at a tenth of the step.
    """
    middle = u @ line(0.0)
    gaps = []
    for h in (1e-4, 1e-5, 1e-6):
        right, left = (u @ line(h) - middle) / h, (middle - u @ line(-h)) / h
        gaps.append(abs(right - left))
    return bool(min(gaps) > 1e-4 * (1.0 + abs(analytic)) and gaps[2] > 0.3 * gaps[0])


def _message(name: str, where: str, found: _Comparison, at: Any) -> str:
    def exact(value: float) -> str:
        return f"{value:.7g}"

    rounded = float(f"{found.numeric:.6g}")  # differences carry about six sound digits
    lines = [
        f"{name}: {where} is {exact(rounded)} by central differences, "
        f"but backward says {exact(found.analytic)}"
    ]
    if at is not None:
        lines.append(f"  the argument's value there: {exact(float(at))}")
    lines += [
        f"  step {h:.0e}: numeric {n:.9g}, difference {found.analytic - n:.3g}"
        for h, n in sorted(found.by_step.items())
    ]
    if found.analytic and found.numeric:
        ratio = found.analytic / found.numeric
        for factor, text in (
            (-1, "the sign is turned"),
            (2, "twice too large"),
            (0.5, "half as large as it should be"),
        ):
            if abs(ratio - factor) < 1e-5:
                lines.append(f"  {text}")
    elif not found.analytic:
        lines.append("  the analytic gradient is zero: was a term forgotten, or the graph cut?")
    return "\n".join(lines)


def name_of(fn: Callable) -> str:
    owner = getattr(fn, "__self__", None)
    name = str(getattr(owner, "__name__", None) or getattr(fn, "__name__", type(fn).__name__))
    return "function" if name == "<lambda>" else name
