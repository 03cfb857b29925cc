"""`minitorch-seg check`: everything that is wrong with a folder of images and masks, in one pass."""

from __future__ import annotations

from pathlib import Path

import click

from minitorch_seg.errors import UserError


@click.command()
@click.argument("folder")
@click.option(
    "--convert", metavar="foreground|boundary", help="Masks that number objects: what to make of them."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def command(folder: str, convert: str | None, as_json: bool) -> None:
    """Read every image and mask of FOLDER and say what stands against training on it, and how to mend it.

    The exit code is 0 when nothing does, and 2 otherwise.
    """
    from minitorch_seg.data import check_folder
    from minitorch_seg.io import to_json

    if not Path(folder).is_dir():
        raise UserError(f"{folder}: there is no such folder; give one that holds images/ and masks/")
    report = check_folder(folder, convert=convert)
    click.echo(to_json(report.to_dict()) if as_json else report.text() + "\n", nl=False)
    if not report.ok:
        raise SystemExit(2)
