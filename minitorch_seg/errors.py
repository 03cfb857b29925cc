"""Every error of our own.

An error is a lesson: it names the thing, what was expected, what was found, and the likely fix.
"""

import sys
from collections.abc import Iterable
from contextlib import ContextDecorator
from pathlib import Path
from typing import Any

_OPERATORS = str(Path(__file__).parent / "ops")


class MinitorchSegError(Exception):
    """Base class of all errors of minitorch_seg."""


class UserError(MinitorchSegError):
    """A mistake in a command, an option or a file: the command line prints one sentence and exits with 2."""


class DataError(UserError, ValueError):
    """An image, a mask or a data folder that cannot be used as it is."""


class DeviceError(UserError, ValueError):
    """A device that is not there or cannot be used."""


class ShapeError(MinitorchSegError, ValueError):
    """An argument of an operator whose shape (or size, stride, padding ...) does not fit."""


class SizeError(ShapeError, MemoryError):
    """A result that no memory can hold, or whose size is negative."""


class RangeError(MinitorchSegError, ValueError, IndexError):
    """A dimension that a tensor does not have, or an index beyond its size."""


class DTypeError(MinitorchSegError, TypeError):
    """An argument of an operator whose dtype does not fit."""


class GradcheckError(MinitorchSegError, AssertionError):
    """An analytic gradient that differs from the numeric one."""


class explained_sizes(ContextDecorator):
    """`with explained_sizes("zeros"):` what NumPy says of a size that cannot be, in a sentence of ours.

    It decorates a function as well.

    >>> import numpy as np
    >>> with explained_sizes("zeros"):
    ...     np.empty((2**40, 2**40))
    Traceback (most recent call last):
    minitorch_seg.errors.SizeError: zeros: an array of this size does not fit into memory: use smaller sizes
    """

    def __init__(self, operator: str):
        self.operator = operator

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None:
            return
        said = str(error)
        if isinstance(error, ValueError) and said.startswith("negative dimensions"):
            raise SizeError(f"{self.operator}: a size is negative: sizes are at least 0") from None
        too_large = said.startswith(("array is too big", "Maximum allowed", "maximum supported"))
        if (type(error) is ValueError and too_large) or (
            isinstance(error, MemoryError) and said[:6] == "Unable"
        ):
            needed = said.partition(" for an array")[0].replace("Unable to allocate", " (it takes") + ")"
            raise SizeError(
                f"{self.operator}: an array of this size does not fit into memory"
                f"{needed if isinstance(error, MemoryError) else ''}: use smaller sizes"
            ) from None


def refuse_mixed_devices(function: str, arguments: Iterable[Any]) -> None:
    """Where arrays or tensors among `arguments` lie on several devices: that is why `function` failed.

    A number of the CPU, without dimensions, may stand beside anything.
    """
    several = [item for a in arguments for item in (a if isinstance(a, list | tuple) else (a,))]
    arrays = [a for a in several if isinstance(getattr(a, "device", None), str)]
    found = [a for a in arrays if a.ndim or a.device != "cpu"]
    if len({a.device for a in found}) > 1:
        places = ", ".join(f"{a.device} {a.shape}" for a in found)
        raise TypeError(
            f"{_called_operator(function)}: the arguments lie on {places}: "
            "bring them together with .to('cuda') or .to('cpu')"
        ) from None


def _called_operator(function: str) -> str:
    """What the user, a layer or a loss called: the outermost operator that is running, else `function`."""
    frame, name = sys._getframe(1), function
    while frame.f_back is not None:
        frame = frame.f_back
        called = frame.f_code.co_name
        if frame.f_code.co_filename.startswith(_OPERATORS) and called in frame.f_globals and called[0] != "_":
            name = called
    return name


def nearest_name(name: str, valid: Iterable[str]) -> str:
    """The end of a sentence about a wrong name: which names are valid, and which one was probably meant.

    >>> nearest_name("nucli", ["coins", "nuclei"])
    '; did you mean nuclei? Valid: coins, nuclei'
    >>> nearest_name("zebra", ["coins", "nuclei"])
    '; valid: coins, nuclei'
    """
    import difflib

    valid = list(valid)
    close = difflib.get_close_matches(name.lower(), valid, n=1)
    return (
        f"; did you mean {close[0]}? Valid: {', '.join(valid)}" if close else f"; valid: {', '.join(valid)}"
    )


def channels_hint(shape: tuple[int, ...], channels: int) -> str:
    """The end of a sentence about maps of `shape` where so many channels were expected: the likely fix.

    >>> channels_hint((2, 64, 64, 3), 3)
    '; the input looks like (N, H, W, C): x.permute(0, 3, 1, 2) makes it (N, C, H, W)'
    >>> channels_hint((64, 64, 3), 3)
    '; the input looks like (H, W, C): x.permute(2, 0, 1) makes it (C, H, W)'
    >>> channels_hint((8, 64, 64), 1)
    '; a batch of grey images needs an axis for channels: x.unsqueeze(1)'
    >>> channels_hint((3, 64, 64), 3)
    '; a single image needs a batch axis: x.unsqueeze(0)'
    """
    if shape[-1] == channels and len(shape) == 4:
        return "; the input looks like (N, H, W, C): x.permute(0, 3, 1, 2) makes it (N, C, H, W)"
    if shape[-1] == channels and len(shape) == 3:
        return "; the input looks like (H, W, C): x.permute(2, 0, 1) makes it (C, H, W)"
    if channels == 1 and len(shape) == 3:
        return "; a batch of grey images needs an axis for channels: x.unsqueeze(1)"
    if shape[0] == channels and len(shape) == 3:
        return "; a single image needs a batch axis: x.unsqueeze(0)"
    return ""


def target_hint(scores: tuple[int, ...], target: tuple[int, ...]) -> str:
    """The end of a sentence about class indices that do not fit scores (N, K, d₁, …): the likely fix.

    >>> target_hint((2, 3, 8, 9), (2, 1, 8, 9))
    ': drop its channel axis with target.squeeze(1)'
    >>> target_hint((2, 8, 9, 3), (2, 8, 9))
    ': the input looks like (N, H, W, K): input.permute(0, 3, 1, 2) makes it (N, K, H, W)'
    >>> target_hint((3, 8, 9), (8, 9))
    ': a batch axis is missing: input.unsqueeze(0) and target.unsqueeze(0)'
    """
    if target == (scores[0], 1, *scores[2:]):
        return ": drop its channel axis with target.squeeze(1)"
    if target == scores:
        return ": a one-hot or probability target must be float, class indices have no channel axis"
    if len(scores) == 4 and target == scores[:3]:
        return ": the input looks like (N, H, W, K): input.permute(0, 3, 1, 2) makes it (N, K, H, W)"
    if target == scores[1:]:
        return ": a batch axis is missing: input.unsqueeze(0) and target.unsqueeze(0)"
    return ""
