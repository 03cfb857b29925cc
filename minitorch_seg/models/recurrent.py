"""What the recurrent models share: cells by name, both directions, truncated back-propagation."""

from __future__ import annotations

from collections.abc import Callable

from minitorch_seg import nn
from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import nearest_name
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


def check_truncate(name: str, truncate: int | None) -> None:
    """Raise a ValueError unless truncate is None or a whole number of at least 1."""
    if truncate is not None and (not isinstance(truncate, int) or truncate < 1):
        raise ValueError(f"{name}: truncate must be at least 1 (a whole number of steps), found {truncate}")


def all_states(layer: nn.RNN | nn.GRU | nn.LSTM, x: Tensor, truncate: int | None = None) -> Tensor:
    """All states of a layer over x (T, N, C) → (T, N, H); gradients go back `truncate` steps at most.

    Truncated back-propagation through time: the sequence is read in pieces of k = truncate steps.  The state
    at the end of a piece is handed to the next one as a number, without its history:

        h_t = f(h_{t−1}, x_t),      but ∂h_t/∂h_{t−1} counts as 0 where t is a multiple of k

    with steps counted from 0.  So the values are those of the whole sequence, while the gradient of h_t
    reaches x_s for k ⌊t/k⌋ ≤ s ≤ t only.  This bounds how far a gradient goes, not the memory: the pieces are
    joined again, so their graph lives until the backward pass.  `backward_in_pieces` frees it piece by piece.
    (The paper also knows pieces that overlap, so that no step stands at a hard edge; these do not.)

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
    check_truncate("all_states", truncate)
    state, pieces = None, []
    for first in range(0, x.shape[0], truncate):
        states, state = layer(x[first : first + truncate], state)
        state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        pieces.append(states)
    return cat(pieces, 0)


def both_ways_states(
    there: nn.RNN | nn.GRU | nn.LSTM,
    back: nn.RNN | nn.GRU | nn.LSTM | None,
    x: Tensor,
    truncate: int | None = None,
) -> Tensor:
    """States of a layer over x (T, N, C) → (T, N, H), joined with those of another that reads from the end.

    >>> import minitorch_seg as ms
    >>> both_ways_states(build_cell("gru", 2, 3), build_cell("gru", 2, 3), ms.zeros(5, 1, 2)).shape
    (5, 1, 6)
    """
    states = all_states(there, x, truncate)
    if back is None:
        return states
    return cat([states, all_states(back, x.flip(0), truncate).flip(0)], 2)


def backward_in_pieces(
    layer: nn.RNN | nn.GRU | nn.LSTM, x: Tensor, loss: Callable[[Tensor, slice], Tensor], truncate: int
) -> float:
    """Truncated back-propagation with the memory of one piece: forward and backward of k steps at a time.

        L = Σ_pieces loss(h_{first … last}, slice(first, last))

    The gradients of the layer, of what `loss` is made of and of x are those of `all_states` with this
    `truncate`, but the graph of a piece is gone before the next begins.  The price: a loss that is a sum over
    pieces, and a layer that reads one way.

    Args:
        layer, truncate: as in `all_states`.
        x: (T, N, C); where it requires a gradient, what made it gets it at the end, in one backward pass.
        loss: (states of a piece (k, N, H), its steps) → one number, without gradients of its own kept.

    Returns: L.

    >>> import minitorch_seg as ms
    >>> layer, x = ms.nn.RNN(2, 3), ms.ones(6, 1, 2)
    >>> backward_in_pieces(layer, x, lambda states, steps: states.sum(), truncate=4) != 0
    True
    """
    state, total, gradients = None, 0.0, []
    for first in range(0, x.shape[0], truncate):
        steps = slice(first, min(first + truncate, x.shape[0]))
        piece = x.detach()[steps]
        piece.requires_grad = x.requires_grad
        states, state = layer(piece, state)
        state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        part = loss(states, steps)
        part.backward()
        total += part.item()
        if piece.grad is not None:
            gradients.append(piece.grad)
    if x.requires_grad:
        x.backward(cat(gradients, 0))
    return total
