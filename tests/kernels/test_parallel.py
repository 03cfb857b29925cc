"""Threads: the same bits for any number of them, no deadlock, no loss of errors, safe after a fork."""

import gc
import queue
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitorch_seg.kernels import dispatch, parallel
from tests.kernels.helpers import calls


@pytest.fixture(autouse=True)
def restore_the_number_of_threads():
    before = parallel.get_num_threads()
    yield
    parallel.set_num_threads(before)


@pytest.mark.parametrize("operator", dispatch.operators())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_two_and_seven_threads_give_the_same_bits(operator, dtype):
    results = []
    for threads in (1, 2, 7):
        parallel.set_num_threads(threads)
        results.append(calls(dtype, side=67)[operator](dispatch.get(operator)))
    for others in results[1:]:
        for a, b in zip(results[0], others, strict=True):
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("chunks", [0, 1, 2, 5, 100])
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_every_chunk_is_done_once(chunks, threads):
    parallel.set_num_threads(threads)
    done = np.zeros(chunks, int)

    def kernel(first, last, out):
        for i in range(first, last):
            out[i] += 1

    parallel.parallel_for(kernel, chunks, done)
    assert (done == 1).all()


@given(chunks=st.integers(1, 5000), threads=st.integers(2, 64))
def test_ranges_are_few_shrink_and_cover_every_chunk_once(chunks, threads):
    ranges = parallel._ranges(chunks, threads)
    assert [i for first, last in ranges for i in range(first, last)] == list(range(chunks))
    lengths = [last - first for first, last in ranges]
    assert sorted(lengths[:-1], reverse=True) == lengths[:-1]
    assert lengths[0] <= max(chunks / (2 * threads), 1)  # nobody begins with more than half its share
    assert len(ranges) <= 16 * threads


@pytest.mark.parametrize("processors", [1, 64])
def test_threads_that_sleep_between_jobs_wake_again(processors, monkeypatch):
    monkeypatch.setattr(parallel, "_processors", processors)  # 64: each waits actively first
    parallel.set_num_threads(3)
    done = np.zeros(12, int)
    for pause in (0, 0.002, 0, 0.0002, 0, 0.0004, 0.001):
        taken = []
        barrier = threading.Barrier(3, timeout=20)

        def kernel(first, last, out, taken=taken, barrier=barrier):
            out[first:last] += 1
            if threading.get_ident() not in taken:
                taken.append(threading.get_ident())
                barrier.wait()

        time.sleep(pause)
        parallel.parallel_for(kernel, 12, done)
        assert len(set(taken)) == 3
    assert (done == 7).all()


def test_several_threads_take_part():
    parallel.set_num_threads(2)
    seen = set()
    both = threading.Barrier(2, timeout=20)

    def kernel(first, last):
        if threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            both.wait()

    parallel.parallel_for(kernel, 8)
    assert len(seen) == 2


def test_a_call_from_inside_a_kernel_does_not_wait_for_itself():
    parallel.set_num_threads(4)
    done = []

    def inner(first, last):
        time.sleep(0.001)
        done.extend(range(first, last))

    def outer(first, last):
        for _ in range(first, last):
            parallel.parallel_for(inner, 16)

    for _ in range(3):
        parallel.parallel_for(outer, 64)
    assert len(done) == 3 * 64 * 16


@pytest.mark.parametrize("where", [0, 99])
def test_an_error_in_any_thread_reaches_the_caller_and_no_thread_goes_on(where):
    parallel.set_num_threads(4)
    running = []

    def kernel(first, last):
        running.append(first)
        if first <= where < last:
            raise ArithmeticError("here")
        time.sleep(0.002)
        running.remove(first)

    with pytest.raises(ArithmeticError, match="here"):
        parallel.parallel_for(kernel, 100)
    assert len(running) == 1


def test_an_error_keeps_no_arrays():
    parallel.set_num_threads(2)

    def kernel(first, last, array):
        raise ArithmeticError

    gc.disable()
    try:
        array = np.zeros(100)
        with pytest.raises(ArithmeticError):
            parallel.parallel_for(kernel, 4, array)
        references = sys.getrefcount(array)
    finally:
        gc.enable()
    assert references == 2  # this function's and getrefcount's own


def test_a_finished_job_keeps_no_arrays_while_the_threads_are_busy_elsewhere():
    parallel.set_num_threads(2)
    begun, go_on = threading.Semaphore(0), threading.Event()

    def slow(first, last):
        begun.release()
        go_on.wait(20)

    other = threading.Thread(target=parallel.parallel_for, args=(slow, 2))
    other.start()
    begun.acquire(timeout=20), begun.acquire(timeout=20)  # the pool's only thread is inside, as is its caller
    array = np.zeros(100)
    for _ in range(10):
        parallel.parallel_for(lambda first, last, a: None, 4, array)
    references = sys.getrefcount(array)
    go_on.set()
    other.join(timeout=20)
    assert references == 2


