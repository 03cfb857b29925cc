"""einsum against PyTorch and NumPy; gradients; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError, ShapeError
from tests.helpers import against_numpy, against_torch, differentiable, refuses, same_in_every_layout

CASES = {
    "ij,jk->ik": [(2, 3), (3, 4)],
    "ij,kj": [(2, 3), (4, 3)],
    "i,j->ij": [(2,), (3,)],
    "ij->": [(2, 3)],
    "ij->ji": [(2, 3)],
    "bij,bjk->bik": [(2, 3, 4), (2, 4, 5)],
    "nchw,oc->nohw": [(2, 3, 2, 2), (4, 3)],
    "i,i,i->": [(3,), (3,), (3,)],
    "ij,k->i": [(2, 3), (4,)],
    "ba": [(2, 3)],
    ",i->i": [(), (3,)],
    "ij , jk -> ik": [(2, 3), (3, 4)],
    "ii->i": [(3, 3)],
    "ii": [(3, 3)],
    "...ij,jk->...ik": [(2, 3, 4), (4, 5)],
    "iij,j->i": [(2, 2, 3), (3,)],
    "iji->j": [(3, 2, 3)],
    "iij,jk->ik": [(2, 2, 3), (3, 4)],
    "...ij,...jk->...ik": [(2, 3, 4), (5, 1, 4, 2)],
    "...i->...": [(2, 3, 4)],
    "i...,...": [(3, 2), (2,)],
    "...ii->...i": [(2, 3, 3)],
    "bA,Ab->Ab": [(2, 3), (3, 2)],
    "ij,ij->ij": [(1, 3), (2, 3)],
    "nchw->nc": [(0, 3, 2, 2)],
}


@pytest.mark.parametrize("equation", CASES)
def test_torch(equation):
    against_torch(CASES[equation], lambda L, *x: L.einsum(equation, *x))


@pytest.mark.parametrize("equation", CASES)
def test_numpy(equation):
    against_numpy(CASES[equation], lambda L, *x: ms.einsum(equation, *x), lambda *x: np.einsum(equation, *x))


@pytest.mark.parametrize(
    "equation", ["ij,jk->ik", "i,j->ij", "ij->", "i,i,i->", "ij,k->i", "ii->i", "iij,jk->ik"]
)
@pytest.mark.parametrize("order", [1, 2])
def test_gradients(equation, order):
    differentiable(CASES[equation], lambda L, *x: ms.einsum(equation, *x), order)


def test_refuses():
    refuses(ValueError, "einsum operands 1", lambda L: L.einsum("ij,jk->ik", L.zeros(2, 3)))
    refuses(ShapeError, "einsum 3 letters (2, 3)", lambda L: L.einsum("ijk->i", L.zeros(2, 3)))
    refuses(ShapeError, "einsum 'j' 3 4", lambda L: L.einsum("ij,jk->ik", L.zeros(2, 3), L.zeros(4, 2)))
    refuses(ValueError, "einsum 'iz'", lambda L: L.einsum("ij->iz", L.zeros(2, 3)))
    refuses(ValueError, "einsum once", lambda L: L.einsum("ij->ii", L.zeros(2, 2)))
    refuses(ShapeError, "einsum 'i' 2 3", lambda L: L.einsum("ii->i", L.zeros(2, 3)))
    refuses(ValueError, "einsum 'i1' letters", lambda L: L.einsum("i1->i", L.zeros(2, 3)))
    refuses(ShapeError, "einsum 'i' 1 letters", lambda L: L.einsum("i->i", L.zeros(2, 3)))
    refuses(
        DTypeError,
        "einsum float32, float64",
        lambda L: L.einsum("ij,jk->ik", L.zeros(2, 3), L.zeros(3, 2, dtype=L.float64)),
    )


def test_the_result_is_no_view():
    x = ms.zeros(2, 3)
    for equation in ("ij->ji", "ij->ij"):
        assert not np.shares_memory(ms.einsum(equation, x).data, x.data)
    square = ms.zeros(3, 3)
    assert not np.shares_memory(ms.einsum("ii->i", square).data, square.data)


def test_layouts():
    same_in_every_layout([(2, 3, 4, 5), (6, 3)], lambda L, x, w: L.einsum("nchw,oc->nohw", x, w))
