"""A fresh process for each measurement: threads are pinned before NumPy, Numba and PyTorch are imported.

`fresh("module:function", {...}, threads=2)` calls the function there and gives its result back (numbers,
text, lists and dictionaries).  With `isa="avx2"` both sides are held to AVX2 on a processor that has more.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
#: What makes Numba, oneDNN, PyTorch's own kernels, OpenBLAS and XLA keep to an instruction set.
ISA: dict[str, dict[str, str]] = {
    "native": {},
    "avx2": {
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+bmi,+bmi2,+f16c,+lzcnt,+popcnt,+sse4.2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    },
}


class ProcessFailed(RuntimeError):
    """The fresh process ended without a result."""


def environment(threads: int, isa: str = "native", **more: str) -> dict[str, str]:
    """This process's environment with the number of threads and the instruction set pinned."""
    return {**os.environ, **dict.fromkeys(THREADS, str(threads)), **ISA[isa], **more}


def fresh(task: str, arguments: dict[str, Any], threads: int = 1, isa: str = "native", **more: str) -> Any:
    """The result of `module:function(**arguments)` in a new process; `more` are environment variables."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        order = {"task": task, "arguments": arguments, "answer": str(answer), "started": time.time()}
        subprocess.run(
            [sys.executable, "-c", "from minitorch_seg.bench import process; process.child()"],
            input=json.dumps(order), text=True, check=False,
            env=environment(threads, isa, PYTHONPATH=os.pathsep.join(filter(None, sys.path)), **more),
        )  # fmt: skip
        if not answer.exists():
            raise ProcessFailed(f"{task} with {arguments} ended without a result; its message is above")
        return json.loads(answer.read_text(encoding="utf-8"))


started = 0.0  # when the parent started this process, in seconds since 1970


def child() -> None:
    """What the new process does: read the order from stdin, write the answer."""
    global started
    order = json.load(sys.stdin)
    started = order["started"]
    module, function = order["task"].split(":")
    result = getattr(importlib.import_module(module), function)(**order["arguments"])
    Path(order["answer"]).write_text(json.dumps(result), encoding="utf-8")