@pytest.mark.skipif(sys.platform == "win32", reason="there is no os.kill with SIGINT on Windows")
def test_after_ctrl_c_no_thread_writes_on():
    program = """
import os, signal, threading, time
from minitorch_seg.kernels import parallel
parallel.set_num_threads(2)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have switched it off
caller, writes = threading.get_ident(), []
def kernel(first, last):
    if threading.get_ident() == caller:
        while not writes:
            time.sleep(0.001)
    else:
        for _ in range(20):
            writes.append(0)
            time.sleep(0.03)
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    parallel.parallel_for(kernel, 2)
except KeyboardInterrupt:
    seen = len(writes)
    time.sleep(0.2)
    print(seen, len(writes))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["20", "20"]


def test_after_ctrl_c_while_help_is_asked_for_no_thread_writes_on(monkeypatch):
    parallel.set_num_threads(2)
    parallel.parallel_for(lambda first, last: None, 4)  # the pool's thread is there

    class Interrupted:
        get, get_nowait = parallel._jobs.get, parallel._jobs.get_nowait

        def put(self, job, put=parallel._jobs.put):
            put(job)
            raise KeyboardInterrupt

    writes = []

    def kernel(first, last):
        time.sleep(0.01)
        writes.append(first)

    monkeypatch.setattr(parallel, "_jobs", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        parallel.parallel_for(kernel, 64)
    seen = len(writes)
    time.sleep(0.1)
    assert len(writes) == seen


def test_without_more_threads_the_caller_works_alone(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(parallel, "_jobs", queue.SimpleQueue())
    monkeypatch.setattr(parallel, "_threads", 0)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    parallel.set_num_threads(3)
    done = np.zeros(50, int)

    def kernel(first, last, out):
        out[first:last] += 1

    parallel.parallel_for(kernel, 50, done)
    assert (done == 1).all() and parallel._threads == 0


def test_threads_that_are_not_asked_do_not_wait_actively(monkeypatch):
    watched = []

    def changes(counters, place, seen):
        watched.append(threading.current_thread())
        return False

    parallel.set_num_threads(5)
    both = threading.Barrier(5, timeout=20)
    parallel.parallel_for(lambda first, last: both.wait() if first < 5 else None, 5)
    parallel.set_num_threads(2)
    monkeypatch.setattr(parallel, "_processors", 64)
    monkeypatch.setattr(parallel, "_watch", changes)
    for _ in range(20):
        both = threading.Barrier(2, timeout=20)
        parallel.parallel_for(lambda first, last, both=both: both.wait(), 2)
    assert len({t for t in watched if t.name == "minitorch_seg"}) <= 1


def test_two_python_threads_may_call_kernels_at_once():
    parallel.set_num_threads(2)
    tasks = calls(side=67)
    kernels = dispatch.get("conv2d"), dispatch.get("batch_norm")
    expected = [tasks["conv2d"](kernels[0])[0], tasks["batch_norm"](kernels[1])[0]]
    wrong = []

    def work(i):
        for _ in range(10):
            if not np.array_equal(tasks[("conv2d", "batch_norm")[i]](kernels[i])[0], expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in (0, 1, 0, 1)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(timeout=60)
    assert not wrong and not any(t.is_alive() for t in threads)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_kernels_work_in_a_forked_child():
    program = """
import os, numpy as np
from minitorch_seg.kernels import dispatch, parallel
parallel.set_num_threads(3)
kernels = dispatch.get("channel_sum")
x = np.ones((8, 4, 100, 100), "float32")
before = kernels.channel_sum(x)
child = os.fork()
if child == 0:
    os._exit(0 if (kernels.channel_sum(x) == before).all() else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    command = [sys.executable, "-W", "ignore", "-c", program]
    assert (
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.strip() == "0"
    )


@pytest.mark.parametrize("count", [0, -1, 65])
def test_an_impossible_number_of_threads_is_refused(count):
    with pytest.raises(ValueError, match="between 1 and 64"):
        parallel.set_num_threads(count)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({"NUMBA_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}, 3), ({"OMP_NUM_THREADS": "5"}, 5)],
)
def test_the_environment_sets_the_number_of_threads(variables, expected, monkeypatch):
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert parallel._default_count() == expected
