"""Two pictures of the results: how much faster or slower than PyTorch, and how near the machine's limits.

Each function returns a matplotlib Figure; `plot.save` writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from minitorch_seg.bench.measure import Record
from minitorch_seg.bench.report import OURS, TORCH, by_case, ratio, seconds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FASTER, SLOWER, THEIRS = "#1b7837", "#b35806", "#5e5e9e"


def bars(records: Sequence[Record], title: str) -> Figure:
    """One bar a case, on a logarithmic axis from 1: PyTorch's time divided by ours."""
    from matplotlib.figure import Figure

    gains = {case: ratio(contestants) for case, contestants in by_case(records).items()}
    shown = [(case, gain) for (_, case), gain in gains.items() if gain][::-1]
    figure = Figure(figsize=(8, 1.4 + 0.21 * len(shown)), layout="constrained")
    axes = figure.subplots()
    colours = [FASTER if gain >= 1 else SLOWER for _, gain in shown]
    rows = range(len(shown))  # two groups may have cases of one name
    axes.barh(rows, [gain - 1 for _, gain in shown], left=1, color=colours, height=0.7)
    axes.set_yticks(rows, [case for case, _ in shown])
    for row, (_, gain) in enumerate(shown):
        side = "left" if gain >= 1 else "right"
        axes.text(gain * (1.02 if gain >= 1 else 0.98), row, f"{gain:.2f}", va="center", ha=side, fontsize=7)
    values = [gain for _, gain in shown] or [1.0]
    axes.set_xscale("log")
    axes.set_xlim(min(0.5, 0.7 * min(values)), max(2.0, 1.3 * max(values)))
    marks = [mark for mark in (0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32) if axes.get_xlim()[0] <= mark]
    marks = [mark for mark in marks if mark <= axes.get_xlim()[1]]
    axes.set_xticks(marks, [f"{mark:g}" for mark in marks])
    axes.minorticks_off()
    axes.axvline(1, color="black", linewidth=0.8)
    axes.tick_params(axis="y", labelsize=7)
    axes.margins(y=0.01)
    axes.set_xlabel("time of PyTorch's better format / our time (to the right of 1 we are faster)")
    axes.set_title(title, fontsize=10)
    return figure


def roofline(records: Sequence[Record], ceilings: dict[str, float], title: str) -> Figure:
    """Operations a second over operations per byte, below the machine's measured ceilings.

    Operations are those of the formula.  Winograd's algorithm does fewer, so it may stand above the roof.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5.5), layout="constrained")
    axes = figure.subplots()
    kinds = ((OURS,), FASTER, "o", "ours"), (TORCH, THEIRS, "x", "PyTorch, better format")
    xs: list[float] = []
    for names, colour, marker, label in kinds:
        points = []
        for contestants in by_case(r for r in records if r.get("flops")).values():
            timed = [r for name, r in contestants.items() if name in names and "wall" in r]
            if timed:
                best = min(timed, key=seconds)
                points.append((best["flops"] / best["bytes"], best["flops"] / seconds(best) / 1e9))
        if points:
            x, y = zip(*points, strict=True)
            axes.scatter(x, y, color=colour, marker=marker, s=26, label=label, zorder=3)
            xs += x
    left, right = min(xs, default=1) / 2, max(xs, default=100) * 2
    peak = ceilings["peak"]
    for name, style in (("memory", "-"), ("cache", "--")):
        bend = peak / ceilings[name]
        label = f"{name}, {ceilings[name] / 1e9:.0f} GB/s"
        bends = [left, min(max(bend, left), right), right]
        axes.plot(
            bends, [min(peak, ceilings[name] * x) / 1e9 for x in bends], style, color="black", label=label
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(left, right)
    axes.text(right / 1.05, peak / 1e9 * 1.04, f"peak {peak / 1e9:.0f} GF/s", ha="right", fontsize=8)
    axes.set_xlabel("operations of the formula per byte that must be moved (forward and gradients)")
    axes.set_ylabel("10⁹ operations a second")
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8, loc="lower right")
    return figure
