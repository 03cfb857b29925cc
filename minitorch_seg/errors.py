"""Every error of our own.

An error is a lesson: it names the thing, what was expected, what was found, and the likely fix.
"""

from collections.abc import Iterable


class MinitorchSegError(Exception):
    """Base class of all errors of minitorch_seg."""


class UserError(MinitorchSegError):
    """A mistake in a command, an option or a file: the command line prints one sentence and exits with 2."""


class DataError(UserError, ValueError):
    """An image, a mask or a data folder that cannot be used as it is."""


class ShapeError(MinitorchSegError, ValueError):
    """An argument of an operator whose shape (or size, stride, padding ...) does not fit."""


class RangeError(MinitorchSegError, ValueError, IndexError):
    """A dimension that a tensor does not have, or an index beyond its size."""


class DTypeError(MinitorchSegError, TypeError):
    """An argument of an operator whose dtype does not fit."""


class GradcheckError(MinitorchSegError, AssertionError):
    """An analytic gradient that differs from the numeric one."""


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
