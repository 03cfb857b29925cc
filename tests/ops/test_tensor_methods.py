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


def test_methods_without_a_function_of_their_name():
    x = ms.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert x.T.tolist() == [[1, 4], [2, 5], [3, 6]] and ms.zeros(2, 3, 4).T.shape == (4, 3, 2)
    assert x.view(3, 2).tolist() == [[1, 2], [3, 4], [5, 6]] and np.shares_memory(x.view(-1).data, x.data)
    assert x.max(dim=1, keepdim=True)[0].tolist() == [[3], [6]] and x.max(0)[1].tolist() == [1, 1, 1]
    assert x.min(dim=1, keepdim=True)[0].tolist() == [[1], [4]] and x.min(0)[1].tolist() == [0, 0, 0]
    assert x.max(ms.tensor(3.5)).tolist() == [[3.5, 3.5, 3.5], [4, 5, 6]]


@pytest.mark.parametrize("name", ["iadd", "isub", "imul", "itruediv"])
def test_in_place_with_a_tensor(name):
    values, other = np.array([4.0, 9.0], np.float32), np.array([2.0, 0.5], np.float32)
    expected = getattr(values.copy(), f"__{name}__")(other)
    x = ms.tensor(values)
    memory = x.data
    assert getattr(x, f"__{name}__")(ms.tensor(other)) is x and x.data is memory and x.version == 1
    assert x.tolist() == expected.tolist() and not x.requires_grad
    # beside a tensor that requires a gradient, the result is a new tensor of the graph
    p = ms.tensor(other, requires_grad=True)
    y = getattr(ms.tensor(values), f"__{name}__")(p)
    assert y.requires_grad and y.tolist() == expected.tolist()
    h = p * 1
    y = getattr(h, f"__{name}__")(ms.tensor(values))
    assert y is not h and y.requires_grad and h.tolist() == other.tolist()
    with ms.no_grad():
        x = ms.tensor(values)
        assert getattr(x, f"__{name}__")(p) is x and x.tolist() == expected.tolist()
    # and the leaf itself is left alone while operations are recorded
    with pytest.raises(RuntimeError, match=r"a leaf that requires a gradient cannot be changed in place"):
        getattr(p, f"__{name}__")(1.0)
    assert p.tolist() == other.tolist() and p.version == 0


def test_in_place_keeps_the_dtype():
    x = ms.tensor([1, 2])
    x += 3
    assert x.dtype == np.int64 and x.tolist() == [4, 5]
    with pytest.raises(TypeError, match="same_kind"):
        x += 0.5
    half = ms.tensor([1.0])
    half += ms.tensor([0.5], dtype="float64")
    assert half.dtype == np.float32 and half.tolist() == [1.5]


def test_destinations_of_to():
    x = ms.tensor([1.5])
    assert x.to(dtype="float64").dtype == x.to(ms.zeros(1, dtype="float64")).dtype == np.float64
    assert x.to("cpu", "float64").dtype == x.to("float64", device="cpu").dtype == np.float64
    for wrong in (lambda: x.to("cuda:1"), lambda: x.to("float64", device="cuda:2")):
        with pytest.raises(ValueError, match="device 'cuda"):
            wrong()


def test_signs_compare_numbers_only():
    x = ms.tensor([1.0, 2.0])
    for other in (1, 1.0, True, np.float32(1), np.array([1.0, 5.0]), [1.0, 5.0], (1.0, 5.0), ms.tensor(1.0)):
        assert (x == other).tolist() == [True, False] and (x != other).tolist() == [False, True]
    for other in (None, "1", {}, object()):
        assert (x == other) is False and (x != other) is True


def test_signs_that_pytorch_has():
    x = ms.tensor([1, 2])
    assert (+x).tolist() == [1, 2]
    assert (True & (x > 1)).tolist() == [False, True]
    assert (np.array([True, False]) | (x > 1)).tolist() == [True, True]
    assert (True ^ (x > 1)).tolist() == [True, False]
