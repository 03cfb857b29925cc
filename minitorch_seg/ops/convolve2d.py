"""convolve2d and documented_convolution: the true convolution, and the source text's formula read literally.

True convolution of an image x (m×n) with a kernel h (kh×kw), both zero outside:

    (x ∗ h)(X, Y) = Σ_{i,j} x(i, j) · h(X − i, Y − j)

The kernel runs backwards; that makes the operation commutative and associative.  Flipping h turns it into the
cross-correlation that frameworks call convolution:  x ∗ h = conv2d(x padded by kh − 1 and kw − 1, h flipped).

The source text, from whose formulas this project grew, writes

    y(x, y) = Σ_{i,j} x(i, j) · w(i, j) · h(x − i, y − j)

with one more factor, a weight w for each pixel of the image, and with two meanings for x and for y.  Read
literally (x and w both m×n, h zero outside its support, X and Y for the place) it is

    y = (x ⊙ w) ∗ h        of size (m + kh − 1) × (n + kw − 1).

Its gradients, with g = dL/dy and c the valid correlation of g with h:

    c(i, j) = Σ_{X,Y} g(X, Y) · h(X − i, Y − j)
    dL/dx = w ⊙ c          dL/dw = x ⊙ c          dL/dh(a, b) = Σ_{i,j} g(i + a, j + b) · x(i, j) · w(i, j)

They need no code of their own: the operators below are differentiated one by one, and the chain rule gives
just this.  Only for constant w does a shifted image give a shifted result; w belongs to places, not to
patterns.  That is why the repaired formula moves the weights into the kernel, and that is `conv2d`:

    y(X, Y) = Σ_{i,j} x(X + i, Y + j) · w(i, j) + b
"""

from __future__ import annotations

from typing import Any

from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.ops.cast import promote
from minitorch_seg.ops.conv2d import conv2d
from minitorch_seg.ops.typed import typed

MODES = ("full", "same", "valid")


@typed
def convolve2d(input: Any, kernel: Any, mode: str = "full") -> Tensor:
    """The true (flipped) two-dimensional convolution, as scipy.signal.convolve2d.

    Args:
        input: (m, n).
        kernel: (kh, kw).
        mode: "full" gives (m + kh − 1, n + kw − 1); "same" the central part of the input's size; "valid" the
            part computed without zeros from outside, (m − kh + 1, n − kw + 1); there one operand must be at
            least as large as the other in both directions.

    Returns: the promoted dtype; float32 for integers.

    Raises: ShapeError unless both are matrices, none of them empty, and fit the mode; ValueError for another
        mode.

    >>> import minitorch_seg as ms
    >>> ms.functional.convolve2d(ms.tensor([[1.0, 2.0, 3.0]]), ms.tensor([[1.0, 0.0, -1.0]]))
    tensor([[ 1.,  2.,  2., -2., -3.]])
    """
    x, h = promote(input, kernel)
    if x.ndim != 2 or h.ndim != 2 or 0 in x.shape + h.shape:
        raise ShapeError(f"convolve2d: two non-empty matrices expected, found shapes {x.shape} and {h.shape}")
    if mode not in MODES:
        raise ValueError(f"convolve2d: mode {mode!r} is unknown: use one of {', '.join(MODES)}")
    if x.dtype.kind != "f":
        x, h = x.float(), h.float()
    (m, n), (kh, kw) = x.shape, h.shape
    if mode == "valid":
        if kh > m or kw > n:
            if m > kh or n > kw:
                raise ShapeError(
                    f"convolve2d: mode='valid' needs one of {x.shape} and {h.shape} to be at least as large "
                    "in both directions"
                )
            x, h = h, x  # convolution commutes
        padding = (0, 0)
    else:
        padding = (kh - 1, kw - 1)
    y = conv2d(x[None, None], h.flip(0, 1)[None, None], padding=padding)[0, 0]
    if mode == "same":
        top, left = (kh - 1) // 2, (kw - 1) // 2
        y = y[top : top + m, left : left + n]
    return y


def documented_convolution(x: Any, w: Any, h: Any) -> Tensor:
    """The source text's convolution, read literally: y(X, Y) = Σ_{i,j} x(i, j) · w(i, j) · h(X − i, Y − j).

    Args:
        x: image (m, n).
        w: weights of its pixels (m, n).
        h: kernel (kh, kw).

    Returns: (m + kh − 1, n + kw − 1).  With w ≡ 1 this is convolve2d(x, h).

    Raises: ShapeError unless all three are matrices, and x and w of one shape.

    >>> import minitorch_seg as ms
    >>> x, w = ms.tensor([[1.0, 2.0]]), ms.tensor([[1.0, 10.0]])
    >>> ms.functional.documented_convolution(x, w, ms.tensor([[1.0, 1.0]]))
    tensor([[ 1., 21., 20.]])
    """
    image, weights, kernel = promote(x, w, h)
    if image.ndim != 2 or image.shape != weights.shape:
        raise ShapeError(
            "documented_convolution: x and w must be matrices of one shape, "
            f"found {image.shape} and {weights.shape}"
        )
    return convolve2d(image * weights, kernel)
