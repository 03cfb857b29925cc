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
from minitorch_seg.errors import ShapeError, nearest_name
from minitorch_seg.ops.cat import cat

CELLS: dict[str, type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]] = {
    "elman": nn.RNN,
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}


def build_cell(cell: str, input_size: int, hidden_size: int) -> nn.RNN | nn.GRU | nn.LSTM:
    """A recurrent layer that reads one way: "elman", "gru" or "lstm".

    >>> build_cell("gru", 3, 5)
    GRU(3, 5, num_layers=1, bidirectional=False)
    """
    if cell not in CELLS:
        raise ValueError(f"there is no recurrent cell {cell!r}{nearest_name(cell, CELLS)}")
    return CELLS[cell](input_size, hidden_size)


def all_states(layer: nn.RNN | nn.GRU | nn.LSTM, x: Tensor, truncate: int | None = None) -> Tensor:
    """All states of a layer over x (T, N, C) → (T, N, H); gradients go back `truncate` steps at most.

    Truncated back-propagation through time: the sequence is read in pieces of k = truncate steps.  The state
    at the end of a piece is handed to the next one as a number, without its history:

        h_t = f(h_{t−1}, x_t),      but ∂h_t/∂h_{t−1} counts as 0 where t is a multiple of k

    with steps counted from 0.  So the values are those of the whole sequence, while the gradient of h_t
    reaches x_s for k ⌊t/k⌋ ≤ s ≤ t only, and the graph of a long sequence may be freed piece by piece.

    Args:
        layer: nn.RNN, nn.GRU or nn.LSTM that reads one way (the other way, a piece would need states from the
            pieces after it).
        x: (T, N, C).
        truncate: k; None goes back to the beginning.

    Raises: ValueError for truncate < 1, or a layer that reads both ways.

    Williams and Peng, "An efficient gradient-based algorithm for on-line training of recurrent network
    trajectories", 1990.

    >>> import minitorch_seg as ms
    >>> x = ms.ones(6, 1, 2, requires_grad=True)
    >>> all_states(ms.nn.RNN(2, 3), x, truncate=4)[5].sum().backward()
    >>> (abs(x.grad).sum((1, 2)) > 0).tolist()
    [False, False, False, False, True, True]
    """
    if layer.bidirectional:
        raise ValueError("all_states: a layer that reads both ways cannot be read in pieces; use two layers")
    if truncate is None:
        return layer(x)[0]
    if truncate < 1:
        raise ValueError(f"all_states: truncate must be at least 1, found {truncate}")
    state, pieces = None, []
    for first in range(0, x.shape[0], truncate):
        states, state = layer(x[first : first + truncate], state)
        state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        pieces.append(states)
    return cat(pieces, 0)


class Sweep(nn.Module):
    """Reads each line of a map as a sequence: (N, C, H, W) → (N, U, H, W), or 2U channels both ways.

    Args:
        in_channels: C.
        hidden: U, the size of the state.
        along: "width" (lines are rows, read from the left) or "height" (columns, from the top).
        both_ways: also read each line from its end, by a second layer; its states are joined as channels.
        cell: "elman", "gru" or "lstm".
        truncate: gradients go back so many steps at most (`all_states`).

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
        self.in_channels, self.along, self.truncate = in_channels, along, truncate
        self.out_channels = hidden * (2 if both_ways else 1)
        self.there = build_cell(cell, in_channels, hidden)
        self.back = build_cell(cell, in_channels, hidden) if both_ways else None

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ShapeError(f"Sweep: input has shape {x.shape}, expected (N, {self.in_channels}, H, W)")
        lines_first = x.permute(3, 0, 2, 1) if self.along == "width" else x.permute(2, 0, 3, 1)
        steps, images, lines, channels = lines_first.shape
        sequences = lines_first.reshape(steps, images * lines, channels)
        states = all_states(self.there, sequences, self.truncate)
        if self.back is not None:
            back = all_states(self.back, sequences.flip(0), self.truncate).flip(0)
            states = cat([states, back], 2)
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
