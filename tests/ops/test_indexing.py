"""Indexing, gather, index_select, item assignment: every form, and repeated places that add up."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from minitorch_seg.kernels import layout
from tests.helpers import against_numpy, against_torch, differentiable, refuses, same_in_every_layout
from tests.kernels.helpers import lay_out

SHAPE = (4, 3, 5)
MASK = np.random.default_rng(0).random(SHAPE) > 0.5
FORMS = {
    "int": 1,
    "negative": -1,
    "slice": slice(1, 3),
    "step": slice(None, None, 2),
    "ellipsis": (..., 2),
    "none": (None, 1, None),
    "mixed": (slice(1, None), -1, slice(0, 4, 3)),
    "list": [0, 2, 2],
    "repeated": [1, 1, 1],
    "negative repeated": [0, -4, 0],
    "nested tuple": (slice(None), (0, 0, 1)),
    "range": range(2),
    "empty list": [],
    "array": np.array([[0, 3], [3, 1]]),
    "two arrays": (np.array([0, 0, 1]), np.array([1, 1, 2])),
    "arrays apart": (np.array([0, 0]), slice(None), np.array([4, 4])),
    "broadcast arrays": (np.array([[0], [0]]), np.array([1, 2, 2])),
    "mask": MASK,
    "mask of rows": np.array([True, False, True, False]),
    "mask and int": (np.array([True, False, True, True]), 1),
    "everything": (),
    "numpy int": np.int64(2),
}


def convert(library, index):
    """Arrays as the library's tensors, where PyTorch needs that."""
    if isinstance(index, tuple):
        return tuple(convert(library, i) for i in index)
    return library.tensor(index) if isinstance(index, np.ndarray) else index


@pytest.mark.parametrize("form", FORMS)
def test_torch(form):
    against_torch([SHAPE], lambda L, x: x[convert(L, FORMS[form])])


@pytest.mark.parametrize("form", FORMS)
def test_numpy(form):
    index = FORMS[form]
    if form == "nested tuple":
        index = (slice(None), [0, 0, 1])
    against_numpy(
        [SHAPE], lambda L, x: x[FORMS[form]], lambda x: x[list(index) if form == "range" else index]
    )


@pytest.mark.parametrize("form", FORMS)
def test_repeated_places_add_up(form):
    """The gradient of Σ x[index] is how often each place was taken, counted by bincount."""
    places = np.arange(60).reshape(SHAPE)
    index = FORMS[form] if form not in ("nested tuple", "range") else ([[0, 1]] if form == "range" else None)
    taken = places[:, [0, 0, 1]] if index is None else places[list(FORMS[form]) if form == "range" else index]
    x = ms.tensor(np.zeros(SHAPE), requires_grad=True)
    x[FORMS[form]].sum().backward()
    np.testing.assert_array_equal(x.grad.data, np.bincount(np.ravel(taken), minlength=60).reshape(SHAPE))


def test_index_tensors():
    x = ms.tensor(np.arange(5.0))
    assert x[ms.tensor(2)].item() == 2 and x[ms.tensor([1, 1])].tolist() == [1, 1]
    assert x[x > 2].tolist() == [3, 4] and [v.item() for v in x] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_gather(dim):
    index = np.array([[[0, 2, 2], [1, 0, 0]], [[2, 2, 2], [1, 1, 0]]])
    against_torch([SHAPE, index], lambda L, x, i: L.gather(x, dim, i))
    against_torch([SHAPE, index], lambda L, x, i: x.gather(dim, i), dtypes=["float64"])
    against_numpy(
        [(2, 3, 3), index[:, :, :3]],
        lambda L, x, i: L.gather(x, 1, i),
        lambda x, i: np.take_along_axis(x[:2], i, 1),
    )


def test_index_select():
    against_torch([SHAPE, np.array([2, 0, 2])], lambda L, x, i: L.index_select(x, 1, i))
    against_torch([SHAPE, np.array([], np.int64)], lambda L, x, i: L.index_select(x, 0, i))


@pytest.mark.parametrize("form", FORMS)
def test_gradients(form):
    if form not in ("empty list",):
        differentiable([SHAPE], lambda L, x: x[FORMS[form]])
        differentiable([SHAPE], lambda L, x: x[FORMS[form]] ** 2, 2, max_jacobian=0)


def test_gradients_of_gather():
    index = ms.tensor(np.array([[0, 0, 1]]))
    differentiable([(2, 3)], lambda L, x: L.gather(x, 0, index) ** 2, 2)
    differentiable([(2, 3)], lambda L, x: L.index_select(x, 1, ms.tensor([2, 0, 2])) ** 2, 2)


def test_maps_stay_channels_last():
    x = ms.Tensor(lay_out(np.ones((4, 3, 4, 5)), "channels-last"), True)
    for index in (
        [0, 2, 2],
        (slice(None), slice(None), [0, 1]),
        (slice(None), slice(None), slice(None), [4, 0, 0]),
    ):
        y = x[index]
        (g,) = ms.grad(y, x, y.data)
        assert layout.is_map(y.data) and layout.is_map(g.data), index


def test_layouts():
    for form in ("mixed", "repeated", "mask", "arrays apart"):
        same_in_every_layout([SHAPE], lambda L, x, f=form: x[FORMS[f]])


@pytest.mark.parametrize("form", [f for f in FORMS if f not in ("range", "nested tuple")])
def test_assignment(form):
    t, plain = ms.zeros(SHAPE), np.zeros(SHAPE, np.float32)
    version = t.version
    t[FORMS[form]], plain[FORMS[form]] = 2.5, 2.5
    np.testing.assert_array_equal(t.data, plain)
    assert t.version > version


