"""Chooses the module that computes an operator, and says why.

`get("conv2d")` gives `kernels.fast.conv2d` (register tiles and Winograd's algorithm), `kernels.cpu.conv2d`
(plain Numba loops), or `kernels.reference.conv2d` (NumPy alone): the first that exists, unless the user asked
for another with `set_kernels`, `with use(...)` or `set_conv_algorithm`, or Numba is missing.  `why` says the
reason, `with explain()` the reasons of all kernels that a computation calls.  Modules are imported when first
asked for: `import minitorch_seg` neither imports Numba nor compiles anything.
"""

import importlib
import pkgutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from minitorch_seg.errors import UserError
from minitorch_seg.locks import importing

CHOICES = ("auto", "cpu", "reference")
ALGORITHMS = ("auto", "direct", "winograd", "plain", "reference")
CONVOLUTIONS = ("conv2d", "conv_transpose2d")
REAL = (np.dtype("float32"), np.dtype("float64"))
_chosen = "auto"
_algorithm = "auto"


def set_kernels(name: str) -> None:
    """Chooses for all operators from now on: "auto" (the fastest that there is), "cpu" (plain Numba loops,
    or an error without Numba), "reference".

    >>> import minitorch_seg as ms
    >>> ms.set_kernels("reference")
    >>> ms.kernels.dispatch.why("softmax")
    'softmax: kernels/reference/softmax.py, because reference kernels were chosen.'
    >>> ms.set_kernels("auto")
    """
    global _chosen
    if name not in CHOICES:
        raise UserError(f"unknown kernels {name!r}: choose one of {', '.join(map(repr, CHOICES))}.")
    if name == "cpu" and _numba_problem():
        raise UserError(
            f"the CPU kernels need Numba ({_numba_problem()}): pip install numba, or choose 'reference'."
        )
    _chosen = name


@contextmanager
def use(name: str) -> Iterator[None]:
    """Chooses for the body of a `with` statement (for the whole process, as `set_kernels` does).

    >>> with use("reference"):
    ...     get("softmax").__name__
    'minitorch_seg.kernels.reference.softmax'
    """
    before = _chosen
    set_kernels(name)
    try:
        yield
    finally:
        set_kernels(before)


def set_conv_algorithm(name: str) -> None:
    """Chooses how convolutions are computed from now on, for those who compare or need every bit.

    Args:
        name: "auto" (by shape), "direct" (the sum over taps, by register tiles), "winograd" (where it
        applies: 3×3 or 5×5, stride 1, one group; else "direct"), "plain" (the sum over taps as Numba loops),
        "reference" (NumPy).

    A NaN or an infinity reaches the results that see it; with Winograd's algorithm also the others of their
    tiles (4×4 for weights of 3×3, 2×2 for 5×5), with the plain loops also neighbours in its row.  It is never
    lost.  Winograd's sums of inputs, BᵀXB, grow up to 100-fold: for inputs beyond about 1e36, or very unequal
    ones within a square of 6×6, choose "direct".

    >>> set_conv_algorithm("plain")
    >>> why("conv2d")
    'conv2d: kernels/cpu/conv2d.py, because the plain algorithm was chosen.'
    >>> set_conv_algorithm("auto")
    """
    global _algorithm
    if name not in ALGORITHMS:
        raise UserError(f"unknown algorithm {name!r}: choose one of {', '.join(map(repr, ALGORITHMS))}.")
    if name in ("direct", "winograd") and (_numba_problem() or "conv2d" not in _files("fast")):
        raise UserError(
            f"the algorithm {name!r} needs Numba and the folder kernels/fast: choose 'plain' or 'reference'."
        )
    _algorithm = name


def conv_algorithm() -> str:
    """What `set_conv_algorithm` chose."""
    return _algorithm


def get(operator: str, array: Any = None) -> Any:
    """The module that computes `operator`, for instance `get("conv2d", x).conv2d(x, ...)`; the array decides
    by where it lies.
    """
    if array is not None and array.device != "cpu":
        room = "cuda" if operator in _files("cuda") else "reference"  # NumPy's functions run there as well
        return _told(room, operator, "the array lies on the GPU")
    room, reason = _room(operator)
    return _told(room, operator, reason)


def fused(rule: str) -> Any:
    """kernels/fast/RULE.py, an optimiser's update of all parameters in one pass; or None, without Numba or
    that file or where other kernels were chosen: then the formula in optim/ runs.
    """
    if _chosen != "auto" or rule not in _files("fast") or _numba_problem():
        return None
    return _told("fast", rule, "one pass over all parameters is faster than one for each operation")


def fused_on_gpu(rule: str, parameter: Any, gradient: Any, *state: Any) -> Any:
    """kernels/cuda/RULE.py, an optimiser's update of one parameter that lies on a GPU; or None: then the
    formula in optim/ runs.

    None without that file, and where what is changed is not without gaps, of float32 or of float64, or the
    shapes differ.
    """
    if parameter.device == "cpu" or rule not in _files("cuda") or parameter.dtype not in REAL:
        return None
    changed = [parameter, *(a for a in state if a is not None)]
    alike = all(a.shape == parameter.shape and a.dtype == parameter.dtype for a in (gradient, *changed))
    if not alike or not all(a.flags.carray for a in changed):
        return None
    return _told("cuda", rule, "the array lies on the GPU")


