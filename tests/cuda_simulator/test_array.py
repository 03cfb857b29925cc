"""The CUDA array against NumPy: the same call on both gives the same numbers."""

import numpy as np
import pytest

from minitorch_seg.errors import DTypeError
from minitorch_seg.kernels.cuda import functions, memory
from minitorch_seg.kernels.cuda.array import CudaArray, as_map, empty_map, is_map, pixels, to_device

RNG = np.random.default_rng(0)


def on_device(value):
    if isinstance(value, tuple | list):
        return type(value)(on_device(v) for v in value)
    return to_device(value) if isinstance(value, np.ndarray) else value


def same(call, *arrays, rtol=1e-6):
    with np.errstate(all="ignore"):
        expected = call(*arrays)
    found = call(*on_device(arrays))
    assert isinstance(found, CudaArray), "the result left the device"
    assert found.shape == np.shape(expected) and found.dtype == np.asarray(expected).dtype
    np.testing.assert_allclose(found.to_host(), expected, rtol=rtol, atol=1e-7)


def normal(*shape, dtype="float32"):
    return RNG.standard_normal(shape).astype(dtype)


SPECIAL = np.array([0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan, 0.3], np.float32)
UFUNCS = {
    "float": "negative absolute square sign exp expm1 log log1p sqrt tanh reciprocal isnan isfinite "
    "logical_not",
    "float2": "add subtract multiply divide floor_divide remainder power maximum minimum equal not_equal "
    "less less_equal greater greater_equal logical_and logical_or logical_xor",
    "int": "negative absolute square sign invert logical_not",
    "int2": "add subtract multiply floor_divide remainder maximum minimum equal less bitwise_and bitwise_or "
    "bitwise_xor logical_xor divide",
}


@pytest.mark.parametrize("name", UFUNCS["float"].split())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_function_of_one_array(name, dtype):
    same(getattr(np, name), np.concatenate([SPECIAL, normal(5)]).astype(dtype))


@pytest.mark.parametrize("name", UFUNCS["float2"].split())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_function_of_two_arrays(name, dtype):
    a, b = (x.ravel().astype(dtype) for x in np.meshgrid(SPECIAL, SPECIAL))
    same(getattr(np, name), a, b, rtol=1e-5)


@pytest.mark.parametrize("name", UFUNCS["int"].split())
def test_a_function_of_integers(name):
    same(getattr(np, name), np.array([-3, 0, 2, 7]))


@pytest.mark.parametrize("name", UFUNCS["int2"].split())
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_a_function_of_two_arrays_of_integers(name, dtype):
    a, b = np.array([7, 250, 2, 9], dtype), np.array([2, 3, 2, 200], dtype)
    same(getattr(np, name), a, b)


def test_functions_of_bools():
    a, b = np.array([True, True, False]), np.array([True, False, False])
    for function in (np.logical_and, np.bitwise_or, np.bitwise_xor, np.add, np.multiply, np.equal):
        same(function, a, b)
    same(np.invert, a)


BROADCASTS = {
    "rows": ((3, 1), (2, 1, 4)),
    "a number": ((2, 3), ()),
    "channels": ((2, 3, 2, 2), (1, 3, 1, 1)),
    "five axes": ((2, 1, 2, 1, 2), (1, 2, 1, 2, 1)),
    "six axes": ((2, 1, 2, 1, 2, 1), (1, 2, 1, 2, 1, 2)),
    "nothing": ((0, 3), (3,)),
}


@pytest.mark.parametrize("shapes", BROADCASTS.values(), ids=BROADCASTS)
@pytest.mark.parametrize("function", [np.multiply, np.maximum], ids=["strided", "copied"])
def test_broadcasting(shapes, function):
    a, b = (normal(*s) for s in shapes)
    same(function, a, b)
    same(function, b, a)


