"""Compiling: memory bounds, plain Python, the cache on disk, and what is said while it takes long."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minitorch_seg.kernels import cache, dispatch, jit
from tests.kernels.helpers import GuardedMemory, calls, close, surrounded

ROOT = Path(__file__).parents[2]
COMPARE = """
from tests.kernels.helpers import calls, close
from minitorch_seg.kernels import dispatch
for operator, call in calls(side=9).items():
    found = call(dispatch.get(operator))
    with dispatch.use("reference"):
        expected = calls(side=9)[operator](dispatch.get(operator))
    for a, b in zip(found, expected, strict=True):
        close(a, b, 100.0)
print("all agree", len(found))
"""


def run(program: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-W", "ignore::RuntimeWarning", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "NUMBA_NUM_THREADS": "1", **environment},
    )


@pytest.mark.parametrize("operator", dispatch.operators())
def test_nothing_is_written_outside_the_results(operator, monkeypatch):
    kernels, call = dispatch.get(operator), calls(side=19)[operator]
    expected = call(kernels)  # compiled before memory is guarded
    call = calls(side=19)[operator]
    memory = GuardedMemory(monkeypatch)
    found = call(kernels)
    memory.check()
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("operator", dispatch.operators())
def test_nothing_outside_the_arguments_is_read(operator, monkeypatch):
    """Every array argument lies between NaN: had one been read, the result would differ."""
    kernels = dispatch.get(operator)
    expected = calls(side=19)[operator](kernels)

    class Surrounding:
        def __getattr__(self, name):
            function = getattr(kernels, name)
            return lambda *args: function(*(surrounded(a) if isinstance(a, np.ndarray) else a for a in args))

    for a, b in zip(calls(side=19)[operator](Surrounding()), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_plain_python_gives_the_same():
    assert "all agree" in run(COMPARE, NUMBA_DISABLE_JIT="1").stdout


@pytest.mark.slow
def test_no_index_leaves_its_array():
    assert "all agree" in run(COMPARE, NUMBA_BOUNDSCHECK="1").stdout


def test_an_index_that_leaves_its_array_is_an_error_where_indices_are_checked():
    """Else the test above, and the run of all tests under NUMBA_BOUNDSCHECK=1, would prove nothing."""
    program = (
        "import numpy as np\n"
        "from minitorch_seg.kernels.cpu import relu\n"
        "try: relu._forward(0, 1, np.ones(10), np.ones(5))\n"
        "except IndexError as error: print(error)"
    )
    assert "out of bounds" in run(program, NUMBA_BOUNDSCHECK="1").stdout


def test_compiled_code_is_kept_and_found_again(tmp_path):
    program = (
        "import numpy as np\n"
        "from minitorch_seg.kernels.cpu import channel_sum as k\n"
        "k.channel_sum(np.ones((1, 2, 3, 4)))\n"
        "print(sum(k._add.stats.cache_hits.values()), sum(k._add.stats.cache_misses.values()))"
    )
    for expected in ("0 1", "1 0"):
        assert run(program, NUMBA_CACHE_DIR=str(tmp_path)).stdout.strip() == expected
    assert [p.name for p in tmp_path.iterdir()] == [f"kernels-{cache.source_hash()}"]


def test_a_cache_folder_that_cannot_be_made_is_no_error(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    program = (
        "import numpy as np\n"
        "from minitorch_seg.kernels.cpu import channel_sum as k\n"
        "print(k.channel_sum(np.ones((1, 2, 3, 4))))"
    )
    assert run(program, NUMBA_CACHE_DIR=str(blocked)).stdout.strip() == "[12. 12.]"


HELPER_EDITED = """
import sys, numpy as np
from minitorch_seg.kernels import dispatch
dispatch.get("relu")  # the folder's name is known from here on
file = "minitorch_seg/kernels/fast/stretches.py"
text = open(file).read()
if "edit" in sys.argv:
    assert "sums[c] += places[start + c]" in text
    open(file, "w").write(text.replace("sums[c] += places[start + c]", "sums[c] += 2 * places[start + c]"))
