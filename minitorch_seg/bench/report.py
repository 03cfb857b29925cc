"""What comes out: a table for the eye, the figures that sum it up, and a JSON file with everything."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from minitorch_seg.bench.measure import Record, geometric_mean

OURS, TORCH, COMPARED = "auto", ("torch", "torch channels-last"), "plain"


def clock(record: Record) -> str:
    """Which time counts: processor time on one thread, the clock on the wall on several."""
    return "cpu" if record["threads"] == 1 else "wall"


def seconds(record: Record) -> float:
    """The median."""
    return record[clock(record)]["median"]


def by_case(records: Iterable[Record]) -> dict[tuple[str, str], dict[str, Record]]:
    """(group, case) -> contestant -> record, in the order in which they were measured."""
    found: dict[tuple[str, str], dict[str, Record]] = {}
    for record in records:
        key = record["group"], f"{record['operator']} {record['case']}"
        found.setdefault(key, {})[record["contestant"]] = record
    return found


def ratio(contestants: dict[str, Record]) -> float | None:
    """PyTorch's time, in the format that suits it better, divided by ours: above 1 we are faster.

    Without PyTorch the plain loops take its place; None where either side has no time.
    """
    timed = {name: seconds(record) for name, record in contestants.items() if "wall" in record}
    others = [timed[name] for name in TORCH if name in timed]
    if not others and not any(name in contestants for name in TORCH) and COMPARED in timed:
        others = [timed[COMPARED]]
    return min(others) / timed[OURS] if others and OURS in timed else None


def table(records: Sequence[Record]) -> str:
    """One line a case: milliseconds (and half the interquartile range, in per cent) of each contestant."""
    cases = by_case(records)
    names = list(dict.fromkeys(record["contestant"] for record in records))
    torch = any(name in names for name in TORCH)
    width = max(len(case) for _, case in cases) + 2
    kind = "processor" if clock(records[0]) == "cpu" else "wall-clock"
    lines = [
        f"ms of {kind} time, median ± half the interquartile range; {records[0]['threads']} thread(s), "
        f"{records[0]['isa']}, {records[0]['dtype']}; forward and all gradients",
        f"{'':{width}}"
        + "".join(f"{name.replace('channels-last', 'c-last'):>14}" for name in names)
        + f"{'GF/s':>8}{'ratio':>8}",
    ]
    for (_, case), contestants in cases.items():
        cells = "".join(f"{_cell(contestants.get(name)):>14}" for name in names)
        ours, gain = contestants.get(OURS, {}), ratio(contestants)
        rate = f"{ours['flops'] / seconds(ours) / 1e9:.0f}" if ours.get("flops") and "wall" in ours else ""
        lines.append(f"{case:{width}}{cells}{rate:>8}{f'{gain:.2f}' if gain else '':>8}")
    gains = [gain for gain in map(ratio, cases.values()) if gain]
    if len(gains) > 1:
        lines.append(
            f"{'geometric mean of the ratios':{width + 14 * len(names) + 8}}{geometric_mean(gains):8.2f}"
        )
    best = "the better of PyTorch's formats" if torch else "the plain loops (PyTorch is not installed)"
    lines.append(f"ratio: the time of {best} divided by ours (auto); above 1 we are faster")
    return "\n".join(lines)


def _cell(record: Record | None) -> str:
    if record is None:
        return "-"
    if "wall" not in record:
        return "failed"
    times = record[clock(record)]
    spread = 50 * (times["high"] - times["low"]) / times["median"] if times["median"] else 0
    return f"{1e3 * times['median']:.2f} ±{spread:2.0f}%"


def reasons(records: Sequence[Record]) -> str:
    """For each case the kernels that our own contestants called: file, algorithm, shapes, and why."""
    lines = []
    for record in records:
        if "why" in record:
            lines += [f"{record['operator']} {record['case']}", *(f"    {line}" for line in record["why"])]
    return "\n".join(lines)


#: Figure -> at least (or, with a minus sign, at most) this.
GOALS = {
    "conv 3×3, geometric mean": 1.8,
    "every convolution, worst": 0.95,
    "max_pool2d, worst": 1.3,
    "interpolate, worst": 1.3,
    "conv_transpose2d, worst": 1.3,
    "rnn, worst": 1.3,
    "batch_norm, worst": 1.0,
    "cross_entropy, worst": 1.0,
    "cat, worst": 1.0,
    "U-Net step, base 16": 1.4,
    "U-Net step, base 32": 1.65,
    "Winograd's largest error": -2e-5,
    "own U-Net step, 2 threads against 1, base 16": 1.6,
    "own U-Net step, 2 threads against 1, base 32": 1.6,
    "peak memory against PyTorch's, base 16": -1.2,
    "peak memory against PyTorch's, base 32": -1.2,
    "cold first step, seconds": -60.0,
    "warm process to first step, seconds": -4.0,
    "serial share of the step, base 16": -0.1,
    "serial share of the step, base 32": -0.1,
}


def figures(records: Sequence[Record]) -> dict[str, float]:
    """The results in a few numbers: ratios to PyTorch, and what was measured of our step alone."""
    found: dict[str, float] = {}
    threads = sorted({record["threads"] for record in records})
    for count in threads:
        end = f", {count} threads" if count > 1 else ""
        here = [record for record in records if record["threads"] == count]
        groups = {group: [r for r in here if r["group"] == group] for group in {r["group"] for r in here}}
        square = _ratios(groups.get("conv 3×3", []))
        if square:
            found[f"conv 3×3, geometric mean{end}"] = geometric_mean(square)
        convolutions = [r for r in here if r.get("operator") == "conv2d"]
        others = [r for r in here if r["group"] == "operators" or r.get("operator") == "conv_transpose2d"]
        for name, part in (("every convolution", convolutions), *_operators(others)):
            gains = _ratios(part)
            if gains:
                found[f"{name}, worst{end}"] = min(gains)
        for r in groups.get("step", []):
            if r["contestant"] == OURS and "wall" in r:
                gain = ratio({o["contestant"]: o for o in _fastest(groups["step"], r["case"])})
                if gain:
                    found[f"U-Net step, base {r['base']}{end}"] = gain
                if count == 1 and "serial" in r:
                    found[f"serial share of the step, base {r['base']}"] = r["serial"]
                alone = [o for o in records if o["threads"] == 1 and _same_step(o, r)]
                if count > 1 and alone:
                    name = f"own U-Net step, {count} threads against 1, base {r['base']}"
                    found[name] = alone[0]["wall"]["median"] / r["wall"]["median"]
    for base in sorted({r["base"] for r in records if r["group"] == "memory"}):
        taken = {r["contestant"]: r["bytes"] for r in records if r["group"] == "memory" and r["base"] == base}
        found[f"peak memory of our step in MB, base {base}"] = taken[OURS] / 1e6
        best = min((size for name, size in taken.items() if name != OURS), default=0.0)
        if best > 0:
            found[f"peak memory against PyTorch's, base {base}"] = taken[OURS] / best
    for r in (r for r in records if r["group"] == "start"):
        name = "cold first step" if r["case"] == "cold" else "warm process to first step"
        found[f"{name}, seconds"] = r["from_start"]
    winograd = [r for r in records if any(", winograd," in line for line in r.get("why", []))]
    if winograd:
        found["Winograd's largest error"] = max(max(r["errors"].values()) for r in winograd)
    return found


def _same_step(a: Record, b: Record) -> bool:
    return all(a.get(key) == b[key] for key in ("group", "case", "contestant")) and "wall" in a


def _fastest(records: Sequence[Record], case: str) -> list[Record]:
    """Of each contestant its fastest record: PyTorch may wait actively or passively, as it likes best."""
    timed = (r for r in records if r["case"] == case and "wall" in r)
    order = sorted(timed, key=seconds, reverse=True)
    return list({r["contestant"]: r for r in order}.values())


def _operators(records: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    names = dict.fromkeys(r["operator"] for r in records)
    return [(name, [r for r in records if r["operator"] == name]) for name in names]


def _ratios(records: Sequence[Record]) -> list[float]:
    return [gain for gain in map(ratio, by_case(records).values()) if gain]


def figures_table(found: dict[str, float]) -> str:
    """Figure, what was found, and what was aimed at."""
    lines = [f"{'figure':52}{'found':>10}{'goal':>12}"]
    for name, value in found.items():
        goal = GOALS.get(name) or GOALS.get(name.rsplit(", ", 1)[0])
        sign = "" if goal is None else "≥" if goal > 0 else "≤"
        said = "" if goal is None else f"{sign} {abs(goal):.3g}"
        missed = goal is not None and (value < goal if goal > 0 else value > -goal)
        lines.append(f"{name:52}{value:>10.3g}{said:>12}{'   missed' if missed else ''}")
    return "\n".join(lines)


def text(machine: dict[str, Any], records: Sequence[Record], found: dict[str, float]) -> str:
    """Machine, figures, and a table for each group, number of threads and way to wait."""
    parts = ["\n".join(f"{name:16}{value}" for name, value in machine.items()), figures_table(found)]
    tables: dict[tuple, list[Record]] = {}
    for record in records:
        if "dtype" in record:  # memory and start have no table
            key = record["group"], record["threads"], record.get("OMP_WAIT_POLICY", "")
            tables.setdefault(key, []).append(record)
    for (group, _, wait), members in tables.items():
        parts.append(f"{group}{f' (OMP_WAIT_POLICY={wait})' if wait else ''}\n{table(members)}")
    return "\n\n".join(parts)


def save(path: Path, machine: dict[str, Any], records: Sequence[Record], found: dict[str, float]) -> None:
    """Everything as JSON: {"machine": …, "figures": …, "records": […]}."""
    everything = {"machine": machine, "figures": found, "records": list(records)}
    path.write_text(json.dumps(everything, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
