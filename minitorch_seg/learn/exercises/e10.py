"""Exercises of lesson 10, sweeps over an image: along the rows, both ways, a ReNet layer, a gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from minitorch_seg.errors import ShapeError
from minitorch_seg.kernels.reference.rnn import rnn as reference
from minitorch_seg.learn.exercise import Case, Exercise, Mistake, derivative_of

# -- 1: a sweep along the rows of a batch --------------------------------------------------------------------


def row_sweep(x, W_xh, W_hh, b_h):
    N, C, H, W = x.shape
    U = len(W_hh)
    y = np.zeros((N, U, H, W))
    h = np.zeros((N, H, U))  # one state for each row of each image
    for n in range(W):
        h = np.tanh(h @ W_hh.T + x[:, :, :, n].transpose(0, 2, 1) @ W_xh.T + b_h)
        y[:, :, :, n] = h.transpose(0, 2, 1)
    return y


def _states(x, W_xh, W_hh, b_h):
    """All states over (T, B, C), from zero."""
    return reference(x, np.zeros((x.shape[1], len(W_hh))), W_xh, W_hh, b_h, "tanh")


def _row_sweep_truth(x, W_xh, W_hh, b_h):
    N, C, H, W = x.shape
    states = _states(x.transpose(3, 0, 2, 1).reshape(W, N * H, C), W_xh, W_hh, b_h)
    return states.reshape(W, N, H, -1).transpose(1, 3, 2, 0)


def _row_sweep_cases() -> Sequence[Case]:
    normal = np.random.default_rng(100).standard_normal

    def case(what: str, *shape: int, U: int = 2) -> Case:
        return Case(what, normal(shape), normal((U, shape[1])), 0.7 * normal((U, U)), normal(U))

    return [
        case("one row", 1, 2, 1, 4),
        case("3 rows of 4", 1, 2, 3, 4),
        case("a square", 1, 1, 3, 3, U=3),
        case("a batch of 2", 2, 3, 3, 4),
    ]


def _one_sequence(x, W_xh, W_hh, b_h):
    N, C, H, W = x.shape
    states = _states(x.transpose(2, 3, 0, 1).reshape(H * W, N, C), W_xh, W_hh, b_h)
    return states.reshape(H, W, N, -1).transpose(2, 3, 0, 1)


def _columns(x, W_xh, W_hh, b_h):
    return row_sweep(x.swapaxes(2, 3), W_xh, W_hh, b_h).swapaxes(2, 3)


def _from_the_right(x, W_xh, W_hh, b_h):
    return row_sweep(x[..., ::-1], W_xh, W_hh, b_h)[..., ::-1]


def _no_memory(x, W_xh, W_hh, b_h):
    return row_sweep(x, W_xh, 0 * W_hh, b_h)


def _channels_last(x, W_xh, W_hh, b_h):
    return row_sweep(x, W_xh, W_hh, b_h).transpose(0, 2, 3, 1)


# -- 2: both ways, a bug to hunt -----------------------------------------------------------------------------


def both_ways(x, there, back):
    return np.concatenate([there(x), back(x[::-1])[::-1]], axis=2)


class Reader:
    """A recurrent network that reads (T, B, C) from the first step on, or both ways, and gives all states."""

    def __init__(self, C: int, U: int, seed: int, ways: int = 1):
        normal = np.random.default_rng(seed).standard_normal
        self.channels = C
        self.weights = [(normal((U, C)), 0.7 * normal((U, U)), normal(U)) for _ in range(ways)]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        if np.ndim(x) != 3 or x.shape[2] != self.channels:
            raise ShapeError(
                f"the network was handed an array of shape {np.shape(x)}, expected (T, B, {self.channels}): "
                "steps, lines, channels"
            )
        states = [_states(x, *self.weights[0])]
        states += [_states(x[::-1], *other)[::-1] for other in self.weights[1:]]
        return np.concatenate(states, axis=2)


def _both_ways_cases() -> Sequence[Case]:
    normal = np.random.default_rng(101).standard_normal
    return [
        Case("one step", normal((1, 2, 2)), Reader(2, 3, 1), Reader(2, 3, 2)),
        Case("4 steps", normal((4, 1, 2)), Reader(2, 3, 3), Reader(2, 3, 4)),
        Case("5 steps, several lines", normal((5, 3, 2)), Reader(2, 2, 5), Reader(2, 2, 6)),
    ]


def _joined(change: Callable) -> Callable:
    return lambda x, there, back: np.concatenate([there(x), change(x, there, back)], axis=2)


# -- 3: the ReNet layer --------------------------------------------------------------------------------------


def renet(x, rows, columns):
    N, C, H, W = x.shape
    z = rows(x.transpose(3, 0, 2, 1).reshape(W, N * H, C))
    z = z.reshape(W, N, H, -1).transpose(2, 1, 0, 3)  # (H, N, W, channels)
    y = columns(z.reshape(H, N * W, -1))
    return y.reshape(H, N, W, -1).transpose(1, 3, 0, 2)


def _along_rows(x, read):
    N, C, H, W = x.shape
    states = read(x.transpose(3, 0, 2, 1).reshape(W, N * H, C))
    return states.reshape(W, N, H, -1).transpose(1, 3, 2, 0)


def _along_columns(x, read):
    return _along_rows(x.swapaxes(2, 3), read).swapaxes(2, 3)


def _renet_truth(x, rows, columns):
    """Line by line."""
    for read, turn in ((rows, (0, 1, 2, 3)), (columns, (0, 1, 3, 2))):
        images = x.transpose(turn).swapaxes(1, 2)  # (N, lines, channels, steps)
        states = [[read(line.T[:, None])[:, 0].T for line in lines] for lines in images]
        x = np.array(states).swapaxes(1, 2).transpose(turn)
    return x


def _renet_cases() -> Sequence[Case]:
    normal = np.random.default_rng(102).standard_normal

    def case(what: str, *shape: int, seed: int) -> Case:
        return Case(what, normal(shape), Reader(4, 2, seed, ways=2), Reader(4, 2, seed + 1, ways=2))

    return [
        case("a single pixel", 1, 4, 1, 1, seed=10),
        case("one row", 1, 4, 1, 3, seed=20),
        case("2 rows of 3", 1, 4, 2, 3, seed=30),
        case("a batch of 2", 2, 4, 3, 2, seed=40),
    ]


def _reshaped(x, rows, columns):
    N, C, H, W = x.shape
    z = rows(x.reshape(W, N * H, C)).reshape(N, -1, H, W)
    return columns(z.reshape(H, N * W, -1)).reshape(N, -1, H, W)


def _reshaped_back(x, rows, columns):
    N, C, H, W = x.shape
    z = _along_rows(x, rows)
    return columns(z.transpose(2, 0, 3, 1).reshape(H, N * W, -1)).reshape(N, -1, H, W)


# -- 4: the gradient of a sweep from the right ---------------------------------------------------------------


def sweep_backward(g, x, h, W_xh, W_hh):
    after = np.concatenate([h[1:], np.zeros(h[:1].shape)])  # h_{n+1}
    dx, dW_xh, dW_hh = np.zeros(x.shape), np.zeros(W_xh.shape), np.zeros(W_hh.shape)
    db_h = np.zeros(len(W_hh))
    carried = np.zeros(h[0].shape)
    for n in range(len(x)):  # from the left, against the sweep
        delta = (1 - h[n] ** 2) * (g[n] + carried)
        dx[n] = delta @ W_xh
        dW_xh += delta.T @ x[n]
        dW_hh += delta.T @ after[n]
        db_h += delta.sum(axis=0)
        carried = delta @ W_hh
    return dx, dW_xh, dW_hh, db_h


def _from_the_end(x, W_xh, W_hh, b_h):
    return _states(x[::-1], W_xh, W_hh, b_h)[::-1]


def _backward_cases() -> Sequence[Case]:
    normal = np.random.default_rng(103).standard_normal

    def case(what: str, T: int, B: int, C: int, U: int) -> Case:
        x, W_xh, W_hh = normal((T, B, C)), normal((U, C)), 0.7 * normal((U, U))
        h = _from_the_end(x, W_xh, W_hh, np.zeros(U))
        return Case(what, normal((T, B, U)), x, h, W_xh, W_hh)

    return [
        case("one step", 1, 2, 3, 2),
        case("4 steps", 4, 2, 3, 2),
        case("3 lines, square weights", 3, 3, 2, 2),
    ]


def _backward_truth(g, x, h, W_xh, W_hh):
    # The bias was 0 when h was made.
    return derivative_of(_from_the_end, wanted=[0, 1, 2, 3])(g, x, W_xh, W_hh, np.zeros(len(W_hh)))


def _bptt(g, x, h, W_xh, W_hh, carry=True, leftwards=False, neighbour=None, last=False, lines=False):
    """sweep_backward with a mistake put in."""
    neighbour = np.concatenate([h[1:], 0 * h[:1]]) if neighbour is None else neighbour
    dx, sums = np.zeros(x.shape), [0.0, 0.0, 0.0]
    carried = np.zeros(h[0].shape)
    for n in reversed(range(len(x))) if leftwards else range(len(x)):
        delta = (1 - h[n] ** 2) * (g[n] + carry * carried)
        dx[n] = delta @ W_xh
        each = delta[:, :, None] * x[n][:, None], delta[:, :, None] * neighbour[n][:, None], delta
        parts = each if lines else [part.sum(axis=0) for part in each]
        sums = [part if last else before + part for before, part in zip(sums, parts, strict=True)]
        carried = delta @ W_hh
    return dx, *sums


def _changed(**changes: bool) -> Callable:
    return lambda g, x, h, W_xh, W_hh: _bptt(g, x, h, W_xh, W_hh, **changes)


def _before(h):
    return np.concatenate([0 * h[:1], h[:-1]])


def _g_not_turned(g, x, h, W_xh, W_hh):
    return sweep_backward(g[::-1], x, h, W_xh, W_hh)


def _dx_not_turned(g, x, h, W_xh, W_hh):
    dx, *others = sweep_backward(g, x, h, W_xh, W_hh)
    return dx[::-1], *others


EXERCISES = [
    Exercise(
        "10.row_sweep",
        "a sweep along the rows of a batch of images, from the left",
        row_sweep,
        _row_sweep_cases,
        (
            Mistake(
                "carried from row to row",
                _one_sequence,
                "right in the first row only: every later one begins with the state that the row above ended "
                "with; each row begins with zeros",
            ),
            Mistake(
                "rows and columns exchanged",
                _columns,
                "these are the states of the columns, read from the top: a step along a row goes from n to "
                "n + 1, the last index",
            ),
            Mistake(
                "from the right", _from_the_right, "the rows are read from the right: the first step is n = 0"
            ),
            Mistake(
                "no memory",
                _no_memory,
                "no pixel knows its neighbour on the left: W_hh h is missing, or h is zero at every step",
            ),
            Mistake("shape", _channels_last),
        ),
        truth=_row_sweep_truth,
    ),
    Exercise(
        "10.both_ways",
        "the states of two networks, one from each end, side by side, with a bug",
        both_ways,
        _both_ways_cases,
        (
            Mistake(
                "not turned back",
                _joined(lambda x, there, back: back(x[::-1])),
                "the states from the other end still stand in the order of reading: step 0 holds the state "
                "of the last pixel; turn them back",
            ),
            Mistake(
                "read the same way",
                _joined(lambda x, there, back: back(x)),
                "the second network reads from the first step too: neither knows what stands behind",
            ),
            Mistake(
                "turned after reading only",
                _joined(lambda x, there, back: back(x)[::-1]),
                "the second network read from the first step, and then its states were turned: turn x "
                "before it reads, and the states after",
            ),
            Mistake(
                "channels turned",
                _joined(lambda x, there, back: back(x[..., ::-1])[..., ::-1]),
                "the channels are turned, not the steps: the first index counts the steps",
            ),
            Mistake(
                "one network for both",
                _joined(lambda x, there, back: there(x[::-1])[::-1]),
                "`there` reads both ways: each direction has a network of its own",
            ),
        ),
        planted=True,
    ),
    Exercise(
        "10.renet",
        "a ReNet layer: rows, then columns, by networks that read both ways",
        renet,
        _renet_cases,
        (
            Mistake(
                "reshape for transpose",
                _reshaped,
                "only a single pixel is right: `reshape` moves no axis, it deals the same numbers out anew, "
                "and pixels of different rows become one line; `transpose` first, then `reshape`",
            ),
            Mistake(
                "reshape at the end",
                _reshaped_back,
                "the states are right, but at wrong places: they come as (H, N·W, channels), so split N·W, "
                "and `transpose` to (N, channels, H, W)",
            ),
            Mistake(
                "columns before rows",
                lambda x, rows, columns: _along_rows(_along_columns(x, columns), rows),
                "the columns are read first (as in the paper); here the rows come first: that is another "
                "network, unless weights are exchanged as well",
            ),
            Mistake(
                "columns of the image",
                lambda x, rows, columns: _along_columns(x, columns),
                "the columns read x itself: they are to read what the rows have found, else no pixel sees "
                "more than its own column",
            ),
            Mistake(
                "rows twice",
                lambda x, rows, columns: _along_rows(_along_rows(x, rows), columns),
                "the second network goes along the rows again, and no row ever hears of another: a column's "
                "steps are the rows",
            ),
            Mistake("shape", lambda x, rows, columns: renet(x, rows, columns).transpose(0, 2, 3, 1)),
        ),
        truth=_renet_truth,
    ),
    Exercise(
        "10.sweep_backward",
        "the gradient of a sweep from the right",
        sweep_backward,
        _backward_cases,
        (
            Mistake(
                "runs with the sweep",
                _changed(leftwards=True),
                "the gradient runs from the right, as the sweep does: h_n acts through h_{n−1}, so δ_n needs "
                "δ_{n−1}, and the loop begins at n = 0",
            ),
            Mistake(
                "g not turned",
                _g_not_turned,
                "x and h were turned and g was not: the gradient of what was turned is turned as well",
            ),
            Mistake(
                "dx not turned back",
                _dx_not_turned,
                "the numbers of dx are right, but the last step's stand first: turn dx back",
            ),
            Mistake(
                "nothing carried",
                _changed(carry=False),
                "every step is treated as if it were the last of its sweep: W_hhᵀ δ_{n−1} joins g_n",
            ),
            Mistake(
                "neighbour on the wrong side",
                lambda g, x, h, W_xh, W_hh: _bptt(g, x, h, W_xh, W_hh, neighbour=_before(h)),
                "W_hh was multiplied by the state on the right, h_{n+1}, and by zeros at the last pixel",
            ),
            Mistake(
                "= for +=",
                _changed(last=True),
                "only one step is left in it: the same weights are used in every step, so their gradient "
                "is a sum",
            ),
            Mistake("forgot the batch", _changed(lines=True)),
        ),
        outputs=("dx", "dW_xh", "dW_hh", "db_h"),
        truth=_backward_truth,
    ),
]
