"""Exercises of lesson 09, recurrence: forward, back-propagation through time, clipping, reading in pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from minitorch_seg.kernels.reference.rnn import rnn as reference
from minitorch_seg.learn.exercise import Case, Exercise, Mistake, derivative_of

# -- 1: forward ----------------------------------------------------------------------------------------------


def rnn(x, h0, W_xh, W_hh, b_h):
    h, states = h0, []
    for x_t in x:
        h = np.tanh(h @ W_hh.T + x_t @ W_xh.T + b_h)
        states.append(h)
    return np.array(states)


def _rnn_truth(x, h0, W_xh, W_hh, b_h):
    return reference(x, h0, W_xh, W_hh, b_h, "tanh")


def _rnn_cases() -> Sequence[Case]:
    normal = np.random.default_rng(90).standard_normal

    def case(what: str, T: int, N: int, C: int, H: int, start: float = 1.0) -> Case:
        weights = normal((H, C)), 0.7 * normal((H, H)), normal(H)
        return Case(what, normal((T, N, C)), start * normal((N, H)), *weights)

    return [
        case("one step", 1, 2, 3, 2),
        case("5 steps from zero", 5, 2, 3, 2, start=0.0),
        case("as many numbers in as states", 4, 3, 2, 2),
        case("a batch of one", 3, 1, 4, 3),
    ]


def _no_memory(x, h0, W_xh, W_hh, b_h):
    return np.tanh(h0 @ W_hh.T + x @ W_xh.T + b_h)


def _untransposed(x, h0, W_xh, W_hh, b_h):
    return rnn(x, h0, W_xh, W_hh.T, b_h)


def _from_zero(x, h0, W_xh, W_hh, b_h):
    return rnn(x, 0 * h0, W_xh, W_hh, b_h)


def _partly(x, h0, W_xh, W_hh, b_h):
    h, states = h0, []
    for x_t in x:
        h = h @ W_hh.T + np.tanh(x_t @ W_xh.T + b_h)
        states.append(h)
    return np.array(states)


def _last_only(x, h0, W_xh, W_hh, b_h):
    return rnn(x, h0, W_xh, W_hh, b_h)[-1]


# -- 2: back-propagation through time ------------------------------------------------------------------------


def rnn_backward(g, x, h, h0, W_xh, W_hh):
    before = np.concatenate([h0[None], h[:-1]])  # h_{t-1}
    dx, dW_xh, dW_hh = np.zeros(x.shape), np.zeros(W_xh.shape), np.zeros(W_hh.shape)
    db_h = np.zeros(len(W_hh))
    carried = np.zeros(h0.shape)
    for t in reversed(range(len(x))):
        delta = (1 - h[t] ** 2) * (g[t] + carried)
        dx[t] = delta @ W_xh
        dW_xh += delta.T @ x[t]
        dW_hh += delta.T @ before[t]
        db_h += delta.sum(axis=0)
        carried = delta @ W_hh
    return dx, carried, dW_xh, dW_hh, db_h


def _all_states(x, h0, W_xh, W_hh, b_h):
    return rnn(x, h0, W_xh, W_hh, b_h)


def _backward_cases() -> Sequence[Case]:
    normal = np.random.default_rng(91).standard_normal

    def case(what: str, T: int, N: int, C: int, H: int) -> Case:
        x, h0 = normal((T, N, C)), normal((N, H))
        W_xh, W_hh = normal((H, C)), 0.7 * normal((H, H))
        h = rnn(x, h0, W_xh, W_hh, np.zeros(H))
        return Case(what, normal((T, N, H)), x, h, h0, W_xh, W_hh)

    return [
        case("one step", 1, 2, 3, 2),
        case("4 steps", 4, 2, 3, 2),
        case("a batch of 3, square weights", 3, 3, 2, 2),
    ]


def _backward_truth(g, x, h, h0, W_xh, W_hh):
    # The bias was 0 when h was made.
    return derivative_of(_all_states, wanted=[0, 1, 2, 3, 4])(g, x, h0, W_xh, W_hh, np.zeros(len(W_hh)))


def _bptt(g, x, h, h0, W_xh, W_hh, slope=True, carry=True, before=None, back=None, last=False):
    before = np.concatenate([h0[None], h[:-1]]) if before is None else before
    back = W_hh if back is None else back
    results = [
        np.zeros(x.shape),
        np.zeros(h0.shape),
        np.zeros(W_xh.shape),
        np.zeros(W_hh.shape),
        np.zeros(len(W_hh)),
    ]
    carried = np.zeros(h0.shape)
    for t in reversed(range(len(x))):
        delta = (1 - h[t] ** 2 if slope else 1) * (g[t] + carry * carried)
        results[0][t] = delta @ W_xh
        for k, part in ((2, delta.T @ x[t]), (3, delta.T @ before[t]), (4, delta.sum(axis=0))):
            results[k] = part if last else results[k] + part
        carried = delta @ back
    results[1] = carried
    return tuple(results)


def _changed(**changes: bool) -> Callable:
    return lambda g, x, h, h0, W_xh, W_hh: _bptt(g, x, h, h0, W_xh, W_hh, **changes)


# -- 3: clipping ---------------------------------------------------------------------------------------------


def clip(g1, g2, c):
    norm = np.sqrt((g1**2).sum() + (g2**2).sum())
    factor = min(1, c / norm) if norm > 0 else 1
    return factor * g1, factor * g2


def _clip_cases() -> Sequence[Case]:
    normal = np.random.default_rng(92).standard_normal
    return [
        Case("short ones stay as they are", 0.1 * normal((2, 3)), 0.1 * normal(4), c=2.0),
        Case("long ones", 5 * normal((2, 3)), normal(4), c=1.0),
        Case("each short enough, together too long", np.array([[3.0, 0.0]]), np.array([0.0, 4.0]), c=4.5),
        Case("all zero", np.zeros((2, 2)), np.zeros(3), c=1.0),
    ]


def _each_alone(g1, g2, c):
    return tuple(g * min(1, c / max(np.sqrt((g**2).sum()), 1e-300)) for g in (g1, g2))


def _always(g1, g2, c):
    norm = max(np.sqrt((g1**2).sum() + (g2**2).sum()), 1e-300)
    return g1 * c / norm, g2 * c / norm


def _divides(g1, g2, c):
    norm = np.sqrt((g1**2).sum() + (g2**2).sum())
    with np.errstate(all="ignore"):
        return np.minimum(1, c / norm) * g1 * (norm / norm), np.minimum(1, c / norm) * g2 * (norm / norm)


# -- 4: a bug to hunt ----------------------------------------------------------------------------------------


def read_in_pieces(x, h0, w, u, k):
    states, h = [], h0
    for first in range(0, len(x), k):
        for x_t in x[first : first + k]:
            h = np.tanh(u * h + w * x_t)
            states.append(h)
    return np.array(states)


def _pieces_truth(x, h0, w, u, k):
    one = np.ones((1, 1))
    return reference(x[:, None, None], h0 * one, w * one, u * one, None, "tanh")[:, 0, 0]


def _pieces_cases() -> Sequence[Case]:
    normal = np.random.default_rng(93).standard_normal
    return [
        Case("one piece", normal(4), 0.5, w=0.8, u=0.9, k=4),
        Case("a short sequence", normal(3), -0.5, w=0.8, u=0.9, k=5),
        Case("two pieces and a rest", normal(8), 0.5, w=0.8, u=0.9, k=3),
    ]


def _resets(x, h0, w, u, k):
    return np.concatenate([read_in_pieces(x[i : i + k], h0, w, u, k) for i in range(0, len(x), k)])


def _zeros_between(x, h0, w, u, k):
    first = [h0] + [0.0] * len(x)
    return np.concatenate([read_in_pieces(x[i : i + k], first[i], w, u, k) for i in range(0, len(x), k)])


def _no_rest(x, h0, w, u, k):
    return read_in_pieces(x[: max(k, len(x) // k * k)], h0, w, u, k)


def _twice(x, h0, w, u, k):
    states, h = [], h0
    for i in range(0, len(x), k):
        h = np.tanh(u * h + w * x[i]) if i else h  # the first of a piece is read twice
        for x_t in x[i : i + k]:
            h = np.tanh(u * h + w * x_t)
            states.append(h)
    return np.array(states)


EXERCISES = [
    Exercise(
        "09.rnn",
        "all states of the documented recurrence, with f = tanh",
        rnn,
        _rnn_cases,
        (
            Mistake(
                "no memory",
                _no_memory,
                "right for one step; then every state is made of h₀ again, and nothing is remembered: "
                "hand the new state on",
            ),
            Mistake(
                "W_hh transposed",
                _untransposed,
                "W_hh acts on the wrong side: states are rows here, so W_hh h is written h @ W_hh.T",
            ),
            Mistake("forgot h0", _from_zero, "it begins with zeros, not with the h0 that is handed in"),
            Mistake(
                "f of a part", _partly, "f takes the whole sum, the past as well: tanh(W_hh h + W_xh x + b)"
            ),
            Mistake("shape", _last_only),
        ),
        truth=_rnn_truth,
    ),
    Exercise(
        "09.rnn_backward",
        "back-propagation through time: all five gradients",
        rnn_backward,
        _backward_cases,
        (
            Mistake(
                "the last step only",
                _changed(carry=False),
                "nothing is carried back in time: h_t also acts through h_{t+1}, so W_hhᵀ δ_{t+1} joins g_t",
            ),
            Mistake(
                "forgot f'",
                _changed(slope=False),
                "the slope of tanh is missing: δ_t = (1 − h_t²) ⊙ (...)",
            ),
            Mistake(
                "h of the same step",
                lambda g, x, h, h0, W_xh, W_hh: _bptt(g, x, h, h0, W_xh, W_hh, before=h),
                "W_hh was multiplied by the state before, h_{t−1}; the first of them is h₀",
            ),
            Mistake(
                "= for +=",
                _changed(last=True),
                "only one step is left in it: the same weights are used in every step, so their gradient "
                "is a sum",
            ),
            Mistake(
                "W_hh transposed",
                lambda g, x, h, h0, W_xh, W_hh: _bptt(g, x, h, h0, W_xh, W_hh, back=W_hh.T),
                "carried by W_hh where its transpose belongs; for rows of states that is delta @ W_hh",
            ),
        ),
        outputs=("dx", "dh0", "dW_xh", "dW_hh", "db_h"),
        truth=_backward_truth,
    ),
    Exercise(
        "09.clip",
        "two gradients shortened together to a norm of at most c",
        clip,
        _clip_cases,
        (
            Mistake(
                "each by itself",
                _each_alone,
                "each is shortened by itself, and the direction changes: the norm is that of all together",
            ),
            Mistake(
                "each number by itself",
                lambda g1, g2, c: (np.clip(g1, -c, c), np.clip(g2, -c, c)),
                "each number is cut by itself, which turns the direction: multiply all by one factor",
            ),
            Mistake(
                "stretches",
                _always,
                "short gradients are made longer: the factor is at most 1 (clipping cures no vanishing)",
            ),
            Mistake("nan", _divides),
        ),
        outputs=("g1", "g2"),
    ),
    Exercise(
        "09.read_in_pieces",
        "a sequence read in pieces of k steps, with a bug",
        read_in_pieces,
        _pieces_cases,
        (
            Mistake(
                "begins anew",
                _resets,
                "every piece begins with h₀ again: truncation cuts the way back; forward the state is "
                "handed on from piece to piece",
            ),
            Mistake(
                "zeros between",
                _zeros_between,
                "every later piece begins with zeros: the state at the end of a piece is the next one's h₀",
            ),
            Mistake("shape", _no_rest),
            Mistake(
                "reads twice", _twice, "the first number of every later piece is read twice; each counts once"
            ),
        ),
        truth=_pieces_truth,
        planted=True,
    ),
]
