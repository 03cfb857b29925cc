"""interpolate: a map resized, by nearest neighbour or bilinearly.

Nearest:

    y[Y] = x[⌊Y·H/Ho⌋]

Bilinear.  Pixels are squares, and output pixel Y has its centre at u in the input's coordinates; it takes its
two neighbours, in both directions:

    u = max( (Y + ½)·H/Ho − ½, 0 )
    y[Y] = (1 − λ)·x[⌊u⌋] + λ·x[⌊u⌋ + 1]      with λ = u − ⌊u⌋ (beyond the last pixel that pixel is repeated)

With align_corners=True the centres of the corner pixels are made to coincide:  u = Y·(H − 1)/(Ho − 1).
Where a scale_factor is given, 1/scale_factor takes the place of H/Ho, as in PyTorch.

Both are linear, y = A x, so  dL/dx = Aᵀ g  with g = dL/dy: what was read is given back, weighted alike; and
the gradient of the gradient is A again.

Parker, Kenyon and Troxel, "Comparison of interpolating methods for image resampling", 1983.
"""

from __future__ import annotations

import math
from typing import Any

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.kernels import dispatch
from minitorch_seg.ops.arguments import pair
from minitorch_seg.ops.cast import float_tensor
from minitorch_seg.ops.typed import typed


class InterpolateNearest(Function):
    @staticmethod
    def forward(ctx, x, size, scale):
        ctx.input_size, ctx.size, ctx.scale = x.shape[2:], size, scale
        return dispatch.get("interpolate", x.data).interpolate_nearest(x.data, size, scale)

    @staticmethod
    def backward(ctx, grad):
        return InterpolateNearestGradient.apply(grad, ctx.input_size, ctx.size, ctx.scale), None, None


class InterpolateNearestGradient(Function):
    @staticmethod
    def forward(ctx, grad, input_size, size, scale):
        ctx.size, ctx.scale = size, scale
        return dispatch.get("interpolate", grad.data).interpolate_nearest_gradient(
            grad.data, input_size, scale
        )

    @staticmethod
    def backward(ctx, v):
        return InterpolateNearest.apply(v, ctx.size, ctx.scale), None, None, None


class InterpolateBilinear(Function):
    @staticmethod
    def forward(ctx, x, size, align_corners, scale):
        ctx.input_size, ctx.arguments = x.shape[2:], (size, align_corners, scale)
        return dispatch.get("interpolate", x.data).interpolate_bilinear(x.data, size, align_corners, scale)

    @staticmethod
    def backward(ctx, grad):
        return InterpolateBilinearGradient.apply(grad, ctx.input_size, *ctx.arguments), None, None, None


class InterpolateBilinearGradient(Function):
    @staticmethod
    def forward(ctx, grad, input_size, size, align_corners, scale):
        ctx.arguments = size, align_corners, scale
        return dispatch.get("interpolate", grad.data).interpolate_bilinear_gradient(
            grad.data, input_size, align_corners, scale
        )

    @staticmethod
    def backward(ctx, v):
        return InterpolateBilinear.apply(v, *ctx.arguments), None, None, None, None


@typed
def interpolate(
    input: Any,
    size: int | tuple[int, int] | None = None,
    scale_factor: float | tuple[float, float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> Tensor:
    """Resize maps (N, C, H, W) to `size`, or by `scale_factor` (then Ho = ⌊H · factor⌋).

    Args:
        input: (N, C, H, W), float.
        size: an int or a pair (height, width); or
        scale_factor: a number or a pair.
        mode: "nearest" or "bilinear".
        align_corners: only for bilinear; default False.
        recompute_scale_factor: take Ho/H for the ratio in place of the scale_factor given.

    Returns: (N, C, Ho, Wo).

    Raises: ShapeError for another shape or a size below 1; ValueError unless just one of size and
        scale_factor is given, for another mode and a scale that is not positive; DTypeError unless the input
        is float32 or float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.interpolate(ms.tensor([[[[1.0, 3.0]]]]), size=(1, 4), mode="bilinear")
    tensor([[[[1. , 1.5, 2.5, 3. ]]]])
    """
    x = float_tensor("interpolate", input)
    if x.ndim != 4 or 0 in x.shape[1:]:
        hint = ": a single image needs a batch axis, x.unsqueeze(0)" if x.ndim == 3 else ""
        raise ShapeError(
            f"interpolate: input has shape {x.shape}, expected (N, C, H, W), only N may be 0{hint}"
        )
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: give either size or scale_factor")
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f"interpolate: mode {mode!r} is unknown: use 'nearest' or 'bilinear'")
    if mode == "nearest" and align_corners is not None:
        raise ValueError("interpolate: align_corners is only for mode='bilinear'")
    if recompute_scale_factor and size is not None:
        raise ValueError("interpolate: recompute_scale_factor is only for a scale_factor, not for a size")
    scale = None
    if scale_factor is not None:
        scale = tuple(
            float(s)
            for s in (scale_factor if isinstance(scale_factor, tuple | list) else (scale_factor,) * 2)
        )
        if len(scale) != 2 or not all(s > 0 and math.isfinite(s) for s in scale):
            raise ValueError(
                f"interpolate: scale_factor must be one or two positive numbers, found {scale_factor}"
            )
        size = math.floor(x.shape[2] * scale[0]), math.floor(x.shape[3] * scale[1])
        if recompute_scale_factor:
            scale = None
    target = pair("interpolate", "output size", size, 1)
    if mode == "nearest":
        return InterpolateNearest.apply(x, target, scale)
    return InterpolateBilinear.apply(x, target, bool(align_corners), scale)
