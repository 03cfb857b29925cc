"""Compiling: memory bounds, plain Python, the cache on disk, and what is said while it takes long."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minitorch_seg.kernels import dispatch, jit
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
    assert [p.name for p in tmp_path.iterdir()] == [f"kernels-{jit.source_hash()}"]


def test_a_cache_folder_that_cannot_be_made_is_no_error(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    program = (
        "import numpy as np\n"
        "from minitorch_seg.kernels.cpu import channel_sum as k\n"
        "print(k.channel_sum(np.ones((1, 2, 3, 4))))"
    )
    assert run(program, NUMBA_CACHE_DIR=str(blocked)).stdout.strip() == "[12. 12.]"


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
