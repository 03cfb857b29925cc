"""reshape, flatten, permute, transpose, squeeze, unsqueeze, expand, flip, roll, T."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from tests.helpers import OURS, against_numpy, against_torch, differentiable, refuses, same_in_every_layout

SHAPE = (2, 3, 4, 5)
CALLS = {
    "reshape": (SHAPE, lambda L, x: x.reshape(6, 20)),
    "reshape -1": (SHAPE, lambda L, x: x.reshape((4, -1, 3))),
    "reshape same": (SHAPE, lambda L, x: x.reshape(SHAPE)),
    "view to scalar": ((1, 1), lambda L, x: x.reshape(())),
    "view": ((2, 6), lambda L, x: x.view(3, 4)),
    "reshape empty": ((0, 3), lambda L, x: x.reshape(-1, 3)),
    "flatten": (SHAPE, lambda L, x: x.flatten()),
    "flatten 1": (SHAPE, lambda L, x: x.flatten(1)),
    "flatten 1 2": (SHAPE, lambda L, x: x.flatten(1, -2)),
    "flatten 0-d": ((), lambda L, x: x.flatten()),
    "permute": (SHAPE, lambda L, x: x.permute(0, 2, 3, 1)),
    "permute negative": (SHAPE, lambda L, x: x.permute((-1, 0, 2, 1))),
    "transpose": (SHAPE, lambda L, x: x.transpose(1, -1)),
    "T": ((2, 3), lambda L, x: x.T),
    "squeeze": ((1, 3, 1, 2), lambda L, x: x.squeeze()),
    "squeeze dim": ((1, 3, 1, 2), lambda L, x: x.squeeze(2)),
    "squeeze nothing": ((1, 3, 1, 2), lambda L, x: x.squeeze(1)),
    "squeeze several": ((1, 3, 1, 2), lambda L, x: x.squeeze((0, 2))),
    "unsqueeze 0": ((2, 3), lambda L, x: x.unsqueeze(0)),
    "unsqueeze -1": ((2, 3), lambda L, x: x.unsqueeze(-1)),
    "unsqueeze 0-d": ((), lambda L, x: x.unsqueeze(0)),
    "expand": ((2, 1, 3), lambda L, x: x.expand(4, 2, 5, 3)),
    "expand -1": ((2, 1, 3), lambda L, x: x.expand(-1, 4, -1)),
    "expand to nothing": ((1, 2), lambda L, x: x.expand(0, 2)),
    "broadcast_to": ((3, 1), lambda L, x: L.broadcast_to(x, (2, 3, 4))),
    "flip": (SHAPE, lambda L, x: x.flip(1)),
    "flip two": (SHAPE, lambda L, x: x.flip(0, -1)),
    "flip tuple": (SHAPE, lambda L, x: x.flip((2, 3))),
    "roll": (SHAPE, lambda L, x: x.roll(2, 3)),
    "roll two": (SHAPE, lambda L, x: x.roll((1, -3), (0, 2))),
}


@pytest.mark.parametrize("name", CALLS)
def test_torch(name):
    shape, call = CALLS[name]
    against_torch([shape], call)


@pytest.mark.parametrize(
    "name, oracle",
    [
        ("reshape", lambda x: x.reshape(6, 20)),
        ("flatten 1", lambda x: x.reshape(2, 60)),
        ("permute", lambda x: x.transpose(0, 2, 3, 1)),
        ("transpose", lambda x: np.swapaxes(x, 1, 3)),
        ("squeeze", np.squeeze),
        ("unsqueeze -1", lambda x: x[:, :, None]),
        ("expand", lambda x: np.broadcast_to(x, (4, 2, 5, 3))),
        ("flip two", lambda x: x[::-1, :, :, ::-1]),
        ("roll two", lambda x: np.roll(x, (1, -3), (0, 2))),
    ],
)
def test_numpy(name, oracle):
    shape, call = CALLS[name]
    against_numpy([shape], call, oracle, tolerance=0)


@pytest.mark.parametrize("name", [n for n, (s, _) in CALLS.items() if 0 not in s and "nothing" not in n])
def test_gradients(name):
    shape, call = CALLS[name]
    small = (1, 2, 2, 2) if shape == SHAPE else shape
    if name not in ("reshape", "reshape -1", "reshape same"):
        differentiable([small], lambda L, x: call(L, x) ** 2, 2)
    differentiable([shape], call)


@pytest.mark.parametrize("name", [n for n, (s, _) in CALLS.items() if s == SHAPE])
def test_layouts(name):
    same_in_every_layout([SHAPE], CALLS[name][1])


def test_T_of_any_rank():
    for shape in ((), (3,), (2, 3), (2, 3, 4)):
        assert ms.zeros(shape).T.shape == shape[::-1]


def test_views_share_their_version_and_copies_do_not():
    x = ms.tensor(np.arange(6.0).reshape(1, 2, 3))
    views = [x.reshape(6), x.permute(2, 1, 0), x.squeeze(0), x.unsqueeze(0), x.expand(4, 2, 3), x[0, :1], x.T]
    copies = [x.flip(0), x.roll(1, 2), x[[0]], x.clone()]
    before = [c.data.copy() for c in copies]
    x += 1
    assert all(v.version == x.version and np.shares_memory(v.data, x.data) for v in views)
    for copy, data in zip(copies, before, strict=True):
        np.testing.assert_array_equal(copy.data, data)


@pytest.mark.parametrize(
    "error, words, call",
    [
        (ShapeError, "reshape 6 (2, 3) (4,)", lambda L: L.zeros(2, 3).reshape(4)),
        (ShapeError, "reshape (-1, -1)", lambda L: L.zeros(2, 3).reshape(-1, -1)),
        (ShapeError, "reshape (4, -1)", lambda L: L.zeros(2, 3).reshape(4, -1)),
        (ShapeError, "reshape (-2, 3)", lambda L: L.zeros(2, 3).reshape(-2, 3)),
        (ShapeError, "reshape (-1, 0)", lambda L: L.zeros(0, 3).reshape(-1, 0)),
        (TypeError, "ints 2.0", lambda L: L.zeros(4).reshape(2.0, 2.0)),
        (ShapeError, "permute (0, 0)", lambda L: L.zeros(2, 3).permute(0, 0)),
        (ShapeError, "permute (0,)", lambda L: L.zeros(2, 3).permute(0)),
        (IndexError, "transpose dim 2", lambda L: L.zeros(2, 3).transpose(0, 2)),
        (IndexError, "squeeze dim 2", lambda L: L.zeros(2, 3).squeeze(2)),
        (IndexError, "unsqueeze dim 3", lambda L: L.zeros(2).unsqueeze(3)),
        (ShapeError, "expand (2, 3) (4, 3)", lambda L: L.zeros(2, 3).expand(4, 3)),
        (ShapeError, "expand (2,) (-1, 2)", lambda L: L.zeros(2).expand(-1, 2)),
        (ShapeError, "expand (2, 3) (3,)", lambda L: L.zeros(2, 3).expand(3)),
        (ShapeError, "flatten 1 0", lambda L: L.zeros(2, 3).flatten(1, 0)),
        (IndexError, "flip dim 2", lambda L: L.zeros(2, 3).flip(2)),
        (ValueError, "flip twice", lambda L: L.zeros(2, 3).flip(0, 0)),
        (ValueError, "roll 2 1", lambda L: L.zeros(2, 3).roll((1, 1), (0,))),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call)


def test_doubled_by_expand_adds_up():
    x = ms.tensor([1.0], requires_grad=True)
    OURS.broadcast_to(x, (5,)).sum().backward()
    assert x.grad.item() == 5


def test_a_size_below_minus_one_is_refused():
    for wrong in ((-2,), (-2, -3), (3, -2)):
        with pytest.raises(ValueError, match="reshape: 6 numbers"):
            ms.zeros(2, 3).reshape(*wrong)


def test_minus_one_in_expand_keeps_the_size():
    x = ms.tensor([[1], [2]])
    assert x.expand(3, -1, 4).shape == (3, 2, 4) and x.expand(-1, 2).tolist() == [[1, 1], [2, 2]]
    assert ms.zeros(2, 3, 1).expand(-1, -1, 5).shape == (2, 3, 5)
    assert ms.zeros(3, 5).expand(2, -1, -1).shape == (2, 3, 5)


@pytest.mark.parametrize(
    "same",
    [
        lambda x: x.reshape(2),
        lambda x: x.view(-1),
        lambda x: x.expand(2),
        lambda x: x.squeeze(),
        lambda x: x.flip(()),
    ],
)
def test_what_leaves_the_shape_alone_is_still_another_tensor(same):
    x = ms.tensor([1.0, 2.0], requires_grad=True)
    with ms.no_grad():
        assert not same(x).requires_grad
    y = same(x)
    y.register_hook(lambda grad: 10 * grad)
    (y.sum() + x.sum()).backward()
    assert x.grad.tolist() == [11.0, 11.0]
