"""The soft normalised cut: how badly a segmentation separates pixels that belong together.

An image is a graph: pixels are nodes, and w(u, v) ≥ 0 says how alike u and v are,

    w(u, v) = exp(−‖x(u) − x(v)‖² / σ_c²) · exp(−‖u − v‖² / σ_d²)     where ‖u − v‖ ≤ r,  else 0

with x(u) the channels of pixel u.  Let assoc(A, B) = Σ_{u∈A, v∈B} w(u, v) and V be all pixels.  Cutting V
into segments A_1 … A_K severs cut(A_k) = assoc(A_k, V) − assoc(A_k, A_k), and the normalised cut is

    Ncut = Σ_k cut(A_k) / assoc(A_k, V) = K − Σ_k assoc(A_k, A_k) / assoc(A_k, V)

(the denominator keeps a single pixel from being the cheapest segment).  Let p_k(u) be 1 for u ∈ A_k, else 0:

    assoc(A_k, A_k) = Σ_u p_k(u) (W p_k)(u)        assoc(A_k, V) = Σ_u p_k(u) d(u)

with (W p)(u) = Σ_v w(u, v) p(v) and the degrees d = W 1.  Both are defined for probabilities p_k(u) ∈ [0, 1]
as well: that is the soft form, J(p) = K − Σ_k p_kᵀ W p_k / p_kᵀ d, which lies between 0 and K.

Gradient.  W is symmetric, so the product q = W p has the gradient dL/dp = W dL/dq: the same product again.
The rest is made of operators.  W comes from the image and is a constant.

Cost.  W has N² entries for N pixels, but only (2r + 1)² − 1 of a row are not 0, at the same offsets for each
pixel: W p is a sum of shifted copies of p, each times a map of weights.  Of the offsets o and −o one is kept,
w(u, u + o) = w(u + o, u).

Which graph?  reduction="image" takes the mean of J over the images: each is cut into all K segments, and a
class that an image lacks costs 1, so that cutting it into K compact pieces is cheapest.  reduction="batch"
takes the images of a batch as one graph without edges between them (W is block-diagonal, and the sums over u
run over the batch): a segment may be missing from an image for nothing.  But then one segment an image costs
nothing at all.  Neither finds the classes alone; something else must ask for what the segments say about an
image (W-Net's reconstruction), and with more segments than classes.

Differences from W-Net's paper: x are the channels of the image as given, here colours, so that three equal
channels count three times; the paper has brightness, with σ_c = 10 of 255 grey levels, σ_d = 4 and r = 5.

Shi and Malik, "Normalized cuts and image segmentation", 2000; Xia and Kulis, "W-Net: a deep model for fully
unsupervised image segmentation", 2017.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import DTypeError, ShapeError
from minitorch_seg.ops.arguments import as_tensor

#: Keeps 0/0 of a segment that nobody belongs to at 0: it counts as cut off entirely.
NEARLY_NOTHING = 1e-12


class Affinity:
    """W of a batch of images, as maps of weights for half of the offsets.

    Args:
        images: (N, C, H, W), a tensor or an array.
        radius: r, in pixels.
        color_scale: σ_c, in the units of the images' values.
        distance_scale: σ_d, in pixels.

    >>> affinity = Affinity(np.zeros((1, 1, 1, 3)), radius=1, distance_scale=1.0)
    >>> affinity.times(np.array([[[[1.0, 0.0, 0.0]]]])).round(3).tolist()
    [[[[1.0, 0.368, 0.0]]]]
    """

    def __init__(
        self, images: Any, radius: int = 5, color_scale: float = 0.5, distance_scale: float = 4.0
    ) -> None:
        x = _in_rows(as_tensor(images).data)
        if x.ndim != 4:
            raise ShapeError(f"soft_ncut_loss: images have shape {x.shape}, expected (N, C, H, W)")
        if x.dtype.kind != "f":
            raise DTypeError(f"soft_ncut_loss: images must be floats, not {x.dtype}: x.float() / 255")
        if radius < 0 or color_scale <= 0 or distance_scale <= 0:
            raise ValueError(
                "soft_ncut_loss: radius must be 0 or more and the scales above 0, "
                f"found {radius=}, {color_scale=}, {distance_scale=}"
            )
        self.shape = x.shape[0], 1, *x.shape[2:]
        reach = range(-radius, radius + 1)
        self.offsets = [
            (dy, dx)
            for dy in reach
            for dx in reach
            if (dy, dx) > (0, 0)
            and dy * dy + dx * dx <= radius**2
            and dy < x.shape[2]
            and abs(dx) < x.shape[3]
        ]
        self.weights = []
        for dy, dx in self.offsets:
            here, there = _ends(dy, dx, x.shape)
            color = np.sum((x[here] - x[there]) ** 2, axis=1, keepdims=True) / color_scale**2
            self.weights.append(np.exp(-color - (dy * dy + dx * dx) / distance_scale**2))

    def times(self, p: np.ndarray) -> np.ndarray:
        """W p for each channel of p (N, K, H, W)."""
        if (p.shape[0], 1, *p.shape[2:]) != self.shape:
            raise ShapeError(
                f"soft_ncut_loss: p has shape {p.shape}, the images {self.shape}; N, H, W must agree"
            )
        p = _in_rows(p)
        result = _in_rows(p)  # w(u, u) = 1
        for (dy, dx), weight in zip(self.offsets, self.weights, strict=True):
            here, there = _ends(dy, dx, p.shape)
            result[here] = result[here] + weight * p[there]
            result[there] = result[there] + weight * p[here]
        return result

    def degrees(self, like: np.ndarray) -> np.ndarray:
        """d = W 1, (N, 1, H, W), in the dtype of `like` and where it lies."""
        return self.times(np.ones(self.shape, like.dtype, like=like))


def _in_rows(x: np.ndarray) -> np.ndarray:
    """A copy with rows one after the other, as the weights lie: twice as fast here as channels-last."""
    copy = np.empty(x.shape, x.dtype, like=x)
    copy[...] = x
    return copy


def _ends(dy: int, dx: int, shape: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where u and where u + (dy, dx) lie in maps, for all u that have such a neighbour; dy ≥ 0."""
    height, width = shape[2:]
    everything = slice(None)
    rows = slice(0, height - dy), slice(dy, height)
    columns = slice(max(0, -dx), width - max(0, dx)), slice(max(0, dx), width - max(0, -dx))
    return (everything, everything, rows[0], columns[0]), (everything, everything, rows[1], columns[1])


