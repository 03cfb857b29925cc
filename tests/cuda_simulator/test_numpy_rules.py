"""What CUDA arrays compute is what NumPy computes: indices, conversions, whole numbers, norms."""

import numpy as np
import pytest

from minitorch_seg.errors import DTypeError
from minitorch_seg.kernels.cuda import rnn
from minitorch_seg.kernels.cuda.array import to_device
from minitorch_seg.kernels.cuda.matmul import matmul
from minitorch_seg.kernels.cuda.relu import relu
from tests.ptx.cases import unrepresentable


def cuda(values, dtype="float32"):
    return to_device(np.asarray(values, dtype))


INDICES = {
    "an ellipsis of no axis between places": np.s_[:, [0, 1], ..., 0],
    "before them": np.s_[..., [0, 1], :, 0],
    "behind them": np.s_[:, [0, 1], 0, ...],
    "between two lists": np.s_[[0, 3], ..., [1, 0], :],
    "a mask and an ellipsis": np.s_[[True, False, True, True], ..., 2],
    "places beside an integer": np.s_[:, [1, 0], 2],
    "places around an integer": np.s_[[1, 0], 1, [2, 0]],
    "None between places": np.s_[[1, 0], None, [1, 0]],
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_indices_are_numpys(index):
    x = np.arange(24.0).reshape(4, 2, 3)
    on_device = cuda(x, "float64")
    np.testing.assert_array_equal(on_device[index].to_host(), x[index])
    values = np.arange(x[index].size, dtype="float64").reshape(x[index].shape)
    x[index] = values
    on_device[index] = values
    np.testing.assert_array_equal(on_device.to_host(), x)


def test_a_single_bool_is_no_index():
    x = cuda(np.arange(6).reshape(2, 3))
    for index in (True, False, np.True_, (True, 0), np.array(True), cuda(True, "bool")):
        for use in (lambda i: x[i], lambda i: x.__setitem__(i, 0)):
            with pytest.raises(IndexError, match="single bool"):
                use(index)
    assert x.to_host().tolist() == [[0, 1, 2], [3, 4, 5]]


STORED = ("bool", "int8", "uint8", "int16", "int32", "int64", "float32", "float64")


@pytest.mark.parametrize("source", STORED)
def test_conversions_are_numpys(source):
    numbers = np.array([0, 1, -1, 127, 128, 255, 300, -129, 70_000, 2**31 - 128, -(2**31)])
    x = (
        numbers.astype(source)
        if source[0] != "f"
        else np.append(numbers, [0.5, -0.75, -128.5]).astype(source)
    )
    for target in STORED:
        np.testing.assert_array_equal(cuda(x, source).astype(target).to_host(), x.astype(target))


@pytest.mark.parametrize("source", ["float32", "float64"])
@pytest.mark.parametrize("target", ["int8", "uint8", "int16", "int32", "int64"])
def test_floats_that_no_integer_holds(source, target):
    x, expected = unrepresentable(source, target)
    np.testing.assert_array_equal(cuda(x, source).astype(target).to_host(), expected)


def test_norms():
    x = np.array([3.0, 0.0, -4.0, 1.0], "float32")
    for ord in (None, 0, 1, 2, 3, 0.5, np.inf, -np.inf):
        found = np.linalg.norm(cuda(x), ord).to_host()
        np.testing.assert_allclose(found, np.linalg.norm(x, ord), rtol=1e-6)
    for ord in (-1, -2.5):
        found = np.linalg.norm(cuda(x[[0, 2]]), ord).to_host()
        np.testing.assert_allclose(found, np.linalg.norm(x[[0, 2]], ord), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int64"])
def test_whole_numbers_compute_as_on_the_cpu(dtype):
    a, b = (
        np.array([[1, 200, 0], [7, 0, 3]]).astype(dtype),
        np.array([[2, 0], [9, 1], [0, 100]]).astype(dtype),
    )
    for x, y in ((a, b), (a[0], b), (a, b[:, 0]), (a[0], b[:, 0]), (np.stack([a, a]), b), (a[:, :0], b[:0])):
        found = matmul(cuda(x, dtype), cuda(y, dtype)).to_host()
        np.testing.assert_array_equal(found, x @ y)
        assert found.dtype == dtype
    c = np.array([-3, 0, 5]).astype(dtype)
    np.testing.assert_array_equal(relu(cuda(c, dtype)).to_host(), np.maximum(c, c.dtype.type(0)))
    for test in (np.isnan, np.isfinite):
        np.testing.assert_array_equal(test(cuda(c, dtype)).to_host(), test(c))


@pytest.mark.parametrize("number", [2**70, -(2**70), 2**63, 300, -1])
def test_comparisons_with_numbers_that_no_integer_holds(number):
    for dtype in ("uint8", "int64", "float32"):
        x = np.array([0, 1, 255], dtype)
        for compare in (np.less, np.greater_equal, np.equal, np.not_equal):
            found = compare(cuda(x, dtype), number).to_host()
            np.testing.assert_array_equal(found, compare(x, number))


def test_powers_of_whole_numbers():
    x, exponents = np.array([2, -3, 5, 0, 1]), np.array([13, 3, 0, 0, 2**40])
    np.testing.assert_array_equal(
        np.power(cuda(x, "int64"), cuda(exponents, "int64")).to_host(), x**exponents
    )
    for exponent in (-1, cuda([1, 2, -1, 0, 0], "int64")):
        with pytest.raises(ValueError, match="negative integer powers"):
            np.power(cuda(x, "int64"), exponent)


def test_what_is_not_computed_is_said():
    x = cuda([[1.0, 2.0], [3.0, 4.0]])
    for subscripts in ("ii->i", "ij,jk"):
        with pytest.raises(ValueError, match="no letter twice"):
            np.einsum(subscripts, x, x)
    with pytest.raises(DTypeError, match="complex"):
        np.add(x, 1j)
    read_only = np.broadcast_to(x[0, 0], (3,))
    with pytest.raises(ValueError, match="repeats its numbers"):
        read_only[:] = cuda([1, 2, 3])
    with pytest.raises(ValueError, match="repeats its numbers"):
        np.add.at(read_only, np.array([0, 1]), 1.0)


def test_a_recurrence_of_no_step_has_no_gradient(monkeypatch):
    monkeypatch.setattr(rnn, "HIDDEN", 1)  # as for more units than a block keeps
    x, h0 = cuda(np.ones((0, 3, 2))), cuda(np.ones((3, 4)))
    weights = cuda(np.ones((4, 2))), cuda(np.ones((4, 4)))
    h = rnn.rnn(x, h0, *weights, None, "tanh")
    _, dh0, *_ = rnn.rnn_gradient(h, x, h, h0, *weights, "tanh", True)
    assert h.shape == (0, 3, 4) and not dh0.to_host().any()


FEW = np.array([[0, 1, 5, 7], [2, 0, 100, 3], [9, 2, 1, 1]])


@pytest.mark.parametrize("dtype", STORED)
def test_memory_of_every_dtype(dtype):
    """Views copied, places read and written, one number everywhere."""
    a = FEW.astype(dtype)
    x, places = cuda(a, dtype), np.array([2, 0])
    np.testing.assert_array_equal(np.copy(x[:, ::3]).to_host(), a[:, ::3])
    np.testing.assert_array_equal(x[:, np.array([3, 0, 3])].to_host(), a[:, [3, 0, 3]])
    np.testing.assert_array_equal(np.full_like(x, 1).to_host(), np.full_like(a, 1))
    x[places] = 1
    a[places] = 1
    np.testing.assert_array_equal(x.to_host(), a)


OF_ONE = (np.negative, np.positive, np.absolute, np.square, np.sign)
OF_TWO = (np.add, np.subtract, np.multiply, np.maximum, np.minimum)
TESTS = (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal, np.logical_and,
         np.logical_or, np.logical_xor)  # fmt: skip


@pytest.mark.parametrize("dtype", ["bool", "int64", "float32", "float64"])
def test_functions_of_every_dtype(dtype):
    a, b = FEW.astype(dtype), FEW[::-1].astype(dtype)
    x, y, turned = cuda(a, dtype), cuda(b, dtype), cuda(np.ascontiguousarray(b.T), dtype).T
    whole = (np.bitwise_and, np.bitwise_or, np.bitwise_xor) if dtype in ("bool", "int64") else ()
    of_two = (np.add, np.multiply, np.maximum, np.minimum) if dtype == "bool" else OF_TWO
    for function in (*of_two, *TESTS, *whole):
        for second in (y, turned):  # of a view, where there is a kernel for it
            np.testing.assert_array_equal(function(x, second).to_host(), function(a, b))
    for function in (np.logical_not, *(() if dtype == "bool" else OF_ONE), *((np.invert,) if whole else ())):
        np.testing.assert_array_equal(function(x).to_host(), function(a))
    for second in (y, turned):
        np.testing.assert_array_equal(np.where(x > 1, x, second).to_host(), np.where(a > 1, a, b))
    for function in (
        (np.any, np.all) if dtype == "bool" else (np.sum, np.max, np.min, np.argmax, np.argmin, np.cumsum)
    ):
        np.testing.assert_array_equal(function(x, axis=1).to_host(), function(a, axis=1))
    if dtype != "bool":
        sums, expected = np.copy(x), a.copy()
        np.add.at(sums, np.array([2, 0, 2]), y)
        np.add.at(expected, np.array([2, 0, 2]), b)
        np.testing.assert_array_equal(sums.to_host(), expected)


REFUSED = {
    "joined shapes that differ": lambda x, y: np.concatenate([x, y]),
    "joined dimensions that differ": lambda x, y: np.concatenate([x, x[0]], 1),
    "nothing joined along an axis too far": lambda x, y: np.concatenate([x, x], 2),
    "stacked shapes that differ": lambda x, y: np.stack([x, x[:1]]),
    "stacked along an axis too far": lambda x, y: np.stack([x, x], 3),
    "a running sum": lambda x, y: np.cumsum(x, -3),
    "a transposition": lambda x, y: np.transpose(x, (0, 2)),
    "a repeated axis": lambda x, y: np.transpose(x, (0, 0)),
    "an axis left out": lambda x, y: np.transpose(x, (1,)),
    "two axes": lambda x, y: np.swapaxes(x, 0, 2),
    "a new axis": lambda x, y: np.expand_dims(x, 4),
    "a new axis twice": lambda x, y: np.expand_dims(x, (0, 0)),
    "a sum over an axis twice": lambda x, y: np.sum(x, axis=(0, -2)),
    "differences": lambda x, y: np.diff(x, axis=2),
    "a float copied into an integer": lambda x, y: np.copyto(x.astype("int64"), x),
    "a float32 from a float64, safely": lambda x, y: np.copyto(x, x.astype("float64"), casting="safe"),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_what_numpy_refuses_is_refused(call):
    x, y = np.arange(6, dtype="float32").reshape(2, 3), np.ones((4, 5), "float32")
    with pytest.raises((ValueError, TypeError)) as numpys:
        call(x, y)
    with pytest.raises(numpys.type):
        call(cuda(x), cuda(y))


@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize(
    "shapes", [((2, 3), (5, 4)), ((3,), (4,)), ((2, 3), (2,)), ((1, 3), (1, 4)), ((), (3,))]
)
def test_products_of_shapes_that_do_not_fit(shapes, dtype):
    with pytest.raises(ValueError, match="do not fit"):
        matmul(*(cuda(np.ones(shape), dtype) for shape in shapes))


@pytest.mark.parametrize("options", [{}, {"axis": 0}, {"axis": -2, "prepend": 1}, {"prepend": 0.5}])
@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_differences(dtype, options):
    x = (np.arange(6).reshape(2, 3) ** 2 % 5).astype(dtype)
    if dtype == "bool" and "prepend" in options:
        options = options | {"prepend": True}
    expected, found = np.diff(x, **options), np.diff(cuda(x, dtype), **options).to_host()
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype
