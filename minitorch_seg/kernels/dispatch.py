"""Chooses the module that computes an operator, and says why.

`get("conv2d")` gives `kernels.cpu.conv2d` (Numba), or `kernels.reference.conv2d` (NumPy alone) where Numba is
missing, where the CPU room has no file for this operator, or where the user asked for it with
`set_kernels("reference")` or `with use("reference")`. Modules are imported when first asked for: `import
minitorch_seg` neither imports Numba nor compiles anything.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

from minitorch_seg.errors import UserError

CHOICES = ("auto", "cpu", "reference")
_chosen = "auto"


def set_kernels(name: str) -> None:
    """Chooses for all operators from now on: "auto" (Numba where it is installed), "cpu" (Numba or an error),
    "reference".
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


def get(operator: str) -> ModuleType:
    """The module that computes `operator`, for instance `get("conv2d").conv2d(...)`."""
    return _load(_room(operator)[0], operator)


def explain(operator: str) -> str:
    """One sentence: which module computes `operator`, and why.

    >>> with use("reference"):
    ...     explain("softmax")
    'softmax: kernels/reference/softmax.py, because reference kernels were chosen.'
    """
    room, reason = _room(operator)
    return f"{operator}: kernels/{room}/{operator}.py, because {reason}."


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
    return "cpu", "Numba is installed" if _chosen == "auto" else "CPU kernels were chosen"


@cache
def _load(room: str, operator: str) -> ModuleType:
    return importlib.import_module(f"{__package__}.{room}.{operator}")


@cache
def _files(room: str) -> frozenset[str]:
    package = importlib.import_module(f"{__package__}.{room}")
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