def why(operator: str) -> str:
    """One sentence: which module computes `operator`, and why.

    >>> with use("reference"):
    ...     why("softmax")
    'softmax: kernels/reference/softmax.py, because reference kernels were chosen.'
    """
    room, reason = _room(operator)
    return f"{operator}: kernels/{room}/{operator}.py, because {reason}."


@dataclass
class Call:
    """One call of a kernel: its function, the file that served it, the arrays' shapes, their dtype, and why.

    `algorithm` is empty where the file knows only one.
    """

    function: str
    file: str
    shapes: tuple[tuple[int, ...], ...]
    dtype: str
    reason: str
    algorithm: str = ""

    def __str__(self) -> str:
        shapes = " ".join("×".join(map(str, shape)) for shape in self.shapes)
        how = f"{self.file}, {self.algorithm}" if self.algorithm else self.file
        return f"{self.function} {shapes} {self.dtype}: {how}, because {self.reason}"


class Calls(list[Call]):
    """What `explain` collects; printed, equal calls are one line with their number."""

    def __str__(self) -> str:
        return "\n".join(
            line if count == 1 else f"{line} ({count} calls)"
            for line, count in Counter(map(str, self)).items()
        )


_listening: ContextVar[Calls | None] = ContextVar("listening", default=None)


@contextmanager
def explain() -> Iterator[Calls]:
    """Collects every kernel call of the body of a `with` statement: which file and which algorithm served
    which shapes, and why.  It listens to this thread.

    >>> import minitorch_seg as ms
    >>> with use("reference"), explain() as calls:
    ...     y = ms.functional.relu(ms.zeros(2, 3))
    >>> print(calls)
    relu 2×3 float32: kernels/reference/relu.py, because reference kernels were chosen
    """
    calls = Calls()
    token = _listening.set(calls)
    try:
        yield calls
    finally:
        _listening.reset(token)


def taken(algorithm: str, reason: str) -> str:
    """Gives `algorithm` back; a kernel that has several says through it which one it takes, and why."""
    calls = _listening.get()
    if calls:
        calls[-1].algorithm, calls[-1].reason = algorithm, reason
    return algorithm


def _told(room: str, operator: str, reason: str) -> Any:
    module = _load(room, operator)
    calls = _listening.get()
    return module if calls is None else _Told(module, f"kernels/{room}/{operator}.py", reason, calls)


class _Told:
    """A kernel module whose calls are written down."""

    def __init__(self, module: ModuleType, file: str, reason: str, calls: Calls) -> None:
        self._module, self._file, self._reason, self._calls = module, file, reason, calls

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(self._module, name)

        def told(*arguments: Any, **options: Any) -> Any:
            arrays = [a for a in arguments if hasattr(a, "__array_function__")]
            dtype = str(arrays[0].dtype) if arrays else ""
            call = Call(name, self._file, tuple(a.shape for a in arrays), dtype, self._reason)
            self._calls.append(call)
            return function(*arguments, **options)

        return told


def operators() -> list[str]:
    """The names that `get` knows: every operator with a reference kernel."""
    return sorted(_files("reference"))


def _room(operator: str) -> tuple[str, str]:
    if operator not in _files("reference"):
        raise UserError(f"there is no kernel named {operator!r}: the names are {', '.join(operators())}.")
    if _chosen == "reference":
        return "reference", "reference kernels were chosen"
    if _numba_problem():
        return "reference", f"Numba cannot be used ({_numba_problem()})"
    if operator in CONVOLUTIONS and _algorithm in ("plain", "reference"):
        return "cpu" if _algorithm == "plain" else "reference", f"the {_algorithm} algorithm was chosen"
    if operator in _files("fast") and _chosen != "cpu":
        return "fast", "there is a faster one than the plain loops"
    if operator not in _files("cpu"):
        return "reference", "there is no faster one"
    return "cpu", "CPU kernels were chosen" if _chosen == "cpu" else "Numba is installed"


@cache
def _load(room: str, operator: str) -> ModuleType:
    with importing:
        return importlib.import_module(f"{__package__}.{room}.{operator}")


@cache
def _files(room: str) -> frozenset[str]:
    try:
        with importing:
            package = importlib.import_module(f"{__package__}.{room}")
    except ModuleNotFoundError:  # kernels/fast may be removed
        return frozenset()
    return frozenset(m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_"))


@cache
def _numba_problem() -> str:
    """Why Numba cannot be used, or nothing.  Numba also refuses NumPy versions that are newer than itself,
    hence the real import.
    """
    try:
        with importing:
            importlib.import_module(f"{__package__}.jit")
    except ImportError as error:
        return str(error)
    return ""
