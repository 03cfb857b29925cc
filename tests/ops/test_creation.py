"""Creation: values, dtypes, memory order, randomness that repeats."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.kernels import layout
from tests.helpers import against_torch, refuses


def test_torch():
    calls = [
        lambda L: (
            L.zeros(2, 3),
            L.ones((2, 3)),
            L.zeros(()),
            L.full((2,), 7),
            L.full((2,), 1.5),
            L.full((2,), True),
        ),
        lambda L: (L.arange(4), L.arange(1, 9, 3), L.arange(0, 1, 0.25), L.arange(3.0), L.arange(5, 1, -2)),
        lambda L: (L.eye(3), L.eye(2, 4), L.zeros(2, dtype=L.int64), L.ones(2, dtype=L.float64)),
        lambda L: (L.zeros_like(L.arange(3)), L.ones_like(L.zeros(2, 3)), L.full_like(L.zeros(2), 4)),
        lambda L: (
            L.zeros_like(L.zeros(2), dtype=L.int32),
            L.as_tensor([1, 2]),
            L.as_tensor([1.0]),
            L.as_tensor(True),
        ),
    ]
    for call in calls:
        against_torch([], call, dtypes=["float32"], gradients=False)


def test_requires_grad_and_memory():
    assert ms.zeros(2, requires_grad=True).requires_grad and ms.randn(2, requires_grad=True).requires_grad
    for t in (
        ms.zeros(2, 3, 4, 5),
        ms.ones(2, 3, 4, 5),
        ms.full((2, 3, 4, 5), 2.0),
        ms.rand(2, 3, 4, 5),
        ms.randn(2, 3, 4, 5),
    ):
        assert layout.is_map(t.data)
        assert layout.is_map(ms.zeros_like(t).data)


def test_sharing():
    array = np.zeros(3)
    assert np.shares_memory(ms.from_numpy(array).data, array) and np.shares_memory(
        ms.as_tensor(array).data, array
    )
    assert not np.shares_memory(ms.tensor(array).data, array)
    t = ms.tensor([1.0])
    assert ms.as_tensor(t) is t and ms.as_tensor(t, "float64").dtype == np.float64


def test_random_numbers_repeat():
    for draw in (ms.rand, ms.randn):
        ms.manual_seed(5)
        a, b = draw(100), draw(100)
        ms.manual_seed(5)
        np.testing.assert_array_equal(a.data, draw(100).data)
        assert (a.data != b.data).any()
        np.testing.assert_array_equal(
            draw(9, generator=ms.Generator(3)).data, draw(9, generator=ms.Generator(3)).data
        )


def test_distributions():
    u, z = (f(20000, generator=ms.Generator(1), dtype="float64").data for f in (ms.rand, ms.randn))
    assert u.min() >= 0 and u.max() < 1
    assert abs(u.mean() - 0.5) < 0.01 and abs(u.var() - 1 / 12) < 0.003
    assert abs(z.mean()) < 0.03 and abs(z.std() - 1) < 0.03 and abs((z**4).mean() - 3) < 0.3


@pytest.mark.parametrize(
    "error, words, call",
    [
        (TypeError, "from_numpy list", lambda L: L.from_numpy([1, 2])),
        (ValueError, "", lambda L: L.zeros(-1)),
        (TypeError, "", lambda L: L.zeros(2.5)),
    ],
)
def test_refuses(error, words, call):
    refuses(error, words, call)


def test_requires_grad_and_dtype_of_every_form():
    x = ms.zeros(2, 3)
    forms = {
        "zeros": lambda **o: ms.zeros(2, **o),
        "ones": lambda **o: ms.ones(2, **o),
        "full": lambda **o: ms.full((2,), 1.5, **o),
        "zeros_like": lambda **o: ms.zeros_like(x, **o),
        "ones_like": lambda **o: ms.ones_like(x, **o),
        "full_like": lambda **o: ms.full_like(x, 1.5, **o),
        "arange": lambda **o: ms.arange(0.0, 2.0, **o),
        "eye": lambda **o: ms.eye(2, **o),
        "rand": lambda **o: ms.rand(2, **o),
        "randn": lambda **o: ms.randn(2, **o),
    }
    for name, make in forms.items():
        assert make().requires_grad is False and make().dtype == np.float32, name
        assert make(requires_grad=True).requires_grad is True, name
        wide = make(dtype="float64", requires_grad=True)
        assert wide.dtype == np.float64 and wide.requires_grad, name
    assert ms.ones_like(x, "float64").tolist() == [[1.0] * 3] * 2
    assert ms.as_tensor([1, 2], "float64").dtype == np.float64
    assert ms.as_tensor(np.ones(2), "float32").dtype == np.float32


def test_random_numbers_are_the_generators():
    """In float64 too they are drawn in that type, not in float32 and converted."""
    for draw, kind in ((ms.rand, "uniform"), (ms.randn, "normal")):
        found = draw(2, 3, generator=ms.Generator(4), dtype="float64")
        assert np.array_equal(found.data, getattr(ms.Generator(4), kind)((2, 3), dtype=np.float64))
        assert draw((2, 3)).shape == (2, 3) and draw().shape == ()
    ms.manual_seed(3)
    assert np.array_equal(ms.randn(2, 3, 4, 5).data, ms.Generator(3).normal((2, 3, 4, 5)))


def test_arange_takes_its_dtype_from_all_bounds():
    assert [ms.arange(*b).dtype for b in ((3,), (0, 3), (0, 3, 1.0), (0, 3.0), (0.0, 3))] == [
        np.int64, np.int64, np.float32, np.float32, np.float32,
    ]  # fmt: skip
    assert ms.arange(2, 5).tolist() == [2, 3, 4] and ms.arange(0, 3, dtype="uint8").dtype == np.uint8


@pytest.mark.parametrize(
    "error, words, call",
    [
        (ValueError, "arange 0 5 change", lambda L: L.arange(0, 5, 0)),
        (ValueError, "arange -1 0 5", lambda L: L.arange(0, 5, -1)),
        (ValueError, "arange nan", lambda L: L.arange(0, float("nan"))),
        (ValueError, "arange inf", lambda L: L.arange(0, float("inf"))),
        (TypeError, "arange start 'x'", lambda L: L.arange("x")),
        (ValueError, "full 300 int8", lambda L: L.full((2,), 300, dtype=getattr(L, "int8", "int8"))),
        (ValueError, "full_like nan int64", lambda L: L.full_like(L.arange(2), float("nan"))),
        (TypeError, "'foo' dtype device float32", lambda L: L.tensor([1.0]).to("foo")),
        (TypeError, "'foo' dtype", lambda L: L.tensor([1.0]).to(dtype="foo")),
        (TypeError, "[1] dtype", lambda L: L.tensor([1.0]).to([1])),
        *((TypeError, "'foo' dtype", lambda L, n=n: getattr(L, n)(2, dtype="foo"))
          for n in ("tensor", "zeros", "ones", "rand", "randn", "eye", "arange")),
        (ms.DTypeError, "uniform random int64 float32", lambda L: L.rand(2, dtype=L.int64)),
        (ms.DTypeError, "normal random int64 float32", lambda L: L.randn(2, dtype=L.int64)),
        (ms.ShapeError, "zeros negative", lambda L: L.zeros(-1)),
        (ms.ShapeError, "rand negative", lambda L: L.rand(2, -1)),
    ],
)  # fmt: skip
def test_refuses_in_words(error, words, call):
    refuses(error, words, call)


HUGE = 10**16  # more bytes than a processor can address
F = ms.functional


@pytest.mark.parametrize("n", [HUGE, 2**62, 2**63, 10**30])
@pytest.mark.parametrize(
    "name, call",
    [
        ("zeros, ones, full", lambda n: ms.zeros(n)),
        ("zeros, ones, full", lambda n: ms.full((1, n, 1, 1), 1.0)),
        ("rand", lambda n: ms.rand(n)),
        ("randn", lambda n: ms.randn(n, 2)),
        ("eye", lambda n: ms.eye(n)),
        ("arange", lambda n: ms.arange(n)),
        ("Expand|Add", lambda n: ms.ones(1).expand(n) + 1),
        ("Expand|Cat", lambda n: ms.cat([ms.ones(1).expand(n)] * 2)),
        ("PadConstant|pad", lambda n: F.pad(ms.ones(1, 1, 3), (n, 0))),
        ("pad", lambda n: F.pad(ms.ones(1, 1, 3), (n, 0), "replicate")),
        ("interpolate", lambda n: F.interpolate(ms.ones(1, 1, 3, 3), n)),
        ("Linear", lambda n: ms.nn.Linear(n, 1)),
        ("a convolution", lambda n: ms.nn.Conv2d(1, n, 1)),
        ("a recurrent layer", lambda n: ms.nn.GRU(n, 1)),
        ("a norm of channels", lambda n: ms.nn.BatchNorm2d(n)),
        ("LayerNorm", lambda n: ms.nn.LayerNorm(n)),
        ("GroupNorm", lambda n: ms.nn.GroupNorm(1, n)),
    ],
)
def test_sizes_beyond_all_memory_are_refused_in_words(name, call, n):
    """Not by NumPy's MemoryError, which does not say what was computed, and never by a crash."""
    with pytest.raises(ValueError, match=f"^({name}): .*(use smaller sizes|2147483647|change one of them)"):
        call(n)


