"""Python functions through Numba and NVIDIA's compiler to PTX, without a GPU; also with a line changed."""

from __future__ import annotations

import importlib.util
import inspect
import os
import textwrap
import types as python_types
import warnings
from collections.abc import Callable, Sequence
from functools import cache

NEEDED = 'pip install "numba-cuda[cu13]"'


@cache
def missing() -> str:
    """Why nothing can be compiled here, or nothing: for the reason of a skipped test."""
    if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
        return "Numba's simulator is on, which has no compiler: run without NUMBA_ENABLE_CUDASIM"
    if importlib.util.find_spec("numba_cuda") is None:
        return f"numba-cuda is not installed: {NEEDED}"
    try:
        compiled(_nothing, ())
    except Exception as error:  # whichever library is absent, the loader has its own class for it
        return f"NVVM cannot be used ({type(error).__name__}: {str(error).splitlines()[0]}): {NEEDED}"
    return ""


def _nothing():
    pass


def compiled(
    function: Callable,
    signature: Sequence[str],
    cc: tuple[int, int] = (9, 0),
    bounds: tuple[int, int] | None = None,
    lines: bool = False,
) -> str:
    """A kernel's PTX for a compute capability; bounds: threads of a block, blocks of a multiprocessor.

    lines: with the lines of the source, for messages. They change the code a little, and for some kernels
    Numba writes debugging tables that NVVM refuses: so what is compiled for use is executed without.
    """
    from numba import cuda
    from numba.core import sigutils

    types, _ = sigutils.normalize_signature(f"void({', '.join(signature)})")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Could not find source")  # of kernels made from a text
        text, _ = cuda.compile(
            function,
            types,
            device=False,
            abi="numba",
            cc=cc,
            output="ptx",
            lineinfo=lines,
            launch_bounds=bounds,
        )
    return text.decode() if isinstance(text, bytes) else text


def edited(
    function: Callable, old: str, new: str, count: int = 1, which: int = 0, inside: str = ""
) -> Callable:
    """The function with `old` replaced by `new` in its source, where `old` must stand `count` times.

    which: the number of the place that is changed; inside: the name of a device function that it calls, whose
    source is changed instead. The lines keep their numbers, so that a message points at the true file. What
    the function closes over becomes global.
    """
    source, first = inspect.getsourcelines(function)
    text = textwrap.dedent("".join(source))
    closed = inspect.getclosurevars(function).nonlocals
    scope = {**function.__globals__, **closed}
    if inside:
        from numba import cuda

        helper = edited(scope[inside].py_func, old, new, count, which)
        scope[inside] = cuda.jit(device=True, inline="always")(helper)
    else:
        if text.count(old) != count or new.count("\n") != old.count("\n"):
            raise LookupError(f"{function.__name__} holds {text.count(old)} times {old!r}: adapt the mistake")
        parts = text.split(old)
        text = old.join(parts[: which + 1]) + new + old.join(parts[which + 1 :])
    lines = text.splitlines(keepends=True)
    while lines[0].startswith("@"):  # the caller decorates it again
        first, lines = first + 1, lines[1:]
    code = compile("\n" * (first - 1) + "".join(lines), inspect.getsourcefile(function) or "?", "exec")
    exec(code, scope)
    changed = scope[function.__name__]
    assert isinstance(changed, python_types.FunctionType)
    return changed


def device_functions(function: Callable) -> dict[str, Callable]:
    """The device functions that a kernel calls: name -> their Python."""
    used = inspect.getclosurevars(function)
    known = {**used.globals, **used.nonlocals}
    return {name: value.py_func for name, value in known.items() if hasattr(value, "py_func")}
