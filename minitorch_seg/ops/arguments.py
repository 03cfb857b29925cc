"""Arguments of operators: pairs, dimensions, sizes.

Each refusal says what was expected, what was found, and the fix.
"""

from __future__ import annotations

import operator as op
from typing import Any

import numpy as np

from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import RangeError, ShapeError
from minitorch_seg.ops.cast import as_tensor

Pair = tuple[int, int]
LARGEST = 2**31 - 1  # of a window's numbers, as in PyTorch: products of two fit into 64 bits


def pair(operator: str, name: str, value: Any, minimum: int | None = None) -> Pair:
    """An int or two ints as two ints (vertical, horizontal), each at least `minimum`."""
    try:
        first, second = map(op.index, value if isinstance(value, tuple | list) else (value, value))
    except (TypeError, ValueError):
        raise TypeError(f"{operator}: {name} must be an int or two ints, found {value!r}") from None
    if minimum is not None and min(first, second) < minimum:
        raise ShapeError(f"{operator}: {name} must be at least {minimum}, found {value!r}")
    if not (-LARGEST <= first <= LARGEST and -LARGEST <= second <= LARGEST):
        raise ShapeError(f"{operator}: {name} must be at most {LARGEST}, found {value!r}")
    return first, second


def sizes_of(sizes: tuple) -> tuple[int, ...]:
    """Sizes given one by one, or all in one tuple: f(2, 3) and f((2, 3)) mean the same."""
    given = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], tuple | list) else sizes
    if any(isinstance(n, bool) or not hasattr(n, "__index__") for n in given):
        raise TypeError(f"sizes and dimensions are ints, found {given!r}")
    return tuple(op.index(n) for n in given)


def broadcastable(operator: str, *tensors: Tensor) -> None:
    """Refuse shapes that cannot be broadcast together."""
    if len({t.shape for t in tensors}) > 1:
        try:
            np.broadcast_shapes(*(t.shape for t in tensors))
        except ValueError:
            shapes = " and ".join(str(t.shape) for t in tensors)
            raise ShapeError(
                f"{operator}: shapes {shapes} cannot be broadcast together: counted from the right, "
                "two sizes must be equal or one of them 1; use reshape or unsqueeze"
            ) from None


def normalize_dim(operator: str, dim: int, ndim: int) -> int:
    """A dimension counted from the front; −1 is the last one."""
    if isinstance(dim, bool) or not hasattr(dim, "__index__"):
        raise TypeError(f"{operator}: dim must be an int, found {dim!r}")
    dim = op.index(dim)
    limit = max(ndim, 1)
    if not -limit <= dim < limit:
        raise RangeError(
            f"{operator}: dim {dim} of a tensor with {ndim} dimensions: expected {-limit} … {limit - 1}"
        )
    return dim % limit


def normalize_dims(operator: str, dim: Any, ndim: int) -> tuple[int, ...]:
    """None, an int or several ints as a sorted tuple of dimensions; None and () mean all."""
    if dim is None or (isinstance(dim, tuple | list) and not dim):
        return tuple(range(ndim))
    dims = tuple(normalize_dim(operator, d, ndim) for d in (dim if isinstance(dim, tuple | list) else (dim,)))
    if len(set(dims)) != len(dims):
        raise ValueError(f"{operator}: a dimension appears twice in dim={dim}")
    return tuple(sorted(d for d in dims if ndim))


def as_batch(operator: str, x: Tensor) -> tuple[Tensor, bool]:
    """A map (N, C, H, W), and whether a single image (C, H, W) was made one."""
    if x.ndim in (3, 4) and 0 in x.shape[-3:]:
        raise ShapeError(f"{operator}: input of shape {x.shape} has no pixels (only a batch may be empty)")
    if x.ndim == 3:
        return x.unsqueeze(0), True
    if x.ndim != 4:
        hint = " (a single grey image needs x[None, None])" if x.ndim == 2 else ""
        raise ShapeError(
            f"{operator}: input has shape {x.shape}, expected (N, C, H, W), or (C, H, W) "
            f"for a single image{hint}"
        )
    return x, False


def window_output_size(
    operator: str,
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool = False,
) -> Pair:
    """⌊(size + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1 for height and width.

    With ceil_mode the quotient is rounded up, but no window starts beyond the input and its left padding.
    """
    result = []
    for axis, n, k, s, p, d in zip(("height", "width"), size, kernel, stride, padding, dilation, strict=True):
        room = n + 2 * p - d * (k - 1) - 1
        formula = f"({n} + 2·{p} − {d}·({k} − 1) − 1) / {s} + 1"
        count = (-(-room // s) if ceil_mode else room // s) + 1
        if ceil_mode and (count - 1) * s >= n + p:
            count -= 1
        if count < 1:
            raise ShapeError(
                f"{operator}: the kernel's extent {d * (k - 1) + 1} is larger than the padded {axis} "
                f"{n + 2 * p}; output size {formula} < 1: "
                "use a smaller kernel or dilation, more padding, or a larger image"
                + (" (is the input in H, W, C order? x.permute(2, 0, 1) makes it C, H, W)" if n <= 4 else "")
            )
        result.append(count)
    return result[0], result[1]


def met_taps(size: int, outputs: int, kernel: int, stride: int, padding: int, dilation: int) -> Pair:
    """The window and its padding along one axis, without what lies outside the image at every place.

    The last window begins at (outputs − 1)·stride − padding.  So a window of 2³¹ pixels, most of them in the
    frame, costs no more than one that fits the image.

    >>> met_taps(4, 1, 1001, 1, 500, 1)
    (4, 0)
    """
    skipped = max(padding - (outputs - 1) * stride, 0) // dilation
    return max(min(kernel, -(-(size + padding) // dilation)) - skipped, 1), padding - skipped * dilation


def class_indices(operator: str, target: Any, classes: int, ignore_index: int) -> Tensor:
    """A target of class indices as int64, every one of them a class or ignore_index."""
    target = as_tensor(target)
    if target.dtype.kind not in "iu":
        raise TypeError(f"{operator}: target is {target.dtype}, expected integer class indices: use .long()")
    indices = as_tensor(target, np.int64)
    array = indices.data
    if array.device == "cpu" and array.size and array.view(np.uint64).max() < classes:  # −1 is large
        return indices
    wrong = (array != ignore_index) & ((array < 0) | (array >= classes))
    if wrong.any():
        raise ShapeError(
            f"{operator}: target holds {array[wrong].tolist()[0]}, "
            f"expected 0 … {classes - 1} (the input has {classes} channels) or ignore_index={ignore_index}"
        )
    return indices
