"""Locks: one thread at a time, and none is closed in a forked child."""

import subprocess
import sys
import threading

import pytest

from minitorch_seg.locks import Lock


def test_one_thread_at_a_time():
    lock, inside, most = Lock(), [], []

    def work():
        for _ in range(200):
            with lock:
                inside.append(0)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(timeout=20)
    assert len(most) == 800 and max(most) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
@pytest.mark.parametrize(
    "lock",
    [
        "autograd.tensor:_adding",
        "autograd.generator:default_generator._lock",
        "kernels.buffers:_lock",
        "kernels.layout:_lock",
        "kernels.openblas:_lock",
        "kernels.parallel:_threads_lock",
        "kernels.jit:global_compiler_lock",
        "locks:importing",
    ],
)
def test_a_lock_that_another_thread_holds_is_open_in_a_forked_child(lock):
    program = f"""
import importlib, operator, os, signal, threading, time
import minitorch_seg as ms
ms.set_num_threads(2)
module, name = "{lock}".split(":")
lock = operator.attrgetter(name)(importlib.import_module("minitorch_seg." + module))
held = threading.Event()
def hold():
    with lock:
        held.set()
        time.sleep(1)
threading.Thread(target=hold).start()
assert held.wait(20)
child = os.fork()
if child == 0:
    signal.alarm(100)  # all kernels may have to be compiled
    x = ms.randn(1, 3, 200, 200, requires_grad=True)
    ms.functional.conv2d(x @ x, ms.randn(4, 3, 3, 3)).sum().backward()
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=150,
    )
    assert done.stdout.strip() == "0"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
@pytest.mark.parametrize("module", ["kernels.jit", "kernels.waiting", "kernels.cpu.relu"])
def test_a_module_that_another_thread_imports_is_whole_in_a_forked_child(module):
    """Python holds a lock for each module that is being imported; nobody in the child would open it."""
    program = f"""
import os, signal, sys, threading, time
import minitorch_seg as ms
ms.set_num_threads(2)
begun = threading.Event()
class Slow:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "minitorch_seg.{module}":
            begun.set()
            time.sleep(0.3)
sys.meta_path.insert(0, Slow)
def job():
    return ms.relu(ms.ones(4, 8, 200, 200)).data.all()
results = []
thread = threading.Thread(target=lambda: results.append(job()))
thread.start()
assert begun.wait(30)
signal.alarm(100)
child = os.fork()
if child == 0:
    signal.alarm(90)
    os._exit(0 if job() else 1)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
thread.join(30)
print(status, len(results))
"""
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.split()) == (0, ["0", "1"]), done.stderr
