"""Checks what contestants compute, then takes their times in turn: A B C, A B C, ...

A busy machine slows all of them alike, so ratios hold where single times do not.  The first call of each
(which compiles, or loads what is compiled) is the one that is checked, and is kept apart.  A wrong result is
reported, and never timed.
"""

from __future__ import annotations

import gc
import importlib
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import minitorch_seg as ms
from minitorch_seg.bench.cases import GROUPS, Case
from minitorch_seg.bench.libraries import Ours, ours, torches
from minitorch_seg.kernels import explain

LEAST, MOST = 3, 25  # turns of a contestant
SHORT, LONG = 0.01, 0.1  # seconds of repeats within a turn: of the fastest, and at most of the slowest
TOLERANCE = {"float32": 5e-5, "float64": 1e-11}  # relative to the largest number of the exact result
KINKED = 0.01  # of the norm of the difference: a relu may be open here and closed there
PATIENCE = 1.0, 20.0  # who takes more seconds, and so many times more than the fastest, is called once

Record = dict[str, Any]


@dataclass
class Times:
    """Seconds of each call: processor time of all threads, and of the clock on the wall."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def record(self) -> Record:
        return {"runs": len(self.wall), "cpu": spread(self.cpu), "wall": spread(self.wall)}


def spread(values: Sequence[float]) -> Record:
    """Median, lower and upper quartile.

    >>> spread([3.0, 1.0, 2.0])
    {'median': 2.0, 'low': 1.5, 'high': 2.5}
    """
    low, median, high = (float(q) for q in np.percentile(values, (25, 50, 75)))
    return {"median": median, "low": low, "high": high}


def in_turn(contestants: dict[str, Callable[[], Any]], seconds: float) -> dict[str, Times]:
    """Times all contestants in turn for about `seconds`, at least LEAST and at most MOST times each.

    Each turn has its own order, so that nobody always finds the caches as the same other one left them.
    Where the fastest takes less than SHORT, calls are repeated within a turn: for all equally often, because
    only the first of them finds the caches cold.
    """
    warm = {name: _seconds(function) for name, function in contestants.items()}
    times = {name: Times() for name in contestants}
    patience = max(PATIENCE[0], PATIENCE[1] * min(warm.values()))
    for name, once in warm.items():
        if once > patience:
            times[name] = Times([once], [once])
    timed = {name: max(once, 1e-6) for name, once in warm.items() if once <= patience}
    repeats = max(1, min(round(SHORT / min(timed.values())), round(LONG / max(timed.values()))))
    gc.disable()  # as timeit does: a collection would fall on whoever runs just then
    try:
        begin, order = time.perf_counter(), np.random.default_rng(0)
        for turn in range(MOST):
            if turn >= LEAST and time.perf_counter() - begin > seconds:
                break
            for name in order.permutation(list(timed)):
                function = contestants[name]
                cpu, wall = time.process_time(), time.perf_counter()
                for _ in range(repeats):
                    function()
                times[name].wall.append((time.perf_counter() - wall) / repeats)
                times[name].cpu.append((time.process_time() - cpu) / repeats)
    finally:
        gc.enable()
    return times


def _seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure(
    case: Case, contestants: Sequence[Any], seconds: float = 1.0, dtype: str = "float32", **labels: Any
) -> list[Record]:
    """One record a contestant: `labels`, times, errors against float64, and what our kernels say of it."""
    inputs, constants = case.arrays(dtype)
    exact = exactly(case, dtype)
    cotangent = cotangent_of(exact["y"], dtype)
    records, runs = [], {}
    for contestant in contestants:
        if not contestant.takes(case):
            continue
        record = {**labels, "operator": case.operator, "case": case.name, "contestant": contestant.name}
        record |= {"dtype": dtype, "flops": case.flops, "bytes": traffic(exact, inputs, case)}
        records.append(record)
        try:
            run = contestant.prepare(case, inputs, constants, cotangent)
            with explain() as calls:
                start = time.perf_counter()
                results = run()
                record["first"] = time.perf_counter() - start
        except Exception as error:  # one library that cannot must not keep the others from running
            record["failed"] = f"{type(error).__name__}: {error}".splitlines()[0]
            continue
        found = dict(zip(exact, map(contestant.numpy, results), strict=True))
        record["errors"] = {name: relative_error(found[name], exact[name]) for name in exact}
        if isinstance(contestant, Ours):
            record["why"] = str(calls).splitlines()
        norms = [np.linalg.norm(found[name] - exact[name]) / np.linalg.norm(exact[name]) for name in exact]
        right = max(norms) < KINKED if case.kinked else max(record["errors"].values()) < TOLERANCE[dtype]
        if not right:
            record["failed"] = f"wrong result, relative errors {record['errors']}"
            continue
        runs[contestant.name] = run
    times = in_turn(runs, seconds) if runs else {}
    for record in records:
        if record["contestant"] in times:
            record |= times[record["contestant"]].record()
        else:
            print(f"{case.name}: {record['contestant']}: {record['failed']}", file=sys.stderr)
    return records


def measure_group(
    group: str, names: Sequence[str], threads: int, isa: str, seconds: float, operator: str = "",
    shrink: int = 1, dtype: str = "float32", others: str = "",
) -> list[Record]:  # fmt: skip
    """All cases of a group (of one operator), by those contestants of `names` that are installed.

    `others` is "module:function", which gives contestants of further libraries.
    """
    ms.set_num_threads(threads)
    everyone: list[Any] = [*ours(), *torches(threads)]
    contestants = [c for c in everyone if c.name in names]
    if others:
        module, function = others.split(":")
        contestants += getattr(importlib.import_module(module), function)()
    records = []
    for case in GROUPS[group](shrink):
        if operator in ("", case.operator):
            print(f"  {case.operator} {case.name}", file=sys.stderr, flush=True)
            records += measure(case, contestants, seconds, dtype, group=group, threads=threads, isa=isa)
    return records


def exactly(case: Case, dtype: str) -> dict[str, np.ndarray]:
    """y and the gradients in float64 by the NumPy reference, from the very numbers in `dtype`."""
    inputs, constants = case.arrays(dtype)
    wide = {name: a.astype("float64") for name, a in inputs.items()}
    contestant = Ours("reference")
    with ms.kernels.dispatch.use("reference"), ms.no_grad():
        y = case.call(contestant, *map(ms.Tensor, wide.values()), *map(ms.Tensor, constants)).data
    run = contestant.prepare(case, wide, constants, cotangent_of(y, dtype).astype("float64"))
    names = ["y", *(name for name in inputs if name not in case.fixed)]
    return {name: t.data for name, t in zip(names, run(), strict=True)}


def cotangent_of(y: np.ndarray, dtype: str) -> np.ndarray:
    """A random dL/dy: with ones in its place a flipped kernel would pass the check."""
    return np.asarray(np.random.default_rng(1).standard_normal(y.shape)).astype(dtype)


def relative_error(found: np.ndarray, exact: np.ndarray) -> float:
    """max |found − exact| / max |exact|; infinite where shapes differ or a number is missing."""
    if found.shape != exact.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - exact).max() / np.abs(exact).max())


def traffic(exact: dict[str, np.ndarray], inputs: dict[str, np.ndarray], case: Case) -> int:
    """Bytes that must be moved at least: forward reads the inputs and writes y, backward reads dL/dy and
    the inputs again and writes the gradients.
    """
    size = next(iter(inputs.values())).itemsize
    read = sum(a.size for a in inputs.values())
    written = sum(a.size for name, a in exact.items() if name != "y")
    return size * (2 * read + written + 2 * exact["y"].size)


def geometric_mean(values: Sequence[float]) -> float:
    """(v₁ · v₂ · …)^(1/n), the mean for ratios."""
    return statistics.geometric_mean(values)
