"""Run rows of the table: `python -m benchmarks.segmentation.run ROW`, `--list`, or `--all --hours H`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

from benchmarks.segmentation.methods import METHODS, foreground_dice
from benchmarks.segmentation.rows import SETS, Row, rows
from minitorch_seg import data
from minitorch_seg.bench.process import fresh
from minitorch_seg.io import read_json, write_json

RESULTS = Path(__file__).parent / "results" / "rows"
COSTS_SHAPE = [128, 128]


def cache() -> Path:
    """Where runs lie: weights and pictures of the registered sets never enter the repository."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "minitorch_seg" / "rows"


def done(row: Row, results: Path = RESULTS) -> bool:
    """Whether a result of this very row is there."""
    path = results / f"{row.name}.json"
    return path.exists() and read_json(path).get("key") == row.key


def run(
    row: Row, results: Path = RESULTS, runs: Path | None = None, steps: int | None = None
) -> dict[str, Any]:
    """Run a row, or what is left of it, and write its file; a row that is done is read."""
    path = results / f"{row.name}.json"
    if done(row, results):
        return read_json(path)
    folder = (runs or cache()) / f"{row.name}-{row.key}"
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    scores = METHODS[row.method](row, folder, steps)
    result = {
        "key": row.key,
        "row": {
            name: getattr(row, name)
            for name in ("name", "data", "method", "options", "seed", "minutes", "claim")
        },
        "scores": scores,
        "seconds": round(time.monotonic() - begun, 1),
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "commit": _commit(),
    }
    if "classes" in scores:
        result |= {"miou": scores["miou"], "foreground_dice": foreground_dice(scores)}
    if "config" in scores and steps is None:
        result["costs"] = measured(scores["config"], scores["classes"], row.data)
    results.mkdir(parents=True, exist_ok=True)
    write_json(path, result)
    return result


def measured(config: dict[str, Any], classes: Any, name: str) -> dict[str, Any]:
    """measure.costs in a fresh process of one thread, for colour images of 128×128 pixels."""
    arguments = {
        "name": config["options"]["model"],
        "options": config["model_options"],
        "in_channels": 1 if name == "hippocampus" else 3,
        "classes": len(classes),
        "shape": COSTS_SHAPE,
    }
    return fresh("benchmarks.segmentation.measure:costs", arguments, threads=1)


def _commit() -> str:
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()


def present(row: Row) -> bool:
    """Whether a row's set is on this machine."""
    return row.data not in SETS or data.find(row.data) is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="ROW")
    parser.add_argument("--list", action="store_true", help="every row: done or missing, and its minutes")
    parser.add_argument("--all", action="store_true", help="every missing row, in the order of the table")
    parser.add_argument("--hours", type=float, default=1e9, help="begin no row after so many hours")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--runs", type=Path, help="where runs lie  [default: the user's cache]")
    options = parser.parse_args()
    table = {row.name: row for row in rows()}
    unknown = [name for name in options.names if name not in table]
    if unknown:
        parser.error(f"there is no row {unknown[0]!r}; --list shows them")
    if options.list:
        for row in table.values():
            print(
                f"{'done   ' if done(row, options.results) else 'missing'} {row.minutes:5.0f} min  {row.name}"
            )
        left = sum(row.minutes for row in table.values() if not done(row, options.results))
        print(f"{left / 60:.1f} hours of training are missing, besides rows with a number of steps")
        return
    begun = time.monotonic()
    wanted = list(table.values()) if options.all else [table[name] for name in options.names]
    for row in wanted:
        if time.monotonic() - begun > 3600 * options.hours:
            break
        if not present(row):
            print(f"{row.name}: {row.data} is not on this machine: minitorch-seg datasets get {row.data}")
            continue
        result = run(row, options.results, options.runs)
        said = {key: result[key] for key in ("miou", "seconds") if key in result}
        print(json.dumps({"row": row.name, **said}), flush=True)


if __name__ == "__main__":
    main()