class AffinityProduct(Function):
    """q = W p;  dL/dp = Wᵀ dL/dq = W dL/dq."""

    @staticmethod
    def forward(ctx, p, affinity):
        ctx.affinity = affinity
        return affinity.times(p.data)

    @staticmethod
    def backward(ctx, grad):
        return AffinityProduct.apply(grad, ctx.affinity), None


def soft_ncut_loss(
    probabilities: Any,
    images: Any,
    radius: int = 5,
    color_scale: float = 0.5,
    distance_scale: float = 4.0,
    reduction: str = "image",
) -> Tensor:
    """How badly a segmentation separates pixels that belong together: J(p) = K − Σ_k p_kᵀ W p_k / p_kᵀ d.

    Args:
        probabilities: p (N, K, H, W), of a softmax over K.
        images: (N, C, H, W), or an `Affinity` made of them (then radius and scales are its own); they get no
            gradient.
        radius, color_scale, distance_scale: as in `Affinity`.
        reduction: "image", the mean of J over the images; "batch", J of all of them as one graph.

    Returns: one number between 0 and K.

    Raises: ShapeError unless p and the images have equal N, H and W; DTypeError for images that are not
        floats; ValueError for another reduction.

    Two segments along the edge of an image of two colours cost next to nothing, across it they do:

    >>> import minitorch_seg as ms
    >>> image = np.zeros((1, 1, 4, 4)); image[..., 2:] = 5
    >>> left = np.zeros((1, 2, 4, 4)); left[:, 0, :, :2] = 1; left[:, 1, :, 2:] = 1
    >>> along, across = ms.tensor(left), ms.tensor(left).transpose(2, 3)
    >>> round(soft_ncut_loss(along, image).item(), 3), round(soft_ncut_loss(across, image).item(), 3)
    (0.0, 0.883)
    """
    p = as_tensor(probabilities)
    if p.ndim != 4:
        raise ShapeError(f"soft_ncut_loss: probabilities have shape {p.shape}, expected (N, K, H, W)")
    if reduction not in ("image", "batch"):
        raise ValueError(f"soft_ncut_loss: reduction must be 'image' or 'batch', not {reduction!r}")
    affinity = images
    if not isinstance(images, Affinity):
        affinity = Affinity(images, radius, color_scale, distance_scale)
    axes = (2, 3) if reduction == "image" else (0, 2, 3)
    within = (p * AffinityProduct.apply(p, affinity)).sum(axes)
    whole = (p * Tensor(affinity.degrees(p.data))).sum(axes)
    return p.shape[1] - (within / (whole + NEARLY_NOTHING)).sum(-1).mean()
