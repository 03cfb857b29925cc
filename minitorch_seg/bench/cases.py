"""What is measured: for each operator a few shapes as they occur in segmentation.

A case is written once for all libraries that have PyTorch's names: `call(library, *tensors)` computes y, and
the library (see `libraries.py`) differentiates it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minitorch_seg.kernels.sizes import window_count

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """One operator at one shape.

    Args:
        operator, name: as tables show them.
        call: call(library, *inputs, *constants) -> y.
        inputs: name -> shape of what is differentiated, unless it is in `fixed`.
        flops: multiplications and additions of the formula itself, forward and backward; 0 where moving
            memory is all.
        labels: (shape, number of classes) of an array of class indices behind the inputs, or None.
        kinked: a gradient jumps where a number of the result is nearly 0 (relu), so single ones may differ.
        options: what an adapter of another library needs to know (stride, padding).
    """

    operator: str
    name: str
    call: Callable[..., Any]
    inputs: dict[str, Shape]
    flops: float = 0.0
    labels: tuple[Shape, int] | None = None
    fixed: tuple[str, ...] = ()
    kinked: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    def arrays(self, dtype: str) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
        """(inputs, constants), the same numbers in every process."""
        rng = np.random.default_rng(0)
        inputs = {
            # a weight's rows have length 1, about, so that results stay near 1 and errors can be compared
            name: (
                rng.standard_normal(shape) / (1 if name == "x" else math.sqrt(math.prod(shape[1:])))
            ).astype(dtype)
            for name, shape in self.inputs.items()
        }
        if self.labels is None:
            return inputs, []
        return inputs, [rng.integers(0, self.labels[1], self.labels[0])]


def convolution(
    channels: int, outputs: int, side: int, kernel: int = 3, stride: int = 1, dilation: int = 1,
    groups: int = 1, batch: int = 8, bias: bool = True, fixed: tuple[str, ...] = (),
) -> Case:  # fmt: skip
    """A convolution from `channels` to `outputs` of square images; padding keeps the size (at stride 1)."""
    padding = 0 if kernel == stride else dilation * (kernel - 1) // 2
    size = window_count(side, kernel, stride, padding, dilation)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    extra = "".join(
        f" {word} {value}"
        for word, value in (("stride", stride), ("dilation", dilation), ("groups", groups))
        if value > 1
    )
    inputs: dict[str, Shape] = {
        "x": (batch, channels, side, side),
        "weight": (outputs, channels // groups, kernel, kernel),
    }
    if bias:
        inputs["bias"] = (outputs,)
    forward = 2.0 * batch * outputs * size**2 * (channels // groups) * kernel**2
    return Case(
        "conv2d",
        f"{kernel}×{kernel}{extra} {channels}→{outputs} @{side}",
        lambda lib, x, weight, bias=None: lib.F.conv2d(x, weight, bias, **options),
        inputs,
        forward * (3 - len(fixed)),
        fixed=fixed,
        options=options,
    )


def transposed(channels: int, outputs: int, side: int, batch: int = 8) -> Case:
    """The 2×2 transposed convolution of stride 2 that doubles a map in a U-Net."""
    return Case(
        "conv_transpose2d",
        f"2×2 stride 2 {channels}→{outputs} @{side}",
        lambda lib, x, weight, bias: lib.F.conv_transpose2d(x, weight, bias, 2),
        {"x": (batch, channels, side, side), "weight": (channels, outputs, 2, 2), "bias": (outputs,)},
        3 * 2.0 * batch * channels * outputs * 4 * side**2,
    )


def unet_layers(base: int, side: int = 96, batch: int = 8, depth: int = 3) -> list[Case]:
    """Every convolution of `models.UNet(3, 3, base, depth)` once, as (from → to @side)."""

    def conv(channels: int, outputs: int, level: int, kernel: int = 3, first: bool = False) -> Case:
        fixed = ("x",) if first else ()  # nobody asks for the gradient of the image
        return convolution(
            channels, outputs, side >> level, kernel, batch=batch, bias=kernel == 1, fixed=fixed
        )

    widths = [base << level for level in range(depth + 1)]
    layers = [conv(3, base, 0, first=True)]
    for level, width in enumerate(widths):
        if level:
            layers.append(conv(width // 2, width, level))
        layers.append(conv(width, width, level))
    for level in reversed(range(depth)):
        layers.append(transposed(2 * widths[level], widths[level], side >> (level + 1), batch))
        layers.append(conv(2 * widths[level], widths[level], level))
    return [*layers, conv(base, 3, 0, kernel=1)]


def convolutions_3x3(shrink: int = 1) -> list[Case]:
    """The shapes whose geometric mean is the headline: C = O, sides of a U-Net's levels."""
    shapes = [(16, 96), (32, 48), (32, 96), (48, 48), (64, 48), (64, 24), (96, 24), (128, 12)]
    return [convolution(c, c, max(side // shrink, 6), batch=max(8 // shrink, 1)) for c, side in shapes]


def other_convolutions(shrink: int = 1) -> list[Case]:
    """1×1, 5×5, strides, few and odd channels, dilation, groups."""
    table: list[tuple[int, int, int, dict[str, Any]]] = [
        (64, 64, 48, {"kernel": 1}), (128, 64, 24, {"kernel": 1}), (16, 3, 96, {"kernel": 1}),
        (16, 16, 48, {"kernel": 5}), (32, 32, 48, {"kernel": 5}), (3, 32, 96, {"kernel": 7, "stride": 2}),
        (16, 32, 96, {"stride": 2}), (64, 64, 48, {"stride": 2}), (16, 32, 96, {"kernel": 2, "stride": 2}),
        (3, 16, 96, {}), (3, 32, 96, {}), (1, 16, 96, {}),
        (10, 10, 96, {}), (20, 20, 48, {}), (37, 37, 48, {}),
        (37, 10, 48, {"kernel": 1}), (20, 37, 48, {"kernel": 1}), (128, 128, 12, {"kernel": 1}),
        (10, 20, 48, {"kernel": 5}), (20, 37, 48, {"stride": 2}),
        (32, 32, 48, {"dilation": 2}), (32, 32, 48, {"groups": 4}), (32, 32, 48, {"groups": 32}),
    ]  # fmt: skip
    return [
        convolution(c, o, max(side // shrink, 6), batch=max(8 // shrink, 1), **more)
        for c, o, side, more in table
    ]


def other_operators(shrink: int = 1) -> list[Case]:
    """What stands between the convolutions."""
    n = max(8 // shrink, 1)

    def maps(channels: int, side: int) -> Shape:
        return (n, channels, max(side // shrink, 6), max(side // shrink, 6))

    def one(operator: str, name: str, x: Shape, call: Callable[..., Any], **more: Any) -> Case:
        shape = "×".join(map(str, x))
        return Case(operator, f"{name} {shape}".strip(), call, {"x": x, **more.pop("inputs", {})}, **more)

    def resize(mode: str) -> Callable[..., Any]:
        return lambda lib, x: lib.F.interpolate(x, scale_factor=2, mode=mode)

    steps, sequences, width = max(48 // shrink, 2), max(384 // shrink, 2), max(64 // shrink, 2)
    wide = maps(32, 96)
    return [
        transposed(64, 32, max(48 // shrink, 3), n),
        transposed(32, 16, max(48 // shrink, 3), n),
        one("max_pool2d", "2×2", wide, lambda lib, x: lib.F.max_pool2d(x, 2)),
        one("max_pool2d", "3×3 stride 2", wide, lambda lib, x: lib.F.max_pool2d(x, 3, 2, 1)),
        one("avg_pool2d", "2×2", wide, lambda lib, x: lib.F.avg_pool2d(x, 2)),
        one("interpolate", "nearest ×2", maps(32, 48), resize("nearest")),
        one("interpolate", "bilinear ×2", maps(32, 48), resize("bilinear")),
        one(
            "rnn", "tanh", (steps, sequences, width), lambda lib, *tensors: lib.rnn(*tensors),
            inputs={"W_xh": (width, width), "W_hh": (width, width), "b_h": (width,)},
            flops=3 * 2.0 * steps * sequences * 2 * width**2,
        ),
        *(
            one(
                "batch_norm", "+ relu", maps(channels, side), lambda lib, *t: lib.batch_norm_relu(*t),
                inputs={"weight": (channels,), "bias": (channels,)}, kinked=True,
            )
            for channels, side in ((32, 96), (64, 24))
        ),
        one("relu", "", wide, lambda lib, x: lib.F.relu(x)),
        *(
            one(name, "", maps(32, 64), lambda lib, x, name=name: getattr(lib.F, name)(x))
            for name in ("leaky_relu", "elu", "sigmoid", "softplus", "silu", "gelu")
        ),
        one("softmax", "", maps(21, 96), lambda lib, x: lib.F.softmax(x, 1)),
        *(
            one(
                "cross_entropy", name, maps(classes, 96), call,
                labels=((n, *maps(classes, 96)[2:]), classes),
            )
            for classes in (3, 21)
            for name, call in (
                ("log_softmax, nll_loss", lambda lib, x, t: lib.F.nll_loss(lib.F.log_softmax(x, 1), t)),
                ("fused", lambda lib, x, t: lib.F.cross_entropy(x, t)),
            )
        ),
        one("cat", "two", maps(16, 96), lambda lib, x, z: lib.cat([x, z], 1), inputs={"z": maps(16, 96)}),
        one(
            "cat", "three", maps(16, 96), lambda lib, *parts: lib.cat(parts, 1),
            inputs={"z": maps(16, 96), "w": maps(16, 96)},
        ),
        one("cat", "two", maps(64, 24), lambda lib, x, z: lib.cat([x, z], 1), inputs={"z": maps(64, 24)}),
    ]  # fmt: skip


#: What is measured together: name -> cases, with batch and sides divided by `shrink`.
GROUPS: dict[str, Callable[[int], list[Case]]] = {
    "conv 3×3": convolutions_3x3,
    "other convolutions": other_convolutions,
    "operators": other_operators,
    **{
        f"U-Net layers, base {base}": lambda shrink, base=base: unet_layers(  # type: ignore[misc]
            max(base // shrink, 2), max(96 // shrink, 16), max(8 // shrink, 1)
        )
        for base in (16, 32, 64)
    },
}


def operators() -> dict[str, list[str]]:
    """operator -> the groups (without the U-Net's layers) that have cases of it."""
    found: dict[str, list[str]] = {}
    for group in ("conv 3×3", "other convolutions", "operators"):
        for case in GROUPS[group](1):
            groups = found.setdefault(case.operator, [])
            if group not in groups:
                groups.append(group)
    return found
