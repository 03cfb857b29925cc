"""Chooses the module that computes an operator, and says why.

`get("conv2d")` gives `kernels.fast.conv2d` (register tiles and Winograd's algorithm), `kernels.cpu.conv2d`
(plain Numba loops), or `kernels.reference.conv2d` (NumPy alone): the first that exists, unless the user asked
for another with `set_kernels`, `with use(...)` or `set_conv_algorithm`, or Numba is missing.  Modules are
imported when first asked for: `import minitorch_seg` neither imports Numba nor compiles anything.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

from minitorch_seg.errors import UserError

CHOICES = ("auto", "cpu", "reference")
ALGORITHMS = ("auto", "direct", "winograd", "plain", "reference")
CONVOLUTIONS = ("conv2d", "conv_transpose2d")
_chosen = "auto"
_algorithm = "auto"


def set_kernels(name: str) -> None:
    """Chooses for all operators from now on: "auto" (the fastest that there is), "cpu" (plain Numba loops,
    or an error without Numba), "reference".
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
        applies: 3×3, stride 1, one group; else "direct"), "plain" (the sum over taps as Numba loops),
        "reference" (NumPy).

    >>> set_conv_algorithm("plain")
    >>> explain("conv2d")
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


def get(operator: str) -> ModuleType:
    """The module that computes `operator`, for instance `get("conv2d").conv2d(...)`."""
    return _load(_room(operator)[0], operator)


def explain(operator: str, *case: Any) -> str:
    """One sentence: which module computes `operator`, and why; for a convolution also which algorithm it
    takes.

    Args:
        case: of a convolution: channels in and out, kernel size, stride, dilation (pairs), groups.

    >>> with use("reference"):
    ...     explain("softmax")
    'softmax: kernels/reference/softmax.py, because reference kernels were chosen.'
    """
    room, reason = _room(operator)
    sentence = f"{operator}: kernels/{room}/{operator}.py, because {reason}."
    if case and room == "fast":
        algorithm, reason = _load(room, operator).choose(*case)
        sentence += f" It takes the {algorithm} algorithm: {reason}."
    return sentence


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
    if operator not in _files("cpu"):
        return "reference", "there is no faster one"
    if operator in CONVOLUTIONS and _algorithm in ("plain", "reference"):
        return "cpu" if _algorithm == "plain" else "reference", f"the {_algorithm} algorithm was chosen"
    if _chosen == "cpu":
        return "cpu", "CPU kernels were chosen"
    if operator in _files("fast"):
        return "fast", "there is a faster one than the plain loops"
    return "cpu", "Numba is installed"


@cache
def _load(room: str, operator: str) -> ModuleType:
    return importlib.import_module(f"{__package__}.{room}.{operator}")


@cache
def _files(room: str) -> frozenset[str]:
    try:
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
        importlib.import_module(f"{__package__}.jit")
    except ImportError as error:
        return str(error)
    return ""