def test_assignment_is_refused_while_recorded():
    x = ms.zeros(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="where"):
        x[0] = 1.0
    with pytest.raises(RuntimeError, match="where"):
        ms.zeros(3)[0] = x[1]
    with ms.no_grad():
        x[0] = 1.0
    assert x.data.tolist() == [1, 0, 0]


def assign(library, dtype, index, value):
    x = library.tensor(np.zeros((3, 4), dtype))
    x[index] = value(library) if callable(value) else value


@pytest.mark.parametrize(
    "index, value, words",
    [
        (slice(None), lambda L: L.zeros(2, 4), "(2, 4) (3, 4)"),
        (0, lambda L: L.zeros(3), "(3,) (4,)"),
        ([0, 1], lambda L: L.zeros(3, 4), "(3, 4) (2, 4)"),
        (lambda L: L.zeros(3, 4) > -1, lambda L: L.zeros(3), "(3,) (12,)"),
    ],
)
def test_a_value_of_another_shape_is_refused(index, value, words):
    def call(L):
        assign(L, "float32", index(L) if callable(index) else index, value)

    refuses(ShapeError, f"setitem {words} give one number", call)


@pytest.mark.parametrize(
    "error, words, dtype, index, value",
    [
        (ValueError, "setitem 300 int8", "int8", 0, 300),
        (ValueError, "setitem nan int64", "int64", 0, float("nan")),
        (ValueError, "setitem 1e+300 float32", "float32", 0, 1e300),
        (TypeError, "numbers <U1", "float32", 0, "x"),
        (TypeError, "numbers object", "float32", 0, None),
        (IndexError, "(3, 4) 5", "float32", 5, 1.0),
        (IndexError, "(3, 4) large", "float32", 2**63, 1.0),
        (IndexError, "(3, 4) step zero", "float32", slice(0, 2, 0), 1.0),
    ],
)
def test_assignment_refuses(error, words, dtype, index, value):
    refuses(error, words, lambda L: assign(L, dtype, index, value))


@pytest.mark.parametrize(
    "error, words, call",
    [
        (IndexError, "5 3", lambda L: L.zeros(3)[5]),
        (IndexError, "5", lambda L: L.zeros(3)[[0, 5]]),
        (IndexError, "indices", lambda L: L.zeros(3)[0, 0]),
        (IndexError, "boolean", lambda L: L.zeros(3)[L.tensor([True, False])]),
        (IndexError, "(3,) step", lambda L: L.zeros(3)[::0]),
        (ValueError, "(3,) large", lambda L: L.zeros(3)[2**63]),
        (IndexError, "gather 1", lambda L: L.gather(L.zeros(2, 2), 0, L.tensor([[2]]))),
        (IndexError, "gather", lambda L: L.gather(L.zeros(2, 2), 0, L.tensor([[-1]]))),
        (ShapeError, "gather (1,) (2, 2)", lambda L: L.gather(L.zeros(2, 2), 0, L.tensor([0]))),
        (ShapeError, "gather (1, 3) (2, 2)", lambda L: L.gather(L.zeros(2, 2), 0, L.tensor([[0, 0, 0]]))),
        (TypeError, "gather float32", lambda L: L.gather(L.zeros(2, 2), 0, L.zeros(1, 1))),
        (IndexError, "gather dim 2", lambda L: L.gather(L.zeros(2, 2), 2, L.tensor([[0]]))),
        (IndexError, "index_select 1", lambda L: L.index_select(L.zeros(2, 2), 0, L.tensor([2]))),
        (TypeError, "index_select float32 (1,)", lambda L: L.index_select(L.zeros(2, 2), 0, L.zeros(1))),
        (TypeError, "index_select (1, 1)", lambda L: L.index_select(L.zeros(2, 2), 0, L.tensor([[0]]))),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call)


def test_an_index_may_be_a_list_an_array_or_a_tensor():
    x = ms.tensor([[1, 2, 3], [4, 5, 6]])
    for index in ([2, 0], np.array([2, 0]), ms.tensor([2, 0])):
        assert ms.index_select(x, 1, index).tolist() == [[3, 1], [6, 4]]
    assert ms.index_select(x, 1, ms.tensor(2)).tolist() == [[3], [6]]
    with pytest.raises(IndexError, match="index_select: a 0-d input has no dimension to select from"):
        ms.index_select(ms.tensor(1.0), 0, ms.tensor([0]))
    assert ms.gather(ms.tensor(5.0), 0, ms.tensor(0)).item() == 5.0


def test_assignment_of_a_tensor_and_its_refusal():
    t = ms.zeros(3)
    t[1:] = ms.tensor([2.0, 3.0])
    assert t.tolist() == [0, 2, 3] and t.version == 1
    expected = r"item assignment is not recorded.*use ms.where or ms.cat, or assign under no_grad\(\)"
    with pytest.raises(RuntimeError, match=expected):
        t[0] = ms.tensor(1.0, requires_grad=True)


def test_a_list_is_assigned_without_loss():
    x, u = ms.zeros(2, dtype="float64"), ms.zeros(2, dtype="uint8")
    x[:] = [0.1, 0.2]
    assert x.tolist() == [0.1, 0.2]
    for wrong in ([300, 0], [0, -1], np.array([300]).tolist()):
        with pytest.raises(ValueError, match="does not fit into uint8"):
            u[:] = wrong
    with pytest.raises(ShapeError, match=r"shape \(3,\) does not fit"):
        u[:] = [1, 2, 3]
    for wrong in (["1", "2"], [[1], [2, 3]]):
        with pytest.raises((TypeError, ValueError), match="setitem"):
            u[:] = wrong
    assert u.tolist() == [0, 0]
    u[:] = (7, 255)
    assert u.tolist() == [7, 255]
