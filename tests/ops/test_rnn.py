"""rnn against the formula in NumPy, against PyTorch's cell, twin, gradients, refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError, ShapeError
from minitorch_seg.ops.rnn import Recurrence
from tests.helpers import (
    OURS,
    against_numpy,
    against_torch,
    close,
    differentiable,
    draw,
    refuses,
    same_in_every_layout,
    twin_agrees,
)

SPECS = [(5, 2, 3), (2, 4), (4, 3), (4, 4), (4,)]  # x, h0, W_xh, W_hh, b_h
FUNCTIONS = {"tanh": np.tanh, "relu": lambda a: np.maximum(a, 0)}


def loop(x, h, W_xh, W_hh, b, f):
    states = []
    for step in x:
        h = np.stack([f(W_hh @ h[n] + W_xh @ step[n] + b) for n in range(len(h))])
        states.append(h)
    return np.stack(states)


@pytest.mark.parametrize("f", FUNCTIONS)
def test_numpy(f):
    against_numpy(SPECS, lambda L, *a: L.rnn(*a, f), lambda *a: loop(*a, FUNCTIONS[f]))


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("steps", [1, 6])
def test_torch(f, steps):
    def call(L, x, h, W_xh, W_hh, b):
        if L is OURS:
            return L.rnn(x, h, W_xh, W_hh, b, f)
        states = []
        for step in x:
            h = getattr(L, f)(step @ W_xh.T + h @ W_hh.T + b)
            states.append(h)
        return L.stack(states)

    against_torch([(steps, 2, 3), *SPECS[1:]], call)


@pytest.mark.parametrize("f", FUNCTIONS)
def test_twin(f):
    twin_agrees(Recurrence, *draw(SPECS), f)
    x, h0, W_xh, W_hh, _ = draw(SPECS)
    twin_agrees(Recurrence, x, h0, W_xh, W_hh, None, f)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("f", ["tanh", lambda a: a.sigmoid() * 2 - 1])
def test_gradients(f, order):
    specs = [(3, 1, 2), (1, 2), (2, 2), (2, 2), (2,)]
    differentiable(specs, lambda L, *a: L.rnn(*a, f), order)
    if order == 1:
        differentiable(SPECS, lambda L, *a: L.rnn(*a, f))
        differentiable(SPECS, lambda L, *a: L.rnn(*a, "relu"))


def test_any_function_gives_what_the_kernel_gives():
    arrays = [ms.tensor(a) for a in draw(SPECS)]
    close(OURS.rnn(*arrays, f=lambda a: a.tanh()).data, OURS.rnn(*arrays, f="tanh").data)


def test_without_state_and_bias():
    x, _, W_xh, W_hh, _ = (ms.tensor(a) for a in draw(SPECS))
    zero = ms.zeros(2, 4, dtype="float64")
    close(
        OURS.rnn(x, None, W_xh, W_hh).data, OURS.rnn(x, zero, W_xh, W_hh, ms.zeros(4, dtype="float64")).data
    )


def test_single_sequence_and_no_batch_and_no_steps():
    x, h0, W_xh, W_hh, b = (ms.tensor(a) for a in draw(SPECS))
    close(OURS.rnn(x[:, 0], h0[0], W_xh, W_hh, b).data, OURS.rnn(x, h0, W_xh, W_hh, b).data[:, 0])
    assert OURS.rnn(x[:, :0], None, W_xh, W_hh, b).shape == (5, 0, 4)
    assert OURS.rnn(x[:0], None, W_xh, W_hh, b).shape == (0, 2, 4)


def test_the_past_is_felt_through_many_steps():
    """W_hh = 1, relu: h_T is the sum of all inputs, so each of them has gradient 1."""
    x = ms.tensor(np.ones((50, 1, 1)), requires_grad=True)
    one = ms.ones(1, 1, dtype="float64")
    OURS.rnn(x, None, one, one, f="relu")[-1].sum().backward()
    assert (x.grad.data == 1).all()


def test_layouts():
    same_in_every_layout(SPECS, lambda L, *a: L.rnn(*a))


def shapes(*sizes, dtype="float32", **options):
    return lambda L: L.rnn(
        *(L.zeros(s, dtype=dtype if i == 2 else "float32") for i, s in enumerate(sizes)), **options
    )


@pytest.mark.parametrize(
    "error, words, call",
    [
        (ShapeError, "rnn x (5,) (T,", shapes((5,), (4,), (4, 3), (4, 4))),
        (ShapeError, "rnn W_xh (4, 2) (4, 3)", shapes((5, 2, 3), (2, 4), (4, 2), (4, 4))),
        (ShapeError, "rnn W_hh (4, 3) (4, 4)", shapes((5, 2, 3), (2, 4), (4, 3), (4, 3))),
        (ShapeError, "rnn b_h (3,) (4,)", shapes((5, 2, 3), (2, 4), (4, 3), (4, 4), (3,))),
        (ShapeError, "rnn h0 (1, 4) (2, 4)", shapes((5, 2, 3), (1, 4), (4, 3), (4, 4))),
        (ValueError, "rnn 'gelu'", shapes((5, 2, 3), (2, 4), (4, 3), (4, 4), f="gelu")),
        (DTypeError, "rnn float32 W_xh float64", shapes((5, 2, 3), (2, 4), (4, 3), (4, 4), dtype="float64")),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call, torch_too=False)


def test_without_a_start_it_is_zero_in_the_dtype_of_x():
    for dtype in ("float32", "float64"):
        x, w, v = (ms.ones(*s, dtype=dtype) for s in ((2, 1, 3), (4, 3), (4, 4)))
        y = ms.functional.rnn(x, None, w, v)
        assert y.dtype == np.dtype(dtype) and y.shape == (2, 1, 4)
        start = ms.functional.rnn(x, ms.zeros(1, 4, dtype=dtype), w, v)
        assert y.tolist() == start.tolist()


def test_a_number_for_a_matrix_is_a_shape_error():
    for operator, rows in ((ms.functional.rnn, 4), (ms.functional.gru, 12)):
        with pytest.raises(ValueError, match="W_"):
            operator(ms.zeros(2, 1, 3), None, ms.zeros(rows, 3), ms.tensor(1.0))
