"""Tensor: creation, dtypes, conversion to Python and NumPy, what is refused."""

import copy
import pickle

import numpy as np
import pytest

import minitorch_seg as ms


@pytest.mark.parametrize(
    "data, dtype",
    [
        (1.5, "float32"), ([1, 2], "int64"), (True, "bool"), ([[1.0]], "float32"), (np.float64(2), "float64"),
        (np.ones(2), "float64"), (np.ones(2, np.uint8), "uint8"), (np.float32(1), "float32"),
    ],
)  # fmt: skip
def test_dtype_of_new_tensors(data, dtype):
    assert ms.tensor(data).dtype == np.dtype(dtype)


def test_tensor_copies_and_from_numpy_shares():
    array = np.ones(3, np.float32)
    copied, shared = ms.tensor(array), ms.from_numpy(array)
    array[0] = 5
    assert copied.tolist() == [1, 1, 1] and shared.tolist() == [5, 1, 1]


@pytest.mark.parametrize("bad", [np.array(["a"]), np.array([1j]), np.array([None])])
def test_other_kinds_of_numbers_are_refused(bad):
    with pytest.raises(ms.DTypeError, match="bool, integer or float"):
        ms.tensor(bad)


@pytest.mark.parametrize("make", [ms.tensor, ms.Tensor, ms.as_tensor, lambda a: ms.tensor(a, dtype=">f4")])
def test_a_foreign_byte_order_becomes_this_machines(make):
    x = make(np.arange(3, dtype=">f4"))
    assert x.dtype == np.float32 and x.tolist() == [0, 1, 2]


def test_memory_in_a_foreign_byte_order_cannot_be_shared():
    with pytest.raises(TypeError, match="byte order, found >f4"):
        ms.from_numpy(np.arange(3, dtype=">f4"))


def test_only_floats_require_a_gradient():
    with pytest.raises(ms.DTypeError, match=r"float\(\)"):
        ms.tensor([1, 2], requires_grad=True)


def test_data_is_always_an_array():
    x = ms.tensor(2.0)
    for t in (x + x, x.sum(), x.exp(), -x, x**2, x.reshape(1)[0], x.max(), x == x):
        assert type(t.data) is np.ndarray


def test_numpy_is_refused_while_a_gradient_is_required():
    x = ms.tensor([1.0], requires_grad=True)
    for convert in (lambda: x.numpy(), lambda: np.asarray(x)):
        with pytest.raises(RuntimeError, match="detach"):
            convert()
    assert np.asarray(x.detach()).tolist() == [1.0]


def test_numpy_functions_do_not_cut_the_graph_in_silence():
    x = ms.tensor([1.0, 2.0], requires_grad=True)
    for function in (np.exp, np.sum, np.tanh):
        with pytest.raises(TypeError):
            function(x)
    y = np.array([3.0, 4.0], np.float32) * x
    assert isinstance(y, ms.Tensor) and y.requires_grad
    z = np.float32(2) * x
    assert isinstance(z, ms.Tensor) and z.requires_grad and z.dtype == np.float32


def test_dlpack_and_negative_strides():
    x = ms.tensor([1.0, 2.0, 3.0])
    assert np.from_dlpack(x).tolist() == [1, 2, 3]
    assert np.from_dlpack(ms.from_numpy(x.data[::-1])).tolist() == [3, 2, 1]


def test_python_protocols():
    x = ms.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert len(x) == 2 and [r.tolist() for r in x] == [[1, 2], [3, 4]]
    assert float(ms.tensor(2.5)) == 2.5 and int(ms.tensor(7)) == 7 and [10, 20][ms.tensor(1)] == 20
    assert bool(ms.tensor(1)) and not bool(ms.tensor([0.0]))
    assert f"{ms.tensor(2.0):.3f}" == "2.000"
    assert (x == None) is False  # noqa: E711
    assert len({x, x}) == 1
    for wrong, error in [(lambda: bool(x), ValueError), (lambda: len(ms.tensor(1)), TypeError),
                         (lambda: list(ms.tensor(1)), TypeError), (lambda: x.item(), ValueError),
                         (lambda: [1][ms.tensor(0.0)], TypeError)]:  # fmt: skip
        with pytest.raises(error):
            wrong()


def test_repr_tells_dtype_and_history():
    assert repr(ms.tensor([1.0, 2.0])) == "tensor([1., 2.])"
    assert repr(ms.tensor([1.0], dtype="float64")) == "tensor([1.], dtype=float64)"
    x = ms.tensor([1.0], requires_grad=True)
    assert repr(x) == "tensor([1.], requires_grad=True)"
    assert repr(x * 2) == "tensor([2.], grad_fn=<Mul>)"


def test_copies():
    x = ms.tensor(np.arange(24.0).reshape(1, 2, 3, 4).transpose(0, 3, 1, 2), requires_grad=True)
    deep = copy.deepcopy(x)
    assert deep.requires_grad and deep.data is not x.data and np.array_equal(deep.data, x.data)
    assert deep.data.strides == x.data.strides
    again = pickle.loads(pickle.dumps(x))
    assert again.requires_grad and np.array_equal(again.data, x.data)
    with pytest.raises(RuntimeError, match="leaf"):
        copy.deepcopy(x * 2)


def test_device():
    with pytest.raises(ValueError, match="use 'cpu' or 'cuda'"):
        ms.tensor([1.0], device="tpu")
    assert ms.tensor([1.0]).to("cpu").device == "cpu"
