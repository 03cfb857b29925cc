"""`minitorch-seg cluster`: segments of images without any label."""

from __future__ import annotations

import functools
from typing import Any

import click

from minitorch_seg.errors import UserError, nearest_name

METHODS = ("self_taught", "code_clusters", "image")
#: Pixels of an image that a network is shown whole, eight times over.
LARGEST = 2**22


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE|FOLDER...")
@click.option("--method", default="self_taught", help="self_taught, code_clusters or image, see above.")
@click.option("--segments", type=int, help="How many; with image: to stop at.  [default: 4; with image: 3]")
@click.option("--steps", type=int, help="Of each network.  [default: 300; with image: 100]")
@click.option("--networks", type=int, help="Of self_taught, whose answers are averaged.  [default: 3]")
@click.option("--out", default="segments", metavar="FOLDER", help="Where to write.")
@click.option("--seed", default=0, help="Decides all that is random.")
@click.option("--force", is_flag=True, help="Overwrite earlier results in --out.")
def command(
    images: tuple[str, ...],
    method: str,
    segments: int | None,
    steps: int | None,
    networks: int | None,
    out: str,
    seed: int,
    force: bool,
) -> None:
    """Segment images without labels; nobody says what the segments are.

    \b
    self_taught   k-means on the colours of all images, then networks that learn from those clusters and
                  smooth them; segment 2 is the same thing in each image
    code_clusters k-means on the code of an autoencoder that learns from all images; numbered alike, too
    image         a network for each image that learns from its own answers (Kim et al., 2020); segments
                  are numbered by falling size, and those of two images have nothing in common

    For each image: NAME.png, the segment of each pixel, and NAME_overlay.png.  For all of them: areas.csv,
    and objects.csv with a row for each connected part.
    """
    if method not in METHODS:
        raise UserError(f"--method {method}: no such method{nearest_name(method, METHODS)}")
    for name, value, low in (("segments", segments, 2), ("steps", steps, 1), ("networks", networks, 1)):
        if value is not None and value < low:
            raise UserError(f"--{name} must be at least {low}, not {value}")
    if networks is not None and method != "self_taught":
        raise UserError(f"--networks: {method} has one network; leave it out")
    from minitorch_seg.data.images import read_header
    from minitorch_seg.train.predict import find_images, write_segmentations

    files = find_images(images)
    headers = [read_header(path) for path in files]
    for path, header in zip(files, headers, strict=True):
        if header.size[0] * header.size[1] > LARGEST:
            size = f"{header.size[1]}×{header.size[0]}"
            raise UserError(
                f"{path} has {size} pixels; make it smaller: at most {LARGEST:,} are taken at once"
            )
        if min(header.size) < 2:
            raise UserError(f"{path} has one row or column of pixels; segments need two or more of each")
    channels = max(header.channels for header in headers)
    if method == "image":
        segment, classes = _one_by_one(segments or 3, steps or 100, seed), None
    else:
        classes = [f"segment {number + 1}" for number in range(segments or 4)]
        chosen = {"steps": steps, "networks": networks}
        more = {name: value for name, value in chosen.items() if value is not None}
        segment = _together(method, files, channels, classes, {"seed": seed, **more})
    for path, found in write_segmentations(segment, channels, classes, files, out, force=force):
        click.echo(f"{path}: {', '.join(f'{name} {share:.1%}' for name, (share, _) in found.items())}")
    click.echo(f"In {out}: a map of segments and an overlay for each image, areas.csv, objects.csv")


def _one_by_one(segments: int, steps: int, seed: int) -> Any:
    """image -> its segments, by a network of its own."""
    from minitorch_seg.data.transforms import Normalize
    from minitorch_seg.unsupervised import cluster_image

    return lambda image: cluster_image(
        Normalize().image(image).transpose(2, 0, 1), min_labels=segments, steps=steps, seed=seed
    )


def _together(method: str, files: Any, channels: int, classes: list[str], options: dict[str, int]) -> Any:
    """image -> its segments, by networks that have seen all of them; they learn when the first is asked for,
    so that a folder that cannot be written costs no time."""
    from minitorch_seg.data.dataset import Splits
    from minitorch_seg.data.unlabelled import UNKNOWN, Images
    from minitorch_seg.unsupervised import METHODS as FITTED

    data = Images(files, channels)
    splits = Splits("images", data, data, data, classes, UNKNOWN, channels)

    @functools.cache
    def taught() -> Any:
        click.echo(f"learning from {len(files)} images, no masks", err=True)
        return FITTED[method](**options).fit(splits)

    return lambda image: taught().predict(image)