def test_views_are_read_and_written_where_they_lie():
    x = normal(3, 4, 5)
    same(lambda x: x[::-1, 1:, ::2] * x.T[::2, 1:, ::-1].T[:, :, :3], x)
    same(lambda x: np.exp(x.transpose(2, 0, 1))[1], x)
    y = to_device(x)
    y[:, 1:3] = y[:, 2:4]  # overlapping
    x[:, 1:3] = x[:, 2:4].copy()
    y[1] += 1
    x[1] += 1
    np.multiply(y[:, :, 0], 2, out=y[:, :, 0])
    x[:, :, 0] *= 2
    np.testing.assert_array_equal(y.to_host(), x)


def test_python_numbers_give_way_and_numpy_numbers_do_not():
    x = to_device(normal(3))
    assert (x * 2.5).dtype == np.float32 and (2 / x).dtype == np.float32
    assert (x * np.float64(2)).dtype == np.float64 and (to_device(np.arange(3)) / 2).dtype == np.float64


AXES = [None, 0, 1, -1, (0, 2), (1, 2), (0, 2, 3), (0, 1, 2, 3), (1, 3)]
MAPS = {
    "C order": lambda x: x,
    "channels-last": lambda x: np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
    "sliced": lambda x: np.repeat(x, 2, axis=3)[:, :, :, ::2],
}


@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("order", MAPS)
def test_reductions(axis, order):
    x = MAPS[order](normal(2, 3, 2, 5))
    for keepdims in (True, False):
        same(lambda x, k=keepdims: np.sum(x, axis=axis, keepdims=k), x)
        same(lambda x, k=keepdims: np.max(x, axis=axis, keepdims=k), x)
    same(lambda x: np.any(x > 1.5, axis=axis), x)
    same(lambda x: np.mean(x, axis=axis), x)


def test_more_reductions():
    x = normal(4, 6)
    x[1, 2] = np.nan
    for call in (np.min, np.max, np.argmax, np.argmin, np.all):
        same(call, x)
        same(lambda x, call=call: call(x, axis=1), x)
        same(lambda x, call=call: call(x, axis=0, keepdims=True), x)
    same(lambda x: np.argmax(x, axis=0), np.array([[1, 5, 5], [5, 5, 1]]))
    same(lambda x: np.var(x, axis=1, ddof=1), normal(2, 5))
    same(lambda x: np.sum(x, axis=0), np.array([[True, False], [True, True]]))
    same(lambda x: np.sum(x, dtype=np.int64), np.array([250, 250], np.uint8))
    same(lambda x: np.max(x, axis=1, initial=-np.inf, keepdims=True), normal(2, 0))
    same(lambda x: np.sum(x, axis=0), normal(0, 3))
    with pytest.raises(ValueError):
        np.max(to_device(normal(0)))


def test_long_reductions_in_several_passes(monkeypatch):
    monkeypatch.setattr("minitorch_seg.kernels.cuda.reduce.CHUNK", 3)
    x = normal(2, 13, 2)
    for axis in (None, 0, 1, 2, (0, 1)):
        same(lambda x, axis=axis: np.sum(x, axis=axis), x, rtol=1e-5)
        same(lambda x, axis=axis: np.min(x, axis=axis), x)
    for axis in (0, 1, 2):
        same(lambda x, axis=axis: np.cumsum(x, axis=axis), x, rtol=1e-5)
    same(np.cumsum, np.arange(20))


