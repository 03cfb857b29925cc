"""Reductions against PyTorch and NumPy: every dim, ties, NaN, empty, integers; gradients; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError
from tests.helpers import (
    OURS,
    against_numpy,
    against_torch,
    close,
    differentiable,
    draw,
    refuses,
    same_in_every_layout,
    theirs,
)

SHAPE = (2, 3, 4, 5)
DIMS = [None, 0, 1, -1, (0, 2, 3), (1, 3), (0, 1, 2, 3), (-1, 0)]
MANY = {
    "sum": lambda L, x, d, k: x.sum(d, keepdim=k),
    "mean": lambda L, x, d, k: x.mean(d, keepdim=k),
    "var": lambda L, x, d, k: x.var(dim=d, keepdim=k),
    "var 0": lambda L, x, d, k: x.var(dim=d, correction=0, keepdim=k),
    "std": lambda L, x, d, k: x.std(dim=d, keepdim=k),
    "amax": lambda L, x, d, k: L.amax(x, () if d is None else d, k),
    "amin": lambda L, x, d, k: L.amin(x, () if d is None else d, k),
    "logsumexp": lambda L, x, d, k: L.logsumexp(x, tuple(range(x.ndim)) if d is None else d, k),
}
TIES = np.array([[1.0, 3, 3, 0], [2, 2, 2, 2], [5, -1, 5, 5]])


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", DIMS, ids=str)
@pytest.mark.parametrize("name", MANY)
def test_torch(name, dim, keepdim):
    against_torch([SHAPE], lambda L, x: MANY[name](L, x, dim, keepdim))


@pytest.mark.parametrize("name", MANY)
def test_other_ranks(name):
    for shape, dim in [((6,), 0), ((1, 5), 0), ((3, 2), None)]:
        if name in ("var", "std") and shape == (1, 5):
            continue
        against_torch([shape], lambda L, x, d=dim: MANY[name](L, x, d, False))
    if name not in ("var", "std"):
        against_torch([()], lambda L, x: MANY[name](L, x, None, False))


@pytest.mark.parametrize("name", ["sum", "mean", "var", "std", "amax", "amin"])
@pytest.mark.parametrize("dim", DIMS, ids=str)
def test_numpy(name, dim):
    options = {"ddof": 1} if name in ("var", "std") else {}
    against_numpy(
        [SHAPE],
        lambda L, x: MANY[name](L, x, dim, False),
        lambda x: getattr(np, name)(x, axis=dim, **options),
    )


def test_logsumexp_scipy():
    special = pytest.importorskip("scipy.special")
    x = np.array([[1000.0, 1000, 0], [-np.inf, 0, 1], [-np.inf] * 3, [np.inf, 0, 0]])
    against_numpy([x], lambda L, x: L.logsumexp(x, 1), lambda x: special.logsumexp(x, axis=1))


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("name", ["max", "min"])
def test_extremum_with_indices(name, dim, keepdim):
    for case in ((3, 4), TIES, -TIES):
        against_torch([case], lambda L, x: tuple(getattr(x, name)(dim, keepdim)))
        against_torch([case], lambda L, x: getattr(x, "arg" + name)(dim, keepdim), gradients=False)
    against_torch([SHAPE], lambda L, x: tuple(getattr(x, name)(dim, keepdim)))


@pytest.mark.parametrize("name", ["max", "min", "amax", "amin"])
def test_ties_over_everything(name):
    against_torch([TIES], lambda L, x: getattr(x, name)())
    if name[0] == "a":
        against_torch([TIES], lambda L, x: getattr(x, name)(1))


def test_argmax_over_classes_is_the_first_and_finds_nan():
    x = np.round(draw([(2, 5, 3, 4)])[0])
    x[0, 2, 0, 0] = x[0, 4, 0, 0] = np.nan
    against_torch([x], lambda L, x: (x.argmax(1), x.argmax(1, True), x.argmax()), gradients=False)
    assert OURS.argmax(ms.tensor(x), 1).data[0, 0, 0] == 2


def test_nan_wins():
    x = np.array([[1.0, np.nan, 2.0], [np.nan, np.nan, 0.0]])
    for call in (
        lambda L, x: x.amax(1),
        lambda L, x: x.max(),
        lambda L, x: tuple(x.max(1)),
        lambda L, x: tuple(x.min(1)),
    ):
        against_torch([x], call, gradients=False)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_cumsum(dim):
    against_torch([SHAPE], lambda L, x: x.cumsum(dim))
    against_numpy([(3, 4)], lambda L, x: x.cumsum(dim), lambda x: np.cumsum(x, dim))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "bool"])
def test_integers(dtype):
    x = np.array([[1, 0, 200], [1, 1, 250]]).astype(dtype)
    against_torch([x], lambda L, x: (x.sum(), x.sum(1), x.cumsum(0), x.amax(1)), gradients=False)


@pytest.mark.filterwarnings("error")
def test_empty():
    against_torch([(0, 3)], lambda L, x: (x.sum(), x.sum(0), x.sum(1), x.mean(1), x.amax(1), x.cumsum(0)))
    against_torch([(0, 3)], lambda L, x: (x.mean(), x.mean(0)))
    against_torch([(0, 3)], lambda L, x: (L.logsumexp(x, 0), L.logsumexp(x, 1)), gradients=False)


def test_std_of_equal_numbers_has_gradient_zero():
    against_torch([np.array([[2.0, 2.0, 2.0], [1.0, 2.0, 4.0]])], lambda L, x: x.std(dim=1))


@pytest.mark.filterwarnings("ignore:std", "ignore:var")
def test_one_number_has_no_variance():
    against_torch([(1,)], lambda L, x: x.var(), gradients=False)


def test_long_float32_sums_are_accurate():
    """Pairwise or blocked addition: a plain loop over a million tenths is off by a thousandth."""
    x = np.full((1, 2, 1024, 512), 0.1, np.float32)
    for t in (ms.tensor(x), ms.Tensor(np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2))):
        np.testing.assert_allclose(t.sum((0, 2, 3)).data, np.float64(np.float32(0.1)) * 1024 * 512, rtol=1e-6)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", MANY)
def test_gradients(name, order):
    for dim in (None, 1, (0, 2)):
        differentiable([(2, 2, 3)], lambda L, x, d=dim: MANY[name](L, x, d, False) ** 2, order)


@pytest.mark.parametrize("order", [1, 2])
def test_gradients_of_extrema_and_running_sums(order):
    differentiable([(3, 4)], lambda L, x: x.max(1).values ** 2 + x.min(0).values.sum(), order)
    differentiable([(3, 4)], lambda L, x: x.cumsum(1) ** 2, order)


@pytest.mark.parametrize("name", MANY)
def test_layouts(name):
    same_in_every_layout([SHAPE], lambda L, x: MANY[name](L, x, (0, 2, 3), True))
    same_in_every_layout([SHAPE], lambda L, x: MANY[name](L, x, 1, False))


def test_correction():
    library = theirs()
    x = draw([(3, 4)])[0]
    for correction in (0, 1, 2):
        expected = library.modules[1].var(library.tensor(x), dim=1, correction=correction).numpy()
        close(OURS.var(ms.tensor(x), 1, correction).data, expected)


@pytest.mark.parametrize(
    "error, words, call",
    [
        (IndexError, "sum dim 2 2 dimensions", lambda L: L.zeros(2, 3).sum(2)),
        (ValueError, "sum twice", lambda L: L.zeros(2, 3).sum((0, -2))),
        (DTypeError, "mean int64", lambda L: L.tensor([1, 2]).mean()),
        (IndexError, "amax (0, 3)", lambda L: L.zeros(0, 3).amax(0)),
        (IndexError, "max (0, 3)", lambda L: L.zeros(0, 3).max(0)),
        (IndexError, "amin (0,)", lambda L: L.zeros(0).min()),
        (IndexError, "argmax (0, 3)", lambda L: L.zeros(0, 3).argmax(0)),
        (IndexError, "argmax dim 5", lambda L: L.zeros(2, 3).argmax(5)),
        (IndexError, "argmin dim -3", lambda L: L.zeros(2, 3).argmin(-3)),
        (IndexError, "argmin (0,)", lambda L: L.zeros(0).argmin()),
        (IndexError, "cumsum dim 1", lambda L: L.zeros(2).cumsum(1)),
        (TypeError, "tuple", lambda L: L.zeros(2, 3).max((0, 1))),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call)


def test_extremes_drop_the_dimension_unless_told_otherwise():
    x = ms.tensor([[1.0, 5.0], [7.0, 2.0]])
    for values, places in (x.max(1), x.min(1)):
        assert values.shape == places.shape == (2,) and places.dtype == np.int64
    values, places = ms.tensor(3.0).max(0)
    assert values.item() == 3.0 and places.item() == 0 and places.dtype == np.int64


def test_cumsum_of_a_single_bool_is_int64():
    assert ms.tensor(True).cumsum(0).dtype == np.int64
