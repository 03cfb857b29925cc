"""All benchmarks, or some: tables on the terminal; with --out a JSON file, the same tables, and two charts.

    python -m benchmarks.run                                       everything, about a quarter of an hour
    python -m benchmarks.run --isa avx2 --out benchmarks/results/2026-01-31-avx2
    python -m benchmarks.run conv2d --shrink 4 --seconds 0.1       a quick look that says nothing about speed

To be run in the repository's root folder.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minitorch_seg.bench import charts, process, report
from minitorch_seg.bench.measure import Record
from minitorch_seg.kernels.parallel import processors
from minitorch_seg.plot import save

STUDIES = ("conv2d", "operators", "unet")


@dataclass(frozen=True)
class Settings:
    """What holds for the whole run; each call measures in a fresh process."""

    isa: str = "native"
    seconds: float = 0.6
    shrink: int = 1
    threads: int = 1
    torch: tuple[str, ...] = ()

    def fresh(self, task: str, arguments: dict[str, Any], threads: int, **environment: str) -> Any:
        return process.fresh(task, arguments, threads, self.isa, **environment)

    def group(self, group: str, names: Sequence[str], threads: int = 1, others: str = "") -> list[Record]:
        """The cases of a group."""
        return self.timed(
            f"{group}, {threads} thread(s)", "minitorch_seg.bench.measure:measure_group", threads,
            group=group, names=names, others=others, seconds=self.seconds, shrink=self.shrink,
        )  # fmt: skip

    def steps(
        self, group: str, threads: int, sizes: list[dict[str, int]], **environment: str
    ) -> list[Record]:
        """Training steps of the U-Net."""
        title = f"{group}: U-Net steps, {threads} thread(s) {environment or ''}"
        found = self.timed(
            title, "minitorch_seg.bench.unet:steps", threads, environment,
            group=group, seconds=8 * self.seconds, sizes=sizes,
        )  # fmt: skip
        return [{**record, **environment} for record in found]

    def size(self, base: int = 16, batch: int = 8, side: int = 96) -> dict[str, int]:
        return {
            "base": max(base // self.shrink, 2),
            "batch": max(batch // self.shrink, 1),
            "side": max(side // self.shrink, 16),
        }

    def timed(
        self, title: str, task: str, threads: int, environment: dict[str, str] | None = None, **arguments: Any
    ) -> list[Record]:
        print(f"{time.strftime('%H:%M:%S')} {title}", file=sys.stderr, flush=True)
        arguments |= {"threads": threads, "isa": self.isa}
        return self.fresh(task, arguments, threads, **(environment or {}))


def main(studies: Sequence[str] = (), words: Sequence[str] | None = None) -> int:
    """Runs the studies, prints, writes; 1 where a result was wrong or a library failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    if not studies:
        parser.add_argument("studies", nargs="*", choices=[*STUDIES, []], help="default: all")
    parser.add_argument(
        "--isa", choices=list(process.ISA), default="native", help="avx2: hold both sides to AVX2"
    )
    parser.add_argument("--threads", type=int, default=processors(), help="the most, default: all processors")
    parser.add_argument("--seconds", type=float, default=0.6, help="for each shape")
    parser.add_argument("--shrink", type=int, default=1, help="divide batch, sides and widths: a quick look")
    parser.add_argument("--out", type=Path, help="OUT.json, OUT.txt, OUT-bars.png, OUT-roofline.png")
    chosen = parser.parse_args(words)
    torch = report.TORCH if importlib.util.find_spec("torch") else ()
    settings = Settings(chosen.isa, chosen.seconds, chosen.shrink, chosen.threads, torch)
    machine = settings.fresh("minitorch_seg.bench.machine:everything", {"threads": 1}, 1)
    found: list[Record] = []
    for study in studies or chosen.studies or STUDIES:
        found += importlib.import_module(f"benchmarks.bench_{study}").records(settings)
    machine["load at the end"] = list(os.getloadavg())
    figures = report.figures(found)
    text = report.text(machine, found, figures)
    print(text)
    if chosen.out:
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        name = str(chosen.out)
        report.save(Path(f"{name}.json"), machine, found, figures)
        Path(f"{name}.txt").write_text(text + "\n", encoding="utf-8")
        title = f"{machine['processor']}, 1 thread, {chosen.isa}, PyTorch {machine['torch']}"
        shown = [r for r in found if r["threads"] == 1 and "wall" in r]
        save(charts.bars(shown, title), f"{name}-bars.png")
        save(charts.roofline(shown, machine["ceilings"], title), f"{name}-roofline.png")
    return int(any("failed" in record for record in found))


if __name__ == "__main__":
    sys.exit(main())
