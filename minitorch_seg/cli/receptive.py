"""`minitorch-seg receptive`: which pixels of the image one output pixel has seen, and how strongly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from minitorch_seg.errors import UserError, nearest_name

#: The sweeps of models/renet.py by name: the direction, and whether lines are read from both ends.
SWEEPS = {
    "width": ("width", False),
    "width_both": ("width", True),
    "height": ("height", False),
    "height_both": ("height", True),
}
DEFAULT = (*SWEEPS, "renet")
FILES = ("seen.png", "decay.png", "receptive.csv")
COLUMNS = ["model", "distance", "pixels", "seen", "norm"]


@click.command()
@click.argument("names", nargs=-1, metavar="[SWEEP|MODEL|RUN...]")
@click.option("--size", default=33, help="Side of the image, in pixels.")
@click.option(
    "--pixel", type=int, nargs=2, metavar="ROW COLUMN", help="Of the output.  [default: in the middle]"
)
@click.option("--cell", default="elman", help="Of the sweeps: elman, gru or lstm.")
@click.option("--truncate", type=int, help="Gradients of a sweep go back so many steps at most.")
@click.option("--out", default="receptive", metavar="FOLDER", help="Where to write.")
@click.option("--seed", default=0, help="Of random weights and images.")
@click.option("--force", is_flag=True, help="Overwrite earlier results in --out.")
def command(
    names: tuple[str, ...],
    size: int,
    pixel: tuple[int, int] | None,
    cell: str,
    truncate: int | None,
    out: str,
    seed: int,
    force: bool,
) -> None:
    """Draw which pixels of an image one output pixel has seen, and how strongly.

    \b
    SWEEP   width, height: each line read from its beginning; width_both, height_both: from its end as well;
            renet: width_both, then height_both.  These five are drawn when nothing is named.
    MODEL   as `train --model` knows it, with random weights.
    RUN     a run folder or a packaged model, with what it has learned.

    In FOLDER: seen.png, the norm of the gradient at each input pixel, white where it is 0; decay.png, the
    norm over the distance; receptive.csv, for each distance how many pixels lie there, how many of them were
    seen, and the root mean square of the norms.
    """
    if size < 1:
        raise UserError(f"--size must be at least 1, not {size}")
    place = (size // 2, size // 2) if not pixel else (pixel[0], pixel[1])
    if not (0 <= place[0] < size and 0 <= place[1] < size):
        raise UserError(f"--pixel {place[0]} {place[1]} is outside an image of {size}×{size} pixels")
    folder = Path(out)
    there = [name for name in FILES if (folder / name).exists()]
    if there and not force:
        raise UserError(f"--out {out} holds {there[0]} already; choose another folder or add --force")
    import numpy as np

    from minitorch_seg import plot
    from minitorch_seg.autograd import manual_seed
    from minitorch_seg.io import write_csv
    from minitorch_seg.models.receptive_field import distances, gradient_map, over_distance

    manual_seed(seed)
    models = {name: _model(name, cell, truncate) for name in names or DEFAULT}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out}: cannot write there ({error.strerror})") from error
    maps, norms, rows = {}, {}, []
    distance = distances(size, size, place)
    for name, (model, channels) in models.items():
        strength = gradient_map(model, (channels, size, size), place, seed=seed)
        seen = (strength > 0).any(axis=0)
        maps[name], norms[name] = strength.mean(axis=0), over_distance(strength, place)
        pixels, counts = (
            np.bincount(distance.ravel()),
            np.bincount(distance[seen], minlength=len(norms[name])),
        )
        rows += [[name, d, *entry] for d, entry in enumerate(zip(pixels, counts, norms[name], strict=True))]
        far = distance[seen].max(initial=0)
        click.echo(
            f"{name}: {seen.sum()} of {seen.size} pixels seen, the farthest {far} away; norm of the gradient "
            f"{norms[name][0]:.1e} at the pixel itself, {norms[name][far]:.1e} there"
        )
    what = f"pixel ({place[0]}, {place[1]}) of {size}×{size}"
    plot.save(plot.strengths(maps, f"what {what} has seen"), folder / "seen.png")
    plot.save(plot.decay(norms, f"gradient of {what}"), folder / "decay.png")
    write_csv(folder / "receptive.csv", COLUMNS, rows)
    click.echo(f"wrote {', '.join(str(folder / name) for name in FILES)}")


def _model(name: str, cell: str, truncate: int | None) -> tuple[Any, int]:
    """(a module that maps images to maps of their size, its input channels)."""
    from minitorch_seg import models
    from minitorch_seg.models.recurrent import CELLS
    from minitorch_seg.train.run import load_model, packaged_models

    if name in (*SWEEPS, "renet"):
        if cell not in CELLS:
            raise UserError(f"--cell {cell}: no such cell{nearest_name(cell, CELLS)}")
        if truncate is not None and truncate < 1:
            raise UserError(f"--truncate must be at least 1, not {truncate}")
        if name == "renet":
            return models.ReNet(1, 8, cell=cell, truncate=truncate), 1
        along, both_ways = SWEEPS[name]
        return models.Sweep(1, 8, along, both_ways, cell, truncate), 1
    if name in models.NAMES or name in models.ALIASES:
        return _whole(models.build(name, 1, 2)), 1
    if Path(name).is_dir() or name in packaged_models():
        model, config = load_model(name)
        return _whole(model), config["in_channels"]
    known = (*SWEEPS, "renet", *models.NAMES, *packaged_models())
    raise UserError(f"{name} is no sweep, no model and no run folder{nearest_name(name, known)}")


def _whole(model: Any) -> Any:
    """The model, or of a classifier of patches the same numbers for a whole image."""
    from minitorch_seg import nn

    class FullyConvolutional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.classifier = model

        def forward(self, x: Any) -> Any:
            return self.classifier.fully_convolutional(x)

    return FullyConvolutional() if hasattr(model, "fully_convolutional") else model
