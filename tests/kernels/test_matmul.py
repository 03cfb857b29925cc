"""Products in parts against whole ones in float64; OpenBLAS keeps its threads for others."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from minitorch_seg.kernels import openblas, parallel
from minitorch_seg.kernels.fast import matmul as fast
from minitorch_seg.kernels.reference import matmul as reference
from tests.kernels.helpers import LAYOUTS, close, lay_out

CASES = {
    "whole": (20, 30, 40),
    "rows": (301, 17, 23),
    "rows, though there are more columns": (260, 11, 503),
    "columns": (20, 30, 511),
    "terms": (19, 700, 31),
}


@pytest.fixture(autouse=True)
def short_parts(monkeypatch):
    monkeypatch.setattr(fast, "WORK", 2**14)
    before = parallel.get_num_threads()
    yield
    parallel.set_num_threads(before)


def pair(n, k, m, dtype="float32"):
    rng = np.random.default_rng(5)
    return rng.standard_normal((n, k)).astype(dtype), rng.standard_normal((k, m)).astype(dtype)


@pytest.mark.parametrize("layout", [*LAYOUTS, "transposed"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_the_parts_make_the_whole(case, dtype, layout):
    a, b = pair(*CASES[case], dtype)
    parallel.set_num_threads(3)
    found = fast.matmul(lay_out(a, layout), lay_out(b, layout))
    expected = (a.astype("float64") @ b.astype("float64")).astype(dtype)
    close(found, expected, 5 * float(np.abs(expected).max()))


@pytest.mark.parametrize("case", CASES)
def test_it_is_cut_where_it_should_be(case, monkeypatch):
    seen = []

    def parallel_for(kernel, chunks, a, b, y, cut, length):
        seen.append((cut, chunks))
        kernel(0, chunks, a, b, y, cut, length)

    monkeypatch.setattr(fast, "parallel_for", parallel_for)
    fast.matmul(*pair(*CASES[case]))
    assert [cut for cut, _ in seen] == ([] if case == "whole" else [case.split(",")[0]])
    assert all(chunks > 1 for _, chunks in seen)


@pytest.mark.parametrize("case", CASES)
def test_one_two_and_seven_threads_give_the_same_bits(case):
    a, b = pair(*CASES[case])
    results = []
    for threads in (1, 2, 7):
        parallel.set_num_threads(threads)
        results.append(fast.matmul(a, b).tobytes())
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("shapes", [((3, 40, 50), (50, 60)), ((2, 1, 40, 50), (3, 50, 60)), ((0, 5), (5, 4))])
def test_batches_and_nothing(shapes):
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal(shape) for shape in shapes)
    np.testing.assert_array_equal(fast.matmul(a, b), reference.matmul(a, b))
    whole = np.ones((300, 300), int)
    np.testing.assert_array_equal(fast.matmul(whole, whole), 300 * whole)


@pytest.mark.filterwarnings("error")
def test_nan_and_infinity_go_through_in_silence():
    a, b = pair(*CASES["rows"])
    a[100, 3], a[200, 4], b[4, 0], a[7, 5] = np.nan, np.inf, 0, 3e38
    with np.errstate(all="ignore"):
        expected = reference.matmul(a, b)
        parallel.set_num_threads(2)
        found = fast.matmul(a, b)
    assert np.isnan(found[100]).all() and np.isnan(found[200, 0]) and np.isfinite(found[0]).all()
    np.testing.assert_array_equal(np.isinf(found), np.isinf(expected))


needs_openblas = pytest.mark.skipif(openblas.threads() is None, reason="NumPy was built without OpenBLAS")


@needs_openblas
def test_openblas_gets_its_threads_back(monkeypatch):
    _, set_threads = openblas._functions()
    before = openblas.threads()
    seen = []
    real = np.matmul
    try:
        set_threads(3)
        monkeypatch.setattr(
            np,
            "matmul",
            lambda *args, **options: (seen.append(openblas.threads()), real(*args, **options))[1],
        )
        fast.matmul(*pair(*CASES["rows"]))
        assert set(seen) == {1} and openblas.threads() == 3
        with pytest.raises(ValueError, match="matmul"):
            fast.matmul(np.ones((2, 3)), np.ones((2, 3)))
        assert openblas.threads() == 3
        with openblas.one_thread():
            with openblas.one_thread():
                assert openblas.threads() == 1
            assert openblas.threads() == 1
        assert openblas.threads() == 3
    finally:
        set_threads(before)


@needs_openblas
def test_the_last_of_several_python_threads_gives_them_back():
    _, set_threads = openblas._functions()
    before = openblas.threads()
    first_is_in, second_is_in = threading.Event(), threading.Event()
    seen = []

    def first():
        with openblas.one_thread():
            first_is_in.set()
            second_is_in.wait(timeout=20)

    try:
        set_threads(2)
        thread = threading.Thread(target=first)
        thread.start()
        first_is_in.wait(timeout=20)
        with openblas.one_thread():
            second_is_in.set()
            thread.join(timeout=20)
            seen.append(openblas.threads())
        assert seen == [1] and openblas.threads() == 2
    finally:
        set_threads(before)


@needs_openblas
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process")
def test_a_child_forgets_the_threads_it_did_not_inherit():
    _, set_threads = openblas._functions()
    before = openblas.threads()
    is_in, leave = threading.Event(), threading.Event()

    def other():
        with openblas.one_thread():
            is_in.set()
            leave.wait(timeout=20)

    try:
        set_threads(2)
        thread = threading.Thread(target=other)
        thread.start()
        is_in.wait(timeout=20)
        child = os.fork()
        if child == 0:
            os._exit(int(openblas.threads() != 2 or openblas._inside != 0))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        leave.set()
        thread.join(timeout=20)
        assert openblas.threads() == 2
    finally:
        leave.set()
        set_threads(before)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_a_product_in_a_forked_child():
    program = """
from tests.kernels.test_matmul import *
fast.WORK = 2**14
parallel.set_num_threads(3)
a, b = pair(*CASES["terms"])
expected = fast.matmul(a, b)
before = openblas.threads()
with openblas.one_thread():
    child = os.fork()
    if child == 0:
        wrong = (fast.matmul(a, b) != expected).any() or openblas.threads() not in (1, None)
if child == 0:
    os._exit(int(wrong or openblas.threads() != before or openblas._inside != 0))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ})
    assert done.stdout.strip() == "0", done.stderr
