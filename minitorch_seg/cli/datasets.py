"""`minitorch-seg datasets`: where each data set is, how to get it, how it looks."""

from __future__ import annotations

from typing import Any

import click


@click.group(invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List the data sets, get one, or draw a contact sheet."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(show_list)


@command.command("list")
def show_list() -> None:
    """Each set, where it is, or how to get it."""
    from minitorch_seg.data import status

    for entry in status():
        images = ", ".join(f"{count} {part}" for part, count in entry.sizes.items())
        click.echo(f"{entry.name:12} {images} images; {entry.licence}")
        click.echo(f"{'':12} {entry.where or 'not here; to get it: ' + entry.how_to_get}")


@command.command("get")
@click.argument("name")
@click.option("--from", "source_url", metavar="URL", help="Another place of the same archive.")
@click.option("--force", is_flag=True, help="Replace a set that is there already.")
def get_set(name: str, source_url: str | None, force: bool) -> None:
    """Download and prepare a registered set from its own source."""
    from tqdm import tqdm

    from minitorch_seg.data import get

    bars: dict[str, Any] = {}

    def progress(stage: str, done: int, total: int | None) -> None:
        if stage not in bars:
            bars[stage] = tqdm(
                total=total, desc=stage, unit="B" if stage == "download" else "", unit_scale=True
            )
        bars[stage].update(done - bars[stage].n)

    try:
        result = get(name, source_url=source_url, progress=progress, force=force)
    finally:
        for bar in bars.values():
            bar.close()
    click.echo(result.text())


@command.command("sheet")
@click.argument("name", metavar="NAME|FOLDER")
@click.option("--out", metavar="FILE", help="PNG file to write.  [default: NAME.png]")
def sheet(name: str, out: str | None) -> None:
    """Draw images of a set above their masks."""
    from pathlib import Path

    from minitorch_seg.data import contact_sheet, load

    click.echo(f"wrote {contact_sheet(load(name), out or Path(name).name + '.png')}")
