"""A tensor on its way into Python and NumPy: sizes, protocols, texts, copies, and the words of refusals."""

import copy
import pickle

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.autograd.dtypes import kind_order, promote_types, to_array


def test_sizes():
    x = ms.zeros(2, 3, 5)
    assert x.size() == x.shape == (2, 3, 5) and x.size(0) == 2 and x.size(-1) == 5
    assert (x.dim(), x.ndim, x.numel(), x.device) == (3, 3, 30, "cpu")


def test_array_protocol_converts_and_copies_on_request():
    x = ms.tensor([1.0, 2.0])
    assert np.asarray(x).dtype == np.float32 and np.asarray(x, np.float64).dtype == np.float64
    assert np.shares_memory(np.asarray(x), x.data) and not np.shares_memory(np.array(x), x.data)
    with pytest.raises(ValueError, match="copy"):
        np.array(x, dtype=np.float64, copy=False)


def test_dlpack_shares_memory_where_it_can():
    x = ms.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert np.shares_memory(np.from_dlpack(x), x.data)
    column, repeated = ms.from_numpy(x.data[:, 1]), x[:1].expand(3, 2)  # strides 8 and 0: both shared
    assert np.shares_memory(np.from_dlpack(column), x.data)
    assert np.shares_memory(np.from_dlpack(repeated), x.data)
    assert not np.shares_memory(np.from_dlpack(ms.from_numpy(x.data[::-1])), x.data)
    with pytest.raises(RuntimeError, match="detach"):
        np.from_dlpack(ms.tensor([1.0], requires_grad=True))


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: len(ms.tensor(1)), TypeError, "a 0-d tensor has no length"),
        (lambda: iter(ms.tensor(1)), TypeError, "a 0-d tensor cannot be iterated over"),
        (lambda: [1][ms.tensor([0])], TypeError, "only a 0-d integer tensor can be used as an index"),
        (lambda: [1][ms.tensor(0.0)], TypeError, "only a 0-d integer tensor can be used as an index"),
        (lambda: bool(ms.zeros(2)), ValueError, r"shape \(2,\) is ambiguous: use t.any\(\) or t.all\(\)"),
        (lambda: bool(ms.zeros(0)), ValueError, r"shape \(0,\) is ambiguous"),
        (lambda: ms.zeros(2).item(), ValueError, r"item\(\) needs a tensor of one element.*\(2,\)"),
        (lambda: ms.zeros(1, requires_grad=True).numpy(), RuntimeError, r"use t.detach\(\).numpy\(\)"),
        (lambda: ms.tensor(1, device="tpu"), ValueError, "there is no device 'tpu'"),
    ],
)
def test_refusals_say_what_to_do(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_numbers():
    assert [10, 20][ms.tensor(True)] == 20 and [10, 20][ms.tensor(1, dtype="uint8")] == 20
    assert type(float(ms.tensor(2))) is float and type(int(ms.tensor(2.7))) is int
    assert int(ms.tensor([[2.7]])) == 2 and bool(ms.tensor([[0.5]])) is True
    assert ms.tensor([[1.5]]).item() == 1.5 and ms.tensor([1, 2]).tolist() == [1, 2]


def test_texts():
    assert f"{ms.tensor([1.0])}" == "tensor([1.])" and f"{ms.tensor(3):>4d}" == "   3"
    assert f"{ms.tensor([1.0]):>14}" == "  tensor([1.])"
    assert repr(ms.tensor([0.123456])) == "tensor([0.1235])"
    assert repr(ms.tensor([[1, 2], [3, 4]])) == "tensor([[1, 2],\n        [3, 4]])"
    assert repr(ms.tensor([True])) == "tensor([ True])"
    assert repr(ms.tensor([1], dtype="int32")) == "tensor([1], dtype=int32)"
    x = ms.tensor([1.0], dtype="float64", requires_grad=True)
    assert repr(x) == "tensor([1.], dtype=float64, requires_grad=True)"
    assert repr(x * 2) == "tensor([2.], dtype=float64, grad_fn=<Mul>)"


def test_the_switch_of_a_computed_tensor():
    y = ms.tensor([1.0], requires_grad=True) * 2
    y.requires_grad = True  # what it is already
    with pytest.raises(RuntimeError, match=r"cannot be switched off: use t.detach\(\)"):
        y.requires_grad = False
    with pytest.raises(ms.DTypeError, match=r"this one is int64: use t.float\(\)"):
        ms.tensor([1]).requires_grad_()
    x = ms.tensor([1])
    assert x.requires_grad_(False) is x and not x.requires_grad
    assert ms.tensor([1.0]).requires_grad_().requires_grad is True


def test_a_computed_tensor_is_not_pickled_in_silence():
    x = ms.tensor([1.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="detach"):
        pickle.dumps(x * 2)
    plain = pickle.loads(pickle.dumps(x.detach()))
    assert plain.tolist() == [1.0] and not plain.requires_grad


def test_one_copy_for_one_tensor():
    x, m = ms.tensor([1.0], requires_grad=True), ms.from_numpy(np.asfortranarray(np.ones((2, 3))))
    a, b, order = copy.deepcopy([x, x, m])
    assert a is b and a is not x and order.data.flags.f_contiguous
    with pytest.raises(RuntimeError, match=r"only leaf tensors can be deep-copied: detach\(\) first"):
        copy.deepcopy(x * 2)


def test_versions_count_changes_of_shared_memory():
    x = ms.tensor([1.0, 2.0])
    view, twin = x[:1], x.detach()
    assert (x.version, view.version, twin.version) == (0, 0, 0)
    x += 1
    x += 1
    assert (x.version, view.version, twin.version) == (2, 2, 2) and ms.tensor(x).version == 0


def test_gradient_memory_keeps_the_order_of_the_gradient():
    x = ms.from_numpy(np.ones((2, 3))).requires_grad_()
    (x * 1).backward(np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    assert x.grad.data.flags.f_contiguous and x.grad.version == 0
    x.backward(np.ones((2, 3)))
    assert x.grad.version == 1 and x.grad.tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


def test_kinds_of_numbers():
    assert [kind_order(np.dtype(d)) for d in ("bool", "uint8", "int64", "float32")] == [0, 1, 1, 2]
    with pytest.raises(ms.DTypeError, match="bool, integer or float numbers, not complex128"):
        kind_order(np.dtype(complex))
    for a, b, expected in [
        ("int64", "float32", "float32"), ("float32", "int64", "float32"), ("uint8", "int8", "int16"),
        ("bool", "uint8", "uint8"), ("float32", "float64", "float64"), ("bool", "bool", "bool"),
    ]:  # fmt: skip
        assert promote_types(np.dtype(a), np.dtype(b)) == np.dtype(expected)


def test_arrays_of_anything():
    given = np.asfortranarray(np.ones((2, 3)))
    assert to_array(given) is given
    copied = to_array(given, copy=True)
    assert not np.shares_memory(copied, given) and copied.flags.f_contiguous and copied.dtype == np.float64
    assert to_array(given, "float32").dtype == np.float32 and to_array(np.float64(1)).dtype == np.float64
    assert to_array([1.0]).dtype == np.float32 and to_array([1.0], "float64").dtype == np.float64
    assert to_array([1]).dtype == np.int64 and to_array([True]).dtype == np.bool_


@pytest.mark.parametrize("data", [[1.0, 2.0], 2.5, np.float32(1), np.array([1, 2]), np.ma.array([1.0]), True])
def test_the_class_makes_a_plain_array_of_anything(data):
    t = ms.Tensor(data)
    assert type(t.data) is np.ndarray and t.data.dtype.kind in "fib" and t.version == 0 and t.is_leaf
    for wrong in ("a", [1j], np.array([None]), [[1], [2, 3]]):
        with pytest.raises((ms.DTypeError, ValueError)):
            ms.Tensor(wrong)
