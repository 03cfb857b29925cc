"""ReNet: recurrent sweeps over a map, so that each pixel hears from every other.

    map (N, C, H, W)
      │ patches of p×p pixels lie as channels of one                             pixel_unshuffle
    (N, C·p², H/p, W/p)
      │ rows as sequences: T = W/p steps, all N·H/p rows as one batch
    (W/p, N·H/p, C·p²)
      ├─► left to right:  h_t = f(h_{t−1}, x_t) ──► (W/p, N·H/p, U) ┐
      └─► right to left:  h_t = f(h_{t+1}, x_t) ──► (W/p, N·H/p, U) ┴ cat ─► (N, 2U, H/p, W/p)
                                                                               │ columns as sequences
      ┌────────────────────────────────────────────────────────────────────────┘
    (H/p, N·W/p, 2U)
      ├─► top to bottom ──► (H/p, N·W/p, U) ┐
      └─► bottom to top ──► (H/p, N·W/p, U) ┴ cat ─► (N, 2U, H/p, W/p)

f is an Elman, GRU or LSTM step.  A sweep is T matrix products, each for all lines of the batch at once.

What a sweep has seen, in patches, at row y and column x:

    along the width, one way     {(y, x') : x' ≤ x}
    along the width, both ways   the row y
    then along the height        every patch: each of the column's patches knows its own row

The price is distance: between (y, x) and (y', x') lie |x − x'| + |y − y'| steps, each of which multiplies
the gradient by W_hhᵀ and f'; receptive_field.py measures what is left of it.

Visin, Kastner, Cho, Matteucci, Courville and Bengio, "ReNet: a recurrent neural network based alternative to
convolutional networks", 2015 (it begins with the columns).
"""

from __future__ import annotations

from minitorch_seg import functional as F
from minitorch_seg import nn
from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.models.blocks import check_images
from minitorch_seg.models.recurrent import both_ways_states, build_cell, check_truncate


class Sweep(nn.Module):
    """Reads each line of a map as a sequence: (N, C, H, W) → (N, U, H, W), or 2U channels both ways.

    Args:
        in_channels: C.
        hidden: U, the size of the state.
        along: "width" (lines are rows, read from the left) or "height" (columns, from the top).
        both_ways: also read each line from its end, by a second layer; its states are joined as channels.
        cell: "elman", "gru" or "lstm".
        truncate: gradients go back so many steps at most (recurrent.py).

    >>> import minitorch_seg as ms
    >>> Sweep(3, 5, "height")(ms.zeros(2, 3, 4, 6)).shape
    (2, 10, 4, 6)
    """

    def __init__(
        self,
        in_channels: int,
        hidden: int,
        along: str = "width",
        both_ways: bool = True,
        cell: str = "gru",
        truncate: int | None = None,
    ):
        super().__init__()
        if along not in ("width", "height"):
            raise ValueError(f"Sweep: along={along!r} is unknown: use 'width' or 'height'")
        check_truncate("Sweep", truncate)
        self.in_channels, self.along, self.truncate = in_channels, along, truncate
        self.out_channels = hidden * (2 if both_ways else 1)
        self.there = build_cell(cell, in_channels, hidden)
        self.back = build_cell(cell, in_channels, hidden) if both_ways else None

    def forward(self, x: Tensor) -> Tensor:
        check_images("Sweep", x, self.in_channels)
        lines_first = x.permute(3, 0, 2, 1) if self.along == "width" else x.permute(2, 0, 3, 1)
        steps, images, lines, channels = lines_first.shape
        sequences = lines_first.reshape(steps, images * lines, channels)
        states = both_ways_states(self.there, self.back, sequences, self.truncate)
        states = states.reshape(steps, images, lines, self.out_channels)
        return states.permute(1, 3, 2, 0) if self.along == "width" else states.permute(1, 3, 0, 2)


class ReNet(nn.Module):
    """One ReNet layer: (N, C, H, W) → (N, 2U, H/p, W/p); rows both ways, then columns both ways.

    Args:
        in_channels: C.
        hidden: U.
        patch: p, which divides H and W.
        cell, truncate: as in `Sweep`.

    >>> import minitorch_seg as ms
    >>> ReNet(3, 5, patch=2)(ms.zeros(1, 3, 4, 6)).shape
    (1, 10, 2, 3)
    """

    def __init__(
        self,
        in_channels: int,
        hidden: int,
        patch: int = 1,
        cell: str = "gru",
        truncate: int | None = None,
    ):
        super().__init__()
        if patch < 1:
            raise ShapeError(f"ReNet: patch must be at least 1, found {patch}")
        self.patch, self.out_channels = patch, 2 * hidden
        self.rows = Sweep(in_channels * patch**2, hidden, "width", cell=cell, truncate=truncate)
        self.columns = Sweep(2 * hidden, hidden, "height", cell=cell, truncate=truncate)

    def forward(self, x: Tensor) -> Tensor:
        patches = F.pixel_unshuffle(x, self.patch) if self.patch > 1 else x
        return self.columns(self.rows(patches))
