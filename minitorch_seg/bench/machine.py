"""The machine: what it is, and what it can do at most (the roof of the roofline).

    attainable operations per second = min(peak, bandwidth · operations per byte)

Williams, Waterman and Patterson, "Roofline: an insightful visual performance model", 2009.
"""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import minitorch_seg as ms
from minitorch_seg.bench.cases import convolution
from minitorch_seg.bench.libraries import Ours
from minitorch_seg.kernels.parallel import parallel_for

LIBRARIES = ("numpy", "numba", "torch", "scipy", "jax", "tinygrad", "mygrad")


def description() -> dict[str, Any]:
    """Processor, memory, system, versions, date, and how busy the machine is."""
    facts: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "processor": _after("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory": _after("/proc/meminfo", "MemTotal") or "unknown",
        "system": platform.platform(),
        "python": platform.python_version(),
        "minitorch_seg": ms.__version__,
    }
    flags = _after("/proc/cpuinfo", "flags").split()
    facts["vectors"] = [flag for flag in ("sse4_2", "avx", "avx2", "fma", "avx512f") if flag in flags]
    facts["load"] = list(os.getloadavg()) if hasattr(os, "getloadavg") else []
    for name in LIBRARIES:
        try:
            facts[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            facts[name] = "not installed"
    return facts


def everything(threads: int) -> dict[str, Any]:
    """The description, with the ceilings of that many threads."""
    ms.set_num_threads(threads)
    return {**description(), "ceilings": ceilings()}


def ceilings(seconds: float = 0.5, megabytes: float = 256.0) -> dict[str, float]:
    """Measured, for the present number of threads: `peak` in operations a second (float32), `memory` and
    `cache` in bytes a second.

    The peak is the best of our register tile (a 1×1 convolution whose numbers stay in the cache) and the
    BLAS's matrix product; the bandwidth that of c = a + b, in memory and within a core's own cache.
    """
    return {
        "peak": max(_product(512, seconds), _tile(seconds)),
        "memory": _sum_of_arrays(int(megabytes * 2**20), seconds),
        "cache": _sum_of_arrays(2**17 * ms.get_num_threads(), seconds),
    }


def _tile(seconds: float) -> float:
    case = convolution(128, 128, 32, kernel=1, batch=4)
    inputs, _ = case.arrays("float32")
    x, weight = ms.Tensor(inputs["x"]), ms.Tensor(inputs["weight"])
    return case.flops / 3 / _best(lambda: case.call(Ours(), x, weight), seconds)


def _product(size: int, seconds: float) -> float:
    a = np.ones((size, size), np.float32)
    return 2 * size**3 / _best(lambda: a @ a, seconds)


def _sum_of_arrays(size: int, seconds: float) -> float:
    """Two arrays of `size` bytes are read and one is written, in ranges on our threads."""
    a, b, c = (np.ones(size // 4, np.float32) for _ in range(3))
    chunks = 4 * ms.get_num_threads()

    def add(first: int, last: int) -> None:
        part = slice(first * len(a) // chunks, last * len(a) // chunks)
        np.add(a[part], b[part], out=c[part])

    return 3 * 4 * len(a) / _best(lambda: parallel_for(add, chunks), seconds)


def _best(function: Callable[[], Any], seconds: float) -> float:
    """The shortest of many calls: a ceiling is what is possible."""
    function()
    best, begin = float("inf"), time.perf_counter()
    while time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def _after(file: str, key: str) -> str:
    """The text behind `key` in one of Linux's files about the machine; nothing elsewhere."""
    if not Path(file).exists():
        return ""
    lines = (line.split(":", 1) for line in Path(file).read_text().splitlines() if ":" in line)
    return next((value.strip() for name, value in lines if name.strip() == key), "")
