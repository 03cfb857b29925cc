"""`minitorch-seg predict`: class maps, overlays and tables for images of any size."""

from __future__ import annotations

from pathlib import Path

import click

from minitorch_seg.cli.device import device_option
from minitorch_seg.errors import UserError


@click.command()
@click.argument("model", metavar="RUN|MODEL")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE|FOLDER...")
@click.option("--out", default="predictions", show_default=True, metavar="FOLDER", help="Where to write.")
@click.option("--pixel-size", type=float, help="Side of a pixel, for areas in µm² or m².")
@click.option("--pixel-unit", default=None, metavar="µm|m", help="Unit of --pixel-size.")
@device_option
@click.option("--force", is_flag=True, help="Overwrite earlier results in --out.")
def command(
    model: str,
    images: tuple[str, ...],
    out: str,
    pixel_size: float | None,
    pixel_unit: str | None,
    device: str,
    force: bool,
) -> None:
    """Segment images with RUN, a run folder, or with a packaged MODEL such as nuclei.

    For each image: NAME.png, the class of each pixel, and NAME_overlay.png.  For all of them: areas.csv, and
    objects.csv with a row for each connected object.
    """
    from minitorch_seg import baselines, unsupervised
    from minitorch_seg.train.predict import find_images, predict_files
    from minitorch_seg.train.run import load_model

    if pixel_size is not None and not pixel_size > 0:
        raise UserError(f"--pixel-size must be above 0, not {pixel_size:g}")
    if model in (*baselines.NAMES, *unsupervised.METHODS) and not Path(model).exists():
        raise UserError(
            f"{model} is fitted first: minitorch-seg evaluate {model} --data NAME|FOLDER --pictures FILE"
        )
    network, config = load_model(model)
    network.to(device)
    files = find_images(images)
    size = pixel_size if pixel_size is not None else config.get("pixel_size")
    unit = pixel_unit or config.get("pixel_unit")
    for path, found in predict_files(
        network, config, files, out, pixel_size=size, pixel_unit=unit, force=force
    ):
        parts = [
            f"{name} {share:.1%}" + (f" ({count} objects)" if count is not None else "")
            for name, (share, count) in found.items()
        ]
        click.echo(f"{path}: {', '.join(parts)}")
    click.echo(f"In {out}: a class map and an overlay for each image, areas.csv, objects.csv")