print(*dispatch.get("channel_sum").channel_sum(np.ones((1, 2, 3, 4), np.float32)))
open(file, "w").write(text)
"""


def test_a_helper_edited_while_a_process_runs_leaves_nothing_stale(tmp_path):
    shutil.copytree(
        ROOT / "minitorch_seg", tmp_path / "minitorch_seg", ignore=shutil.ignore_patterns("__pyc*")
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    found = []
    for words in (["edit"], []):
        command = [sys.executable, "-c", HELPER_EDITED, *words]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        found.append(done.stdout.strip())
    assert found == ["24.0 24.0", "12.0 12.0"]


def test_threads_that_load_their_first_kernels_at_once_leave_the_users_folder_alone_and_keep_every_kernel(
    tmp_path,
):
    program = (
        "import gc, os, sys, threading, numba\n"
        "from minitorch_seg.kernels import dispatch\n"
        "from numba.core.dispatcher import Dispatcher\n"
        "sys.setswitchinterval(1e-5)\n"
        "before, names = numba.config.CACHE_DIR, dispatch.operators()\n"
        "together = threading.Barrier(len(names))\n"
        "def load(name):\n"
        "    together.wait()\n"
        "    dispatch.get(name)\n"
        "threads = [threading.Thread(target=load, args=(name,)) for name in names]\n"
        "for t in threads: t.start()\n"
        "for t in threads: t.join()\n"
        "ours = [d for d in gc.get_objects() if isinstance(d, Dispatcher) and d.targetoptions.get('nogil')\n"
        "        and d.py_func.__module__.startswith('minitorch_seg')]\n"
        "places = {os.path.dirname(d._cache.cache_path or 'nowhere') for d in ours}\n"
        "print(len(ours) > 30, len(places), 'kernels-' in min(places), before == numba.config.CACHE_DIR)"
    )
    assert run(program, NUMBA_CACHE_DIR=str(tmp_path)).stdout.strip() == "True 1 True True"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for a file's length")
def test_a_full_disk_costs_time_alone(tmp_path):
    program = (
        "import resource, signal, sys, numpy as np\n"
        "from minitorch_seg.kernels.cpu import channel_sum as k\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))  # no file may grow\n"
        "print(*k.channel_sum(np.ones((1, 2, 3, 4))))"
    )
    done = run(program, NUMBA_CACHE_DIR=str(tmp_path))
    assert done.stdout.strip() == "12.0 12.0"
    assert done.stderr.count("cannot be written") == 1


@pytest.mark.parametrize("ending", ["*.nbi", "*.nbc"])
def test_a_broken_file_is_compiled_anew(ending, tmp_path):
    program = (
        "import numpy as np\n"
        "from minitorch_seg.kernels.cpu import channel_sum as k\n"
        "print(*k.channel_sum(np.ones((1, 2, 3, 4))), sum(k._add.stats.cache_hits.values()))"
    )
    assert run(program, NUMBA_CACHE_DIR=str(tmp_path)).stdout.strip() == "12.0 12.0 0"
    for file in tmp_path.rglob(ending):
        file.write_bytes(file.read_bytes()[:-100])
    broken = run(program, NUMBA_CACHE_DIR=str(tmp_path))
    assert broken.stdout.strip() == "12.0 12.0 0" and "cannot be read" in broken.stderr
    assert run(program, NUMBA_CACHE_DIR=str(tmp_path)).stdout.strip() == "12.0 12.0 1"


def test_a_users_own_cache_folder_is_left_alone():
    import numba

    before = numba.config.CACHE_DIR
    jit.kernel(lambda first, last: None)
    assert before == numba.config.CACHE_DIR


def test_long_compiling_is_announced_once(monkeypatch, capfd):
    from minitorch_seg.kernels.cpu import channel_sum

    monkeypatch.setattr(jit, "NOTICE_AFTER", 0.0)
    notice = jit._Notice()
    for _ in range(2):
        event = type("Event", (), {"data": {"dispatcher": channel_sum._add}})
        notice.on_start(event)
        if notice.timer is not None:
            notice.timer.join()
        notice.on_end(event)
    assert capfd.readouterr().err.count("compiling kernels") == 1


def test_results_agree_in_float64():
    for operator, call in calls("float64", side=11).items():
        found = call(dispatch.get(operator))
        with dispatch.use("reference"):
            expected = calls("float64", side=11)[operator](dispatch.get(operator))
        for a, b in zip(found, expected, strict=True):
            close(a, b)
