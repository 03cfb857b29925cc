"""The plainest recurrent segmentation, conv → RNN → labels: the whole map is one sequence of pixels.

    image (N, C, H, W)                                                  logits (N, K, H, W)
      │ 3×3 convolution, relu, max-pool 2, as often as depth says          ▲ bilinear
    (N, F, H/2^d, W/2^d)                                                (N, K, H/2^d, W/2^d)
      │ row-major order: T = H·W/4^d pixels, one after the other           ▲ back to rows
    (T, N, F) ──── h_t = f(W_hh h_{t−1} + W_xh x_t + b_h) ──► (T, N, U) ─► (T, N, K)
                                                                W_hy h_t + b_y

This is the source text's recipe taken at its word, with the order of reading that it leaves out: along each
row, row by row.  It shows why the sweeps of renet.py exist.  In a map of w columns

- pixel (y, x) has seen what stands before it in this order, and nothing below it or to its right in its row;
- its neighbour above is not one step away but w, over which the gradient of an Elman network has all but
  vanished; the last pixel of the row above, across the whole image, is as near as its neighbour on the left;
- T = h·w steps wait for each other, where sweeps need w + h.

Reading the sequence also from its end (both_ways) mends the first point only.
"""

from __future__ import annotations

from minitorch_seg import functional as F
from minitorch_seg import nn
from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.models.blocks import begin_as_he, check_images, check_sizes
from minitorch_seg.models.recurrent import both_ways_states, build_cell, check_truncate


class SequenceRNN(nn.Module):
    """Images (N, in_channels, H, W) of any size → logits (N, num_classes, H, W).

    Args:
        in_channels: C, of the image.
        num_classes: K.
        base_channels: channels of the first convolution; each one after it has twice as many.
        depth: how many times the map is convolved and halved; 0 convolves once and halves nothing.
        hidden: U, default the channels F that the last convolution gives.
        cell: "elman", "gru" or "lstm".
        both_ways: also read from the last pixel to the first.
        truncate: gradients go back so many pixels at most (recurrent.all_states).

    >>> import minitorch_seg as ms
    >>> SequenceRNN(1, 2, base_channels=4, depth=2)(ms.zeros(1, 1, 30, 21)).shape
    (1, 2, 30, 21)
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        base_channels: int = 16,
        depth: int = 3,
        hidden: int | None = None,
        cell: str = "elman",
        both_ways: bool = False,
        truncate: int | None = None,
    ):
        super().__init__()
        check_sizes(
            "SequenceRNN", in_channels=in_channels, num_classes=num_classes, base_channels=base_channels
        )
        check_truncate("SequenceRNN", truncate)
        if depth < 0:
            raise ShapeError(f"SequenceRNN: depth must be 0 or more, found {depth}")
        self.in_channels, self.depth, self.truncate = in_channels, depth, truncate
        widths = [base_channels * 2**level for level in range(max(depth, 1))]
        states = widths[-1] if hidden is None else hidden
        self.front = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in zip([in_channels, *widths], widths, strict=False)
        )
        self.there = build_cell(cell, widths[-1], states)
        self.back = build_cell(cell, widths[-1], states) if both_ways else None
        self.head = nn.Linear(states * (2 if both_ways else 1), num_classes)
        begin_as_he(self.front)

    def forward(self, x: Tensor) -> Tensor:
        check_images("SequenceRNN", x, self.in_channels)
        if min(x.shape[2:]) < 2**self.depth:
            raise ShapeError(
                f"SequenceRNN: input has shape {x.shape}, both sides need at least {2**self.depth} pixels"
            )
        size = x.shape[2], x.shape[3]
        for conv in self.front:
            x = F.relu(conv(x))
            x = F.max_pool2d(x, 2) if self.depth else x
        images, channels, height, width = x.shape
        sequence = x.permute(2, 3, 0, 1).reshape(height * width, images, channels)
        states = both_ways_states(self.there, self.back, sequence, self.truncate)
        labels = self.head(states).reshape(height, width, images, -1).permute(2, 3, 0, 1)
        return F.interpolate(labels, size=size, mode="bilinear") if self.depth else labels