@pytest.mark.parametrize(
    "arguments, dtype",
    [
        ((1e6, 1e6 + 1, 0.1), None),
        ((298, 302), "uint8"),
        ((0.5, 3), "int64"),
        ((0, 1, 0.1), "float64"),
        ((2, 9, 3), "float32"),
    ],
)
def test_arange_steps_as_pytorch_does(arguments, dtype):
    torch = pytest.importorskip("torch")
    expected = torch.arange(*arguments, dtype=dtype and getattr(torch, dtype))
    found = ms.arange(*arguments, dtype=dtype)
    assert found.shape == tuple(expected.shape)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-7)


@pytest.mark.parametrize(
    "arguments, dtype", [((0, 5, 0.5), "int64"), ((5,), "bool"), ((0, 3, float("inf")), None)]
)
def test_arange_refuses_steps_that_lead_nowhere(arguments, dtype):
    with pytest.raises(ValueError, match="do not lead"):
        ms.arange(*arguments, dtype=dtype)


@pytest.mark.parametrize("value", [np.int64(300), np.float64("nan"), np.int16(-1)])
def test_numbers_of_numpy_that_a_dtype_cannot_hold_are_refused(value):
    with pytest.raises(ValueError, match="does not fit into uint8"):
        ms.full((1,), value, dtype="uint8")
    with pytest.raises(ValueError, match="does not fit into uint8"):
        ms.full_like(ms.zeros(2, dtype="uint8"), value)


@pytest.mark.parametrize("value", [None, "3"])
def test_what_is_no_number_fills_nothing(value):
    with pytest.raises(TypeError, match="no number"):
        ms.full((2,), value, dtype="float32")
