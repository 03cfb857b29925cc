"""The fast convolutions: each algorithm against the reference, memory bounds, threads, accuracy, other
processors.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_seg.errors import UserError
from minitorch_seg.kernels import dispatch, parallel
from minitorch_seg.kernels.fast import conv2d as fast
from minitorch_seg.kernels.fast import conv_transpose2d as fast_transposed
from minitorch_seg.kernels.fast import direct
from minitorch_seg.kernels.layout import is_map
from minitorch_seg.kernels.reference import conv2d as reference
from minitorch_seg.kernels.reference import conv_transpose2d as reference_transposed
from tests.kernels.helpers import LAYOUTS, GuardedMemory, close, lay_out, surrounded

ROOT = Path(__file__).parents[2]
SAME = ((1, 1), (1, 1), (1, 1), 1)


@pytest.fixture(autouse=True)
def restore_the_settings():
    threads = parallel.get_num_threads()
    yield
    parallel.set_num_threads(threads)
    dispatch.set_conv_algorithm("auto")


def three_products(kernels, transposed, x, weight, bias, grad, window):
    """y, the gradient of x, the gradient of the weight."""
    return (
        kernels.conv2d(x, weight, bias, *window),
        transposed.conv_transpose2d(grad, weight, None, x.shape[2:], *window),
        kernels.conv2d_weight_gradient(x, grad, weight.shape[2:], *window),
    )


def arrays(shape, outputs, kernel, window, dtype="float32", seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    weight = rng.standard_normal((outputs, shape[1] // window[3], *kernel))
    bias = rng.standard_normal(outputs)
    grad = rng.standard_normal(reference.conv2d(x, weight, None, *window).shape)
    return [a.astype(dtype) for a in (x, weight, bias, grad)]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("algorithm", ["direct", "winograd", "auto"])
def test_every_algorithm_agrees_with_the_reference(algorithm, data):
    """At every shape; Winograd's error is larger, because its sums and differences cancel."""
    simple = data.draw(st.sampled_from([0, 3, 5]), "3×3 or 5×5 at stride 1")
    groups = 1 if simple else data.draw(st.sampled_from([1, 1, 2, 3]), "groups")
    channels, outputs = (groups * data.draw(st.integers(1, 40), name) for name in ("C", "O"))
    kernel, stride, dilation = (
        (data.draw(st.integers(1, most)), data.draw(st.integers(1, most))) for most in (4, 3, 3)
    )
    if simple:
        kernel, stride, dilation = (simple, simple), (1, 1), (1, 1)
    padding = (data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3)))
    size = tuple(
        data.draw(st.integers(max(1, dilation[i] * (kernel[i] - 1) + 1 - 2 * padding[i]), 24)) for i in (0, 1)
    )
    shape = (data.draw(st.integers(0, 3), "N"), channels, *size)
    dtype = data.draw(st.sampled_from(["float32", "float64"]), "dtype")
    window = (stride, padding, dilation, groups)
    x, weight, bias, grad = arrays(shape, outputs, kernel, window, dtype, data.draw(st.integers(0, 99)))
    expected = three_products(reference, reference_transposed, x, weight, bias, grad, window)
    layouts = [data.draw(st.sampled_from(LAYOUTS)) for _ in range(3)]
    dispatch.set_conv_algorithm(algorithm)
    x, weight, grad = (lay_out(a, name) for a, name in zip((x, weight, grad), layouts, strict=True))
    found = three_products(fast, fast_transposed, x, weight, bias, grad, window)
    for a, b in zip(found, expected, strict=True):
        close(a, b, 5.0 * max(1.0, float(np.abs(b).max(initial=0))))
    assert is_map(found[0]) and is_map(found[1])


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_depthwise_agrees_with_the_reference(data):
    kernel, stride, dilation = (
        (data.draw(st.integers(1, most)), data.draw(st.integers(1, most))) for most in (4, 3, 3)
    )
    padding = (data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3)))
    channels = data.draw(st.integers(2, 40), "C")
    size = (
        data.draw(st.integers(max(1, dilation[i] * (kernel[i] - 1) + 1 - 2 * padding[i]), 24)) for i in (0, 1)
    )
    window = (stride, padding, dilation, channels)
    dtype = data.draw(st.sampled_from(["float32", "float64"]), "dtype")
    x, weight, bias, grad = arrays((2, channels, *size), channels, kernel, window, dtype)
    assert fast.choose(channels, channels, kernel, stride, dilation, channels)[0] == "depthwise"
    expected = three_products(reference, reference_transposed, x, weight, bias, grad, window)
    for a, b in zip(
        three_products(fast, fast_transposed, x, weight, bias, grad, window), expected, strict=True
    ):
        close(a, b)


