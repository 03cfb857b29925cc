"""typed: the arguments of an operator are of the types that its signature names, or they are refused.

PyTorch's operators are declared with types, and refuse `stride=True`, `ceil_mode=1`, `ignore_index=255.0`.
Here the type hints say the same, and one decorator reads them.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from minitorch_seg.autograd import Tensor

F = TypeVar("F", bound=Callable[..., Any])

#: What is accepted where a signature names a type.
ACCEPTED: dict[Any, tuple[type, ...]] = {
    bool: (bool, np.bool_),
    int: (int, np.integer),
    float: (float, int, np.floating, np.integer),
    str: (str,),
    tuple: (tuple, list),
    list: (list,),
    Sequence: (Sequence,),
    Tensor: (Tensor,),
    types.NoneType: (types.NoneType,),
}


def typed(function: F) -> F:
    """Refuse an argument that is not of the type which the function's signature names for it.

    As in PyTorch, 1 is no bool, and True no int.  What is annotated as Any, or by a type that is not in
    ACCEPTED, is not looked at; nor are the elements of a tuple.

    >>> @typed
    ... def repeat(text: str, times: int | None = None): ...
    >>> repeat("x", 2.5)
    Traceback (most recent call last):
    TypeError: repeat: times must be int | None, found float 2.5
    """
    accepted: dict[str, tuple[tuple[type, ...], bool]] = {}
    right: set[tuple] = set()  # types that arguments had and may have: they are looked at once

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if (given := (*map(type, args), *kwargs, *map(type, kwargs.values()))) not in right:
            if not accepted:  # at the first call, when everything that annotations name has been imported
                accepted.update(_accepted(function))
            for name, value in (*zip(accepted, args, strict=False), *kwargs.items()):
                classes, boolean = accepted.get(name, ((object,), True))
                if not isinstance(value, classes) or (isinstance(value, bool) and not boolean):
                    called = type(args[0]).__name__ if function.__name__ == "__init__" else function.__name__
                    wanted, found = function.__annotations__[name], f"{type(value).__name__} {value!r:.60}"
                    raise TypeError(f"{called}: {name} must be {wanted}, found {found}")
            right.add(given)
        return function(*args, **kwargs)

    return typing.cast(F, checked)


def _accepted(function: Callable[..., Any]) -> dict[str, tuple[tuple[type, ...], bool]]:
    """For each parameter, in order, the classes that it accepts, and whether bools are among them."""
    hints = typing.get_type_hints(function)
    found = {}
    for name in inspect.signature(function).parameters:
        hint = hints.get(name, Any)
        union = typing.get_origin(hint) in (types.UnionType, typing.Union)
        options = [typing.get_origin(h) or h for h in (typing.get_args(hint) if union else (hint,))]
        known = all(o in ACCEPTED for o in options)
        classes = tuple(c for o in options for c in ACCEPTED[o]) if known else (object,)
        # for Python a bool is an int; where a float is expected, PyTorch takes one too
        found[name] = classes, not known or bool in options or float in options
    return found
