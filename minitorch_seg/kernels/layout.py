"""How a feature map lies in memory: logical (N, C, H, W), stored channels-last as N, H, W, C.

The values of all channels at one pixel are neighbours, so a kernel's inner loop over channels reads
contiguous memory, and a convolution becomes a sum of matrix products.  NumPy keeps this order only sometimes;
therefore every kernel allocates its results with `empty_map`, and brings its arguments into this order once,
at its door, with `as_map`.

    >>> a = empty_map((2, 3, 4, 5), "float32")
    >>> a.shape, a.transpose(0, 2, 3, 1).flags.c_contiguous
    ((2, 3, 4, 5), True)
"""

from typing import Any, NamedTuple

import numpy as np

from minitorch_seg.kernels import buffers
from minitorch_seg.locks import Lock

FEW = 5  # channels below which NumPy copies them faster one by one: its inner loop is then a whole row


class Conversions(NamedTuple):
    """How many arrays had to be copied into the channels-last order, and how many bytes that were."""

    copies: int
    bytes: int


_lock = Lock()
_conversions = Conversions(0, 0)


def conversions() -> Conversions:
    """The copies made by `as_map` since the program started."""
    return _conversions


def _count(array: np.ndarray) -> None:
    global _conversions
    with _lock:
        _conversions = Conversions(_conversions.copies + 1, _conversions.bytes + array.nbytes)


def empty_map(shape: tuple[int, ...], dtype: np.typing.DTypeLike, like: Any = None) -> np.ndarray:
    """An uninitialised map of logical shape (N, C, H, W), channels-last in memory; where `like` lies."""
    n, c, h, w = shape
    if like is not None and like.device != "cpu":
        return np.empty((n, h, w, c), dtype, like=like).transpose(0, 3, 1, 2)
    return buffers.empty((n, h, w, c), dtype).transpose(0, 3, 1, 2)


def empty_map_like(x: np.ndarray, dtype: np.typing.DTypeLike | None = None) -> np.ndarray:
    """An uninitialised map with the shape of `x` (and its dtype unless another one is given)."""
    return empty_map(x.shape, x.dtype if dtype is None else dtype, x)


def is_map(x: np.ndarray) -> bool:
    """True where `x` is 4-D and channels-last without gaps, aligned and in the machine's byte order."""
    return x.ndim == 4 and _is_plain(x.transpose(0, 2, 3, 1))


def as_map(x: np.ndarray) -> np.ndarray:
    """`x` itself where it is channels-last already, else a channels-last copy (and the copy is counted).

    >>> x = np.zeros((1, 2, 3, 4))
    >>> m = as_map(x)
    >>> m is x, as_map(m) is m
    (False, True)
    """
    if is_map(x):
        return x
    copy = empty_map(x.shape, x.dtype.newbyteorder("="), x)
    if x.ndim == 4 and x.shape[1] < FEW and x.device == "cpu":  # NumPy's copy is the slow one
        for c in range(x.shape[1]):
            copy[:, c] = x[:, c]
    else:
        copy[...] = x
    _count(copy)
    return copy


def pixels(x: np.ndarray) -> np.ndarray:
    """The map `x` (N, C, H, W) as a read-only C-contiguous array (N, H, W, C); a view where `x` is
    channels-last.
    """
    view = x.transpose(0, 2, 3, 1)
    if not _is_plain(view):
        view = as_map(x).transpose(0, 2, 3, 1)
    view.flags.writeable = False
    return view


def contiguous(x: np.ndarray) -> np.ndarray:
    """Any array as a read-only C-contiguous one; a view where it is C-contiguous already."""
    return read_only(x if _is_plain(x) else np.array(x, x.dtype.newbyteorder("="), order="C"))


def read_only(x: np.ndarray) -> np.ndarray:
    """A view of `x` that cannot be written.

    Numba compiles a kernel once more for arrays that are read-only.  Here all inputs are, so it compiles
    once; and a kernel that writes to its input by mistake does not compile at all.
    """
    view = x.view()
    view.flags.writeable = False
    return view


def _is_plain(x: np.ndarray) -> bool:
    flags = x.flags
    return flags.c_contiguous and flags.aligned and x.dtype.isnative