@pytest.mark.parametrize("shape", [(2, 3, 40, 1100), (1, 150, 20, 20), (9, 8, 33, 65)])
@pytest.mark.parametrize("algorithm", ["direct", "winograd"])
def test_maps_that_need_several_blocks(shape, algorithm):
    x, weight, bias, grad = arrays(shape, 70, (3, 3), SAME, "float64")
    expected = three_products(reference, reference_transposed, x, weight, bias, grad, SAME)
    dispatch.set_conv_algorithm(algorithm)
    for a, b in zip(
        three_products(fast, fast_transposed, x, weight, bias, grad, SAME), expected, strict=True
    ):
        close(a, b)


@pytest.mark.parametrize(
    "channels, side, taps",
    [(16, 96, 3), (32, 48, 3), (64, 24, 3), (96, 24, 3), (128, 12, 3), (16, 48, 5), (64, 24, 5)],
)
def test_winograds_error_is_small(channels, side, taps):
    """max|error| / max|result| ≤ 2·10⁻⁵ for the result and both gradients, against float64."""
    window = (1, 1), (taps // 2, taps // 2), (1, 1), 1
    x, weight, _, grad = arrays((4, channels, side, side), channels, (taps, taps), window)
    found = three_products(fast, fast_transposed, x, weight, None, grad, window)
    wide = [a.astype("float64") for a in (x, weight, grad)]
    dispatch.set_conv_algorithm("direct")
    exact = three_products(fast, fast_transposed, wide[0], wide[1], None, wide[2], window)
    for a, b in zip(found, exact, strict=True):
        assert 1e-9 < np.abs(a - b).max() / np.abs(b).max() <= 2e-5


CASES = [
    ((3, 17, 37, 39), 21, (3, 3), SAME),
    ((2, 40, 15, 21), 83, (3, 3), ((1, 1), (0, 2), (1, 1), 1)),
    ((2, 17, 19, 21), 21, (5, 5), ((1, 1), (2, 3), (1, 1), 1)),
    ((3, 12, 35, 33), 18, (3, 2), ((2, 1), (1, 2), (1, 2), 3)),
    ((2, 5, 30, 31), 7, (1, 1), ((1, 1), (0, 0), (1, 1), 1)),
    ((3, 3, 27, 29), 21, (5, 4), ((2, 1), (2, 1), (1, 1), 1)),
]
DEPTHWISE = [
    ((3, 37, 35, 33), 37, (3, 3), ((1, 1), (1, 1), (1, 1), 37)),
    ((2, 5, 30, 31), 5, (3, 2), ((2, 1), (1, 2), (1, 2), 5)),
]
FORCED = [(a, c) for a in ("direct", "winograd") for c in CASES] + [("auto", c) for c in DEPTHWISE]


@pytest.mark.parametrize("algorithm, case", FORCED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_two_and_seven_threads_give_the_same_bits(algorithm, case, dtype):
    x, weight, bias, grad = arrays(*case, dtype)
    dispatch.set_conv_algorithm(algorithm)
    results = []
    for threads in (1, 2, 7):
        parallel.set_num_threads(threads)
        found = three_products(fast, fast_transposed, x, weight, bias, grad, case[3])
        results.append([a.tobytes() for a in found])
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("algorithm, case", FORCED)
def test_nothing_outside_the_arrays_is_read_or_written(algorithm, case, monkeypatch):
    """Arguments lie between NaN, everything that is allocated between canaries."""
    x, weight, bias, grad = arrays(*case)
    dispatch.set_conv_algorithm(algorithm)
    expected = three_products(fast, fast_transposed, x, weight, bias, grad, case[3])
    guarded = [surrounded(a) for a in (x, weight, bias, grad)]
    memory = GuardedMemory(monkeypatch)
    found = three_products(fast, fast_transposed, *guarded, case[3])
    memory.check()
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_direct_leaves_nan_and_infinity_where_they_belong(value):
    dispatch.set_conv_algorithm("direct")
    x, weight, _, _ = arrays((1, 8, 12, 20), 16, (3, 3), SAME)
    clean = fast.conv2d(x, weight, None, *SAME)
    x[0, 1, 6, 19] = value
    found = fast.conv2d(x, weight, None, *SAME)
    touched = np.zeros(found.shape, bool)
    touched[0, :, 5:8, 18:20] = True
    assert not np.isfinite(found[touched]).any()
    np.testing.assert_array_equal(found[~touched], clean[~touched])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_few_outputs_leave_nan_and_infinity_where_they_belong(value, monkeypatch, request):
    """Vectors along the terms: their last one ends within a pixel that the tap does not see."""
    direct._product.cache_clear()
    request.addfinalizer(direct._product.cache_clear)
    monkeypatch.setattr(direct, "dots_pay", lambda *_: True)
    x, weight, bias, _ = arrays((1, 19, 12, 20), 2, (3, 3), SAME)
    clean = fast.conv2d(x, weight, bias, *SAME)
    close(clean, reference.conv2d(x, weight, bias, *SAME))
    for place in ((6, 9), (0, 0), (11, 19)):
        poisoned = x.copy()
        poisoned[0, 0, *place] = value
        found = fast.conv2d(poisoned, weight, bias, *SAME)
        seen = ~np.isfinite(reference.conv2d(poisoned, weight, bias, *SAME))
        np.testing.assert_array_equal(~np.isfinite(found), seen)
        np.testing.assert_array_equal(found[~seen], clean[~seen])


def test_winograd_never_hides_a_nan():
    x, weight, _, grad = arrays((1, 8, 12, 20), 16, (3, 3), SAME)
    x[0, 1, 6, 18] = np.nan
    assert np.isnan(fast.conv2d(x, weight, None, *SAME)[0, :, 5:8, 17:20]).all()
    assert np.isnan(fast.conv2d_weight_gradient(x, grad, (3, 3), *SAME)[:, 1]).all()


def run(program: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "NUMBA_NUM_THREADS": "1", **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


COMPARE = """
from tests.kernels.test_fast import *
from minitorch_seg.kernels.fast import tile_ir
for algorithm, (shape, outputs, kernel, window) in FORCED:
    if kernel == (5, 5) and not tile_ir.config.DISABLE_JIT:
        continue  # the tiles of 3×3, with sums of other numbers: not worth compiling once more
    dispatch.set_conv_algorithm(algorithm)
    x, weight, bias, grad = arrays((1, *shape[1:2], 9, 7), outputs, kernel, window)
    found = three_products(fast, fast_transposed, x, weight, bias, grad, window)
    expected = three_products(reference, reference_transposed, x, weight, bias, grad, window)
    for a, b in zip(found, expected, strict=True):
        close(a, b, 5.0 * float(np.abs(b).max()))
print("all agree with vectors of", tile_ir.VECTOR_BYTES, "bytes")
"""


def test_the_twins_in_plain_python_give_the_same():
    assert "all agree" in run(COMPARE, NUMBA_DISABLE_JIT="1")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("features", "size"),
    [("+sse,+sse2", 16), ("+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+avx,+avx2,+fma", 32)],
)
def test_processors_with_shorter_vectors(features, size):
    import platform

    from llvmlite import binding

    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("these are x86-64's vectors")
    if not all(binding.get_host_cpu_features().get(f[1:]) for f in features.split(",")):
        pytest.skip("this processor lacks them")
    found = run(COMPARE, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES=features)
    assert f"vectors of {size} bytes" in found


def test_the_algorithm_is_chosen_by_shape_and_said():
    common = ((1, 1), (1, 1), 1)
    assert fast.choose(16, 16, (3, 3), *common)[0] == "winograd"
    assert fast.choose(3, 16, (3, 3), *common)[0] == "direct"
    assert fast.choose(16, 16, (5, 5), *common)[0] == "winograd"
    assert fast.choose(8, 16, (5, 5), *common)[0] == "direct"
    assert fast.choose(16, 16, (5, 3), *common)[0] == fast.choose(16, 16, (3, 5), *common)[0] == "direct"
    assert fast.choose(16, 16, (7, 7), *common)[0] == "direct"
    assert fast.choose(16, 16, (3, 3), (1, 1), (1, 1), 16)[0] == "depthwise"
    assert fast.choose(16, 32, (3, 3), (1, 1), (1, 1), 16)[0] == "plain"
    assert dispatch.get("conv2d") is fast
    assert "3×3, stride 1" in fast.choose(16, 16, (3, 3), *common)[1]
    assert "5×5, stride 1, 16 channels" in fast.choose(16, 16, (5, 5), *common)[1]
    dispatch.set_conv_algorithm("winograd")
    assert fast.choose(1, 1, (5, 5), *common) == ("winograd", "it was chosen")
    assert "Winograd needs 3×3 or 5×5" in fast.choose(16, 16, (7, 7), *common)[1]


def test_an_algorithm_can_be_asked_for():
    for name, module in (("plain", "cpu"), ("reference", "reference"), ("direct", "fast")):
        dispatch.set_conv_algorithm(name)
        for operator in ("conv2d", "conv_transpose2d"):
            assert dispatch.get(operator).__name__ == f"minitorch_seg.kernels.{module}.{operator}"
        assert dispatch.get("softmax").__name__.endswith("fast.softmax")
    with pytest.raises(UserError, match="unknown algorithm 'fft'"):
        dispatch.set_conv_algorithm("fft")


def test_everything_works_without_this_folder():
    out = run(
        "import sys; sys.modules['minitorch_seg.kernels.fast'] = None\n"
        "from minitorch_seg.kernels import dispatch\n"
        "print(dispatch.get('conv2d').__name__)\n"
        "try: dispatch.set_conv_algorithm('winograd')\n"
        "except Exception as error: print(error)"
    )
    assert "kernels.cpu.conv2d" in out and "needs Numba and the folder kernels/fast" in out
