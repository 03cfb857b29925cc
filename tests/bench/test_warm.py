"""Compiling in advance forgets no kernel."""

import subprocess
import sys

import pytest

from minitorch_seg.bench import warm

PROGRAM = """
from minitorch_seg.bench import warm
found = [warm.uncompiled()]
for dtype in ("float32", "float64"):
    warm.compile_all(dtype)
    found.append(warm.uncompiled())
both = [(n, d) for n, d in warm.kernels() if not n.startswith(("fast/softmax.", "fast/cross_entropy."))]
found.append([name for name, d in both if "float64" not in str(d.signatures)])
found.append([name for name, d in both if len(d.signatures) < 2])
print(*map(len, found))
"""


@pytest.mark.slow
def test_every_kernel_is_compiled_for_both_dtypes():
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    before, *after = map(int, run.stdout.split())
    assert before > 20 and after == [0, 0, 0, 0]


def test_what_python_calls_counts_and_what_kernels_call_does_not():
    names = [name for name, _ in warm.kernels()]
    assert "cpu/relu._forward" in names and "fast/winograd._correlate" in names
    assert "cpu/correlation._multiply" not in names and not any("multiply_tile" in name for name in names)
