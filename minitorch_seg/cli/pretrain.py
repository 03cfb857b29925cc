"""`minitorch-seg pretrain`: an encoder that has seen images and no mask, as a file for `train --init`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from minitorch_seg.errors import ShapeError, UserError, nearest_name


@click.command()
@click.argument("data", metavar="FOLDER|NAME")
@click.option("--out", default="encoder.safetensors", metavar="FILE", help="Where to write the weights.")
@click.option("--task", default="inpainting", help="inpainting, denoising or plain: what is asked of it.")
@click.option("--steps", default=500, help="Of AdamW.")
@click.option("--base-channels", default=16, help="Channels of the first level, as of the later model.")
@click.option("--depth", default=3, help="How often sides are halved, as by the later model.")
@click.option("--batch-size", default=8, help="Images a step.")
@click.option("--lr", default=0.01, help="Learning rate at the start.")
@click.option("--crop", type=int, help="Side of the crops.  [default: whole images, or 128 if large]")
@click.option("--normalize", help="By each image's own mean, or the data set's.  [default: by set]")
@click.option("--seed", default=0, help="Decides all that is random.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def command(
    data: str,
    out: str,
    task: str,
    steps: int,
    base_channels: int,
    depth: int,
    batch_size: int,
    lr: float,
    crop: int | None,
    normalize: str | None,
    seed: int,
    force: bool,
) -> None:
    """Train an encoder on images alone, and write what `train --init FILE` begins with.

    FOLDER holds images, all of which are used.  Of a set by its NAME, or of a folder with masks/, only the
    training images are, and their masks are not looked at.

    An autoencoder is shown images with squares missing (inpainting), with noise (denoising) or as they are
    (plain), and learns to give the whole image back.  Its way down is that of unet and autoencoder.
    """
    from minitorch_seg.data import transforms
    from minitorch_seg.data.dataset import NORMALISATIONS
    from minitorch_seg.data.unlabelled import all_images
    from minitorch_seg.io import save_state_dict
    from minitorch_seg.train.options import RANGES
    from minitorch_seg.train.recipe import choose_crop, is_folder, load_splits
    from minitorch_seg.unsupervised.pretrain import TASKS, pretrain

    given = {"steps": steps, "base_channels": base_channels, "depth": depth, "batch_size": batch_size}
    for name, value in (given | {"crop": crop}).items():
        (low, high), option = RANGES[name], f"--{name.replace('_', '-')}"
        if value is not None and value < low:
            raise UserError(f"{option} must be at least {low:g}, not {value}")
        if value is not None and value > high:
            raise UserError(f"{option} must be at most {high:g}, not {value}")
    if not 0 < lr < float("inf"):
        raise UserError(f"--lr must be above 0, not {lr}")
    if task not in TASKS:
        raise UserError(f"--task {task}: no such task{nearest_name(task, TASKS)}")
    if normalize is not None and normalize not in NORMALISATIONS:
        raise UserError(f"--normalize {normalize}: no such choice{nearest_name(normalize, NORMALISATIONS)}")
    _check_file(Path(out), force)
    images: Any
    if is_folder(data) and not (Path(data) / "masks").exists():
        images = all_images(data)
        channels, way = images.channels, normalize or "image"
    else:
        splits = load_splits(data)
        images, channels, way = splits.train, splits.in_channels, normalize or splits.normalize
    statistics = transforms.channel_statistics(images) if way == "dataset" else ()
    steps_of_it: list[transforms.Transform] = [transforms.Normalize(*statistics)]
    crop = choose_crop(crop, images)
    if crop is not None:
        steps_of_it.append(transforms.RandomCrop(crop))
    shown = f"crops of {crop}×{crop} pixels" if crop else "whole images"
    click.echo(f"{data}: {len(images)} images, no masks; {shown}, normalised by {way}; {task}", err=True)

    def report(step: int, loss: float) -> None:
        if step == 1 or step % max(1, steps // 10) == 0 or step == steps:
            click.echo(f"step {step} of {steps}: loss {loss:.4f}", err=True)

    try:
        model = pretrain(
            images,
            channels,
            task=task,
            steps=steps,
            base_channels=base_channels,
            depth=depth,
            batch_size=batch_size,
            lr=lr,
            transform=transforms.Compose(steps_of_it),
            seed=seed,
            on_step=report,
        )
    except ShapeError as error:
        raise UserError(f"it cannot be trained: {error}; use a larger --crop or a smaller --depth") from error
    save_state_dict(out, model.down.state_dict())
    click.echo(f"wrote {out}; go on with:")
    click.echo(
        f"  minitorch-seg train --data ... --init {out} --base-channels {base_channels} --depth {depth}"
    )


def _check_file(path: Path, force: bool) -> None:
    """Before any work: the file can be written, and nothing is lost by it."""
    if not path.absolute().parent.is_dir():
        raise UserError(f"--out {path}: its folder is not there; make it first")
    if path.is_dir():
        raise UserError(f"--out {path} is a folder; give the name of a file")
    if path.exists() and not force:
        raise UserError(f"--out {path} is there already; choose another name or add --force")