INDICES = {
    "ints": (1, -1),
    "slices": (slice(1, None), slice(None, None, -2)),
    "new axis": (None, ..., 0, None),
    "a list": ([2, 0, 2],),
    "lists beside each other": (slice(None), [0, 1], [1, -1]),
    "lists apart": ([0, 1], slice(None), [1, 2]),
    "a list after an int": (1, [0, 2, 2]),
    "broadcast lists": (np.array([[0], [1]]), np.array([1, 2, 0])),
    "reversed rest": ([1, 1], slice(None, None, -1), slice(None, None, 2)),
    "nothing": ([],),
    "a mask": (np.array([True, False, True]),),
    "a mask of two axes": (RNG.random((3, 4)) > 0.5,),
    "a mask after a slice": (slice(None), np.array([True, False, True, True])),
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_indexing(index):
    x = normal(3, 4, 5)
    same(lambda x, *i: x[i], x, *index)
    for number in (7.0, normal(*x[index].shape)):
        y, z = x.copy(), to_device(x)
        y[index] = number
        z[on_device(index)] = on_device(number) if isinstance(number, np.ndarray) else number
        np.testing.assert_array_equal(z.to_host(), y)
        y, z = x.copy(), to_device(x)
        np.add.at(y, index, number)
        np.add.at(z, on_device(index), on_device(number) if isinstance(number, np.ndarray) else number)
        np.testing.assert_allclose(z.to_host(), y, rtol=1e-6)


def test_indices_outside_are_refused():
    x = to_device(normal(3, 4))
    for index in ((3,), (0, -5), ([3],), (slice(None), to_device(np.array([4]))), (0, 0, 0), ([0.5],)):
        with pytest.raises(IndexError):
            x[index]


def test_shapes_joins_and_choices():
    x, m = normal(2, 3, 4), normal(2, 3, 4, 5)
    for call in (
        lambda x: np.reshape(x, (4, -1)),
        lambda x: np.reshape(np.transpose(x), (6, 4)),
        np.ravel,
        lambda x: np.expand_dims(x, (0, -1)),
        lambda x: np.squeeze(x[:, :1], 1),
        lambda x: np.broadcast_to(x, (2, 2, 3, 4)),
        lambda x: np.flip(x, (0, 2)),
        lambda x: np.roll(x, (1, -2), (0, 2)),
        lambda x: np.roll(x, 5),
        lambda x: np.swapaxes(x, 0, -1),
        lambda x: np.concatenate([x, x[:, ::-1]], 1),
        lambda x: np.stack([x, x], -1),
        lambda x: np.where(x > 0, x, 0.0),
        lambda x: np.clip(x, -0.5, 0.5),
        lambda x: np.diff(np.ravel(x)[:7].astype(np.float64), prepend=0.0),
        lambda x: np.argsort(np.ravel(x), kind="stable"),
        lambda x: np.take_along_axis(x, np.argsort(x, axis=1), 1),
        lambda x: np.einsum("abc,dbc->da", x, x),
        lambda x: np.einsum("abc,abd,a->cd", x, x, x[:, 0, 0]),
        lambda x: np.einsum("abc->cb", x),
        lambda x: np.zeros((2, 2), np.int64, like=x),
        lambda x: np.ones(3, np.float32, like=x),
        lambda x: np.full((2, 1), 7, np.float64, like=x),
        lambda x: np.eye(2, 3, like=x),
        lambda x: np.full_like(x, 3, np.float64),
        lambda x: np.arange(3, like=x),
        lambda x: np.asarray([1.5], np.float32, like=x),
        lambda x: np.copy(x[:, 1]),
    ):
        same(call, x, rtol=1e-4)
    same(lambda m: np.concatenate([m, m], 1), MAPS["channels-last"](m))
    np.testing.assert_allclose(np.linalg.norm(to_device(x).reshape(-1)).item(), np.linalg.norm(x), rtol=1e-6)


def test_feature_maps_stay_channels_last():
    x = MAPS["channels-last"](normal(1, 2, 3, 4))
    d = to_device(x)
    assert is_map(d) and is_map(d * 2) and is_map(np.exp(d) + to_device(normal(1, 2, 1, 1)))
    assert is_map(np.concatenate([d, d], 1)) and d.to_host().strides == x.strides
    assert is_map(empty_map((1, 2, 3, 4), "float32")) and as_map(d) is d
    plain = to_device(np.ascontiguousarray(x))
    assert not is_map(plain) and is_map(as_map(plain)) and pixels(plain).is_contiguous()
    np.testing.assert_array_equal(as_map(plain).to_host(), x)


def test_what_is_refused_says_what_to_do():
    x = to_device(normal(3))
    with pytest.raises(TypeError, match=r"lies on the GPU: use t\.cpu\(\)"):
        np.asarray(x)
    with pytest.raises(TypeError, match=r"move one with \.to\('cuda'\)"):
        x + normal(3)
    with pytest.raises(TypeError, match=r"move one with"):
        np.concatenate([x, normal(3)])
    with pytest.raises(TypeError, match=r"np\.sort is not among the functions"):
        np.sort(x)
    with pytest.raises(TypeError, match=r"np\.arctan is not among the functions"):
        np.arctan(x)
    with pytest.raises(TypeError, match=r"add\.reduce is not among"):
        np.add.reduce(x)
    with pytest.raises(DTypeError, match="computes in float32 and float64, not in float16"):
        to_device(np.zeros(3, np.float16)) * 2
    with pytest.raises(ValueError):
        to_device(normal(2, 3)) + to_device(normal(2))


def test_the_list_of_functions_is_explicit():
    listed = (
        "empty full zeros ones full_like zeros_like ones_like empty_like arange eye asarray copy copyto "
        "array2string shape ndim may_share_memory reshape ravel transpose swapaxes expand_dims squeeze "
        "broadcast_to flip roll concatenate stack where clip take_along_axis put_along_axis argsort diff sum "
        "mean var max min any all argmax argmin cumsum norm einsum"
    )
    assert " ".join(sorted(functions.TABLE)) == " ".join(sorted(listed.split()))


def test_memory_is_used_again(monkeypatch):
    from minitorch_seg.kernels.cuda import driver

    monkeypatch.setattr(driver.Numba, "pooled", True, raising=False)
    memory.release()
    x = to_device(normal(100))
    kept = x.storage.memory
    view = x[10:]
    del x
    assert memory.waiting() == 0
    del view
    assert memory.waiting() == 512
    assert to_device(normal(90)).storage.memory is kept
    memory.release()
    assert memory.waiting() == 0


def test_a_full_and_a_lost_device_are_said_in_a_sentence(monkeypatch):
    from minitorch_seg.errors import SizeError, UserError
    from minitorch_seg.kernels.cuda import driver

    x = to_device(normal(3))

    class CudaAPIError(Exception):
        pass

    def fails(words):
        def call(*arguments, **options):
            raise CudaAPIError(words)

        return call

    monkeypatch.setattr(driver.cuda, "device_array", fails("[2] CUDA_ERROR_OUT_OF_MEMORY"))
    monkeypatch.setattr(driver.Numba, "empty", _plain_empty)
    with pytest.raises(SizeError, match=r"no room for an array of 4,096 bytes .*use smaller"):
        to_device(normal(1000))
    monkeypatch.setattr(driver.cuda, "synchronize", fails("[719] CUDA_ERROR_LAUNCH_FAILED"))
    with pytest.raises(UserError, match=r"the GPU failed .*LAUNCH_FAILED.*start the program again"):
        driver.backend.synchronize()
    assert x.to_host().shape == (3,)


def _plain_empty(self, count, dtype):
    from minitorch_seg.kernels.cuda import driver

    with driver._explained():
        return driver.cuda.device_array(count, dtype)


def test_what_a_kernel_cannot_take_is_refused():
    from minitorch_seg.errors import UserError
    from minitorch_seg.kernels.cuda import driver, elementwise

    kernel, x = elementwise.filling("float32"), to_device(normal(4))
    with pytest.raises(TypeError, match=r"fill float32 takes 4 arguments, found 2"):
        driver.launch(kernel, 1, 4, x)
    with pytest.raises(TypeError, match=r"expects a C-contiguous CUDA array float32\[::1\]"):
        driver.launch(kernel, 1, 2, x[::2], 0, 1.0)
    with pytest.raises(UserError, match=r"is too large for the int32"):
        driver.launch(kernel, 1, 2**31, x, 0, 1.0)
    with pytest.raises(UserError, match=r"blocks are too many"):
        driver.launch(kernel, (1, 70000), 4, x, 0, 1.0)
    driver.launch(kernel, 0, 4, x, 0, 1.0)  # nothing to do
    with driver.using(driver.Numba()), pytest.raises(UserError, match="another CUDA backend"):
        driver.launch(kernel, 1, 4, x, 0, 1.0)
