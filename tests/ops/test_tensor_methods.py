"""Every method and sign is installed and is the function of the same name."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.kernels import layout


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("exp", ()),
        ("abs", ()),
        ("sqrt", ()),
        ("sum", (1,)),
        ("mean", (0,)),
        ("softmax", (1,)),
        ("log_softmax", (1,)),
        ("amax", (1,)),
        ("logsumexp", (1,)),
        ("cumsum", (1,)),
        ("reshape", (3, 2)),
        ("flatten", ()),
        ("permute", (1, 0)),
        ("transpose", (0, 1)),
        ("flip", (0,)),
        ("roll", (1, 0)),
        ("relu", ()),
        ("sigmoid", ()),
        ("tanh", ()),
        ("clamp", (0.2,)),
        ("argmax", (1,)),
        ("isnan", ()),
        ("add", (2.0,)),
        ("pow", (2,)),
    ],
)
def test_method_is_the_function(name, arguments):
    x = ms.tensor([[0.5, 2.0, 1.0], [3.0, 0.1, 0.2]])
    np.testing.assert_array_equal(getattr(x, name)(*arguments).data, getattr(ms, name)(x, *arguments).data)


def test_signs_from_both_sides():
    x, plain = ms.tensor([1.0, 2.0]), np.array([1.0, 2.0], np.float32)
    for mine, expected in [
        (3 + x, 3 + plain),
        (3 - x, 3 - plain),
        (3 * x, 3 * plain),
        (3 / x, 3 / plain),
        (3**x, 3**plain),
        (-x, -plain),
        (abs(-x), plain),
        (plain + x, plain + plain),
        (plain @ x, plain @ plain),
        (x @ plain, plain @ plain),
    ]:
        assert isinstance(mine, ms.Tensor)
        np.testing.assert_allclose(mine.data, expected)


def test_max_and_min_in_three_forms():
    x = ms.tensor([[1.0, 5.0], [7.0, 2.0]])
    assert x.max().item() == 7 and x.min().item() == 1
    values, indices = x.max(1)
    assert values.tolist() == [5, 7] and indices.tolist() == [1, 0]
    assert x.min(ms.tensor(2.0)).tolist() == [[1, 2], [2, 2]]


def test_clone_keeps_dtype_order_and_graph():
    for array in (np.ones(3, np.uint8), np.ones(3, bool), np.ones(3)):
        clone = ms.tensor(array).clone()
        assert clone.dtype == array.dtype and not np.shares_memory(clone.data, array)
    assert layout.is_map(ms.zeros(2, 3, 4, 5).clone().data)
    x = ms.tensor([2.0], requires_grad=True)
    (x.clone() * 3).sum().backward()
    assert x.grad.item() == 3


def test_to_and_contiguous():
    x = ms.tensor([1.5])
    assert x.to("float64").dtype == np.float64 and x.to(device="cpu") is x and x.contiguous() is x
    assert x.to("cpu", "int64").dtype == np.int64
