"""`minitorch-seg evaluate`: the scores of a run, beside those that need no learning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from minitorch_seg.cli.device import device_option
from minitorch_seg.errors import UserError, nearest_name


@click.command()
@click.argument("run", metavar="RUN")
@click.option(
    "--data", metavar="NAME|FOLDER", help="Other data of the same classes.  [default: the run's own]"
)
@click.option(
    "--convert",
    metavar="foreground|boundary",
    help="Masks that number objects: what to make of them.  [default: as the run did with its own data]",
)
@click.option("--split", default="test", help="train, val or test.", show_default=True)
@click.option(
    "--pictures", metavar="FILE", help="Also draw some images, truth, prediction, errors: a PNG file."
)
@device_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON only, in the form of metrics.json.")
def command(
    run: str,
    data: str | None,
    convert: str | None,
    split: str,
    pictures: str | None,
    device: str,
    as_json: bool,
) -> None:
    """Score RUN, a run folder or a packaged model, on images; or what is fitted to --data first: a baseline
    (otsu, kmeans, …), or what learns without labels: self_taught (from clusters of colour), code_clusters
    (k-means on the code of an autoencoder).

    Beside each score stands what needs no learning: the most frequent class everywhere, and at each place
    the class that the training masks hold there most often.
    """
    from minitorch_seg import baselines, unsupervised
    from minitorch_seg.train import evaluate
    from minitorch_seg.train.inference import Preparation
    from minitorch_seg.train.pictures import Pictures
    from minitorch_seg.train.recipe import load_splits
    from minitorch_seg.train.run import load_model

    if split not in ("train", "val", "test"):
        raise UserError(f"--split {split}: no such split{nearest_name(split, ('train', 'val', 'test'))}")
    if pictures is not None:
        check_picture(pictures)
    if run in (*baselines.NAMES, *unsupervised.METHODS) and not Path(run).exists():
        if data is None:
            raise UserError(f"{run} needs data to be fitted to; add --data NAME|FOLDER")
        if device != "cpu":
            raise UserError(f"--device {device}: {run} is fitted on the CPU; leave it out")
        splits = load_splits(data, convert)
        dataset = splits.split(split)
        if run in unsupervised.METHODS:
            click.echo(
                f"{run} learns from {len(splits.train)} images; masks only name what it finds", err=True
            )
            fitted: Any = unsupervised.METHODS[run]().fit(splits)
        else:
            fitted = baselines.build(run).fit(splits)
        shown = Pictures(len(dataset))
        found = evaluate.evaluate_baseline(fitted, splits, dataset, shown)
        others = {"baselines": evaluate.baselines(splits, dataset), "images": len(dataset), "split": split}
        _show(run, found | others, splits, split, as_json, shown, pictures)
        return
    model, config = load_model(run)
    model.to(device)
    options = config.get("options") or {}
    if data is None and "data" not in options:
        raise UserError(
            f"the config of {run} does not say on what data it was trained; add --data NAME|FOLDER"
        )
    splits = load_splits(data or options["data"], convert or (None if data else options.get("convert")))
    if splits.classes != config["classes"]:
        raise UserError(
            f"--data {data}: its classes are {', '.join(splits.classes)}, "
            f"those of {run} are {', '.join(config['classes'])}; they must be the same"
        )
    splits = evaluate.with_channels(splits, config["in_channels"])
    dataset = splits.split(split)
    prepare, shown = Preparation.of(config), Pictures(len(dataset))
    metrics = evaluate.evaluate_model(model, splits, dataset, shown, prepare) | {"split": split}
    _show(run, metrics, splits, split, as_json, shown, pictures)


def _show(
    run: str,
    metrics: dict[str, Any],
    splits: Any,
    split: str,
    as_json: bool,
    shown: Any,
    pictures: str | None,
) -> None:
    from minitorch_seg import plot
    from minitorch_seg.io import to_json
    from minitorch_seg.train.evaluate import score_table

    if pictures is not None:
        title = f"{run} on {splits.name}, split {split}: mean IoU {metrics['miou']:.3f}"
        plot.save(shown.figure(splits, title), pictures)
    if as_json:
        click.echo(to_json(metrics), nl=False)
        return
    click.echo(f"{run} on {metrics['images']} images of {splits.name}, split {split}:")
    click.echo(score_table(metrics, metrics["baselines"]))
    if splits.note:
        click.echo(splits.note)
    if pictures is not None:
        click.echo(f"wrote {pictures}")


def check_picture(path: str) -> None:
    """Before any work: a picture's name must end in .png, and its folder must be there."""
    if Path(path).suffix.lower() != ".png":
        raise UserError(f"--pictures {path}: pictures are written as PNG; give a name that ends in .png")
    if not Path(path).absolute().parent.is_dir():
        raise UserError(f"--pictures {path}: its folder is not there; make it first")
