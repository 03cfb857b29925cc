"""`minitorch-seg bench [OP]`: an operator's speed, our algorithms beside PyTorch where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from minitorch_seg.errors import UserError, nearest_name


@click.command()
@click.argument("operator", default="", metavar="[OP]")
@click.option("--threads", type=click.IntRange(1, 64), default=1, help="Threads on both sides.")
@click.option("--isa", type=click.Choice(["native", "avx2"]), default="native", help="Instruction set.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32")
@click.option(
    "--seconds", type=click.FloatRange(0), default=0.6, help="For each shape, at least three turns."
)
@click.option(
    "--shrink", type=click.IntRange(1, 16), default=1, help="Divide batch and sides, for a quick look."
)
@click.option("--why", is_flag=True, help="No times: which kernel and algorithm serves each shape, and why.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all results."
)
@click.option("--charts", type=click.Path(file_okay=False, path_type=Path), help="Draw into this folder.")
def command(operator: str, why: bool, json_file: Path | None, charts: Path | None, **options: Any) -> None:
    """Measure an operator, forward and all gradients, in turn with PyTorch.

    OP is an operator, or `unet` for a whole training step; without OP all of them are measured. Results are
    compared with float64 before anything is timed. What one runs on matters more than anything else: close
    other programs, and compare ratios rather than times.
    """
    from minitorch_seg.bench import charts as draw
    from minitorch_seg.bench import process, report
    from minitorch_seg.bench.cases import operators
    from minitorch_seg.plot import save

    groups = operators()
    if operator and operator not in (*groups, "unet"):
        raise UserError(f"there is no benchmark of {operator!r}{nearest_name(operator, [*groups, 'unet'])}")
    chosen = [operator] if operator else [*groups, *([] if why else ["unet"])]
    pinned = {"threads": options["threads"], "isa": options["isa"]}
    names = ["auto"] if why else ["auto", "winograd", "direct", "plain", *report.TORCH]
    records = []
    for name in chosen:
        found = _measure(name, groups.get(name, []), names, options, pinned)
        click.echo(report.reasons(found) if why else report.table(found) + "\n")
        records += found
    if json_file or charts:
        machine = process.fresh(
            "minitorch_seg.bench.machine:everything", {"threads": pinned["threads"]}, **pinned
        )
        title = f"{machine['processor']}, {pinned['threads']} thread(s), {pinned['isa']}"
        if json_file:
            report.save(json_file, machine, records, report.figures(records))
        if charts:
            charts.mkdir(parents=True, exist_ok=True)
            save(draw.bars(records, title), charts / "bars.png")
            save(draw.roofline(records, machine["ceilings"], title), charts / "roofline.png")
    if any("failed" in record for record in records):
        raise SystemExit(1)


def _measure(
    name: str, groups: list[str], names: list[str], options: dict[str, Any], pinned: dict[str, Any]
) -> list[Any]:
    from minitorch_seg.bench import process

    if name == "unet":
        size = {"base": 16, "batch": max(8 // options["shrink"], 1), "side": max(96 // options["shrink"], 16)}
        task = {"sizes": [size], "group": "step", "seconds": 10 * options["seconds"], **pinned}
        return process.fresh("minitorch_seg.bench.unet:steps", task, **pinned)
    found = []
    for group in groups:
        task = {**options, "group": group, "names": names, "operator": name}
        found += process.fresh("minitorch_seg.bench.measure:measure_group", task, **pinned)
    return found
