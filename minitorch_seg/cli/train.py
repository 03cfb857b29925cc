"""`minitorch-seg train`: a model, a run folder, and what to do next."""

from __future__ import annotations

import time
from typing import Any

import click

from minitorch_seg.cli.device import device_option
from minitorch_seg.errors import UserError


@click.command()
@click.option(
    "--data", default="coins", metavar="NAME|FOLDER", help="Data set, or a folder with images/ and masks/."
)
@click.option("--model", default="unet", help="Model.")
@click.option("--out", metavar="RUN", help="Run folder.  [default: runs/DATA-MODEL-N]")
@click.option("--epochs", type=int, help="Passes over the training images.")
@click.option("--steps", type=int, help="Optimiser steps.  [default: 600; coins 200]")
@click.option("--minutes", type=float, help="As many steps as fit, measured first, then fixed.")
@click.option("--batch-size", type=int, help="Images a step; 16 times as many patches.  [default: 8]")
@click.option("--lr", type=float, help="Learning rate at the start.  [default: the model's own, mostly 0.01]")
@click.option("--optimizer", help="adamw, adam, sgd (momentum 0.9) or rmsprop.  [default: adamw]")
@click.option("--weight-decay", type=float, help="[default: 0.01]")
@click.option("--ema", type=float, help="Keep a running mean of the weights, 0.99 say; 0: none.")
@click.option("--base-channels", type=int, help="Channels of the first level.  [default: the model's own]")
@click.option("--depth", type=int, help="How often sides are halved.  [default: the model's own]")
@click.option("--size", type=int, help="Side of the patches of patch_cnn.  [default: 32]")
@click.option("--segments", type=int, help="For wnet and a folder without masks/.  [default: 4]")
@click.option("--set", multiple=True, metavar="NAME=VALUE", help="Any other option of the model: cell=lstm.")
@click.option("--init", metavar="FILE", help="Weights for the encoder, from a pre-training.")
@click.option("--loss", help="One loss, or several: a+b.  [default: cross_entropy+dice_loss]")
@click.option("--class-weights", help="none, sqrt or balanced: rare classes count more in the loss.")
@click.option("--label-smoothing", type=float, help="Of the cross-entropy, 0.1 say.")
@click.option("--clip-norm", type=float, help="Shorten longer gradients.  [default: 1 if recurrent]")
@click.option("--normalize", help="By each image's own mean, or the data set's.  [default: by set]")
@click.option("--symmetry", help="none, mirror or square: what keeps an image's meaning.  [default: by set]")
@click.option(
    "--no-augment", "augment", flag_value=False, default=True, type=bool, help="Leave images alone."
)
@click.option(
    "--crop", type=int, help="Side of the training crops.  [default: whole images, or 128 if large]"
)
@click.option("--scale", type=float, help="Enlarge and shrink images up to so many times.")
@click.option("--shift", type=int, help="Move images by up to so many pixels.")
@click.option("--rotate", type=float, help="Turn images by up to so many degrees.")
@click.option("--elastic", type=float, help="Bend images like rubber, by about so many pixels.")
@click.option("--colour", type=float, help="How much gamma, contrast and tint change.  [default: 1]")
@click.option("--balance", type=float, help="Share of images and crops that are drawn for a rare class.")
@click.option("--average/--no-average", default=None, help="Predict in all symmetries, take the mean.")
@click.option("--share", type=float, default=1.0, help="Train on this share of the training images.")
@click.option(
    "--convert", metavar="foreground|boundary", help="Masks that number objects: what to make of them."
)
@click.option("--seed", type=int, default=0, help="Decides all that is random.")
@device_option
@click.option("--force", is_flag=True, help="Overwrite an earlier run in --out.")
@click.option("--resume", is_flag=True, help="Go on with the stopped run in --out.")
@click.pass_context
def command(
    ctx: click.Context,
    out: str | None,
    minutes: float | None,
    force: bool,
    resume: bool,
    **options: Any,
) -> None:
    """Train a model, evaluate it on held-back images, leave a run folder.

    The defaults train a U-Net on coins, on the CPU, without a network, in about a minute.
    """
    started = time.monotonic()
    from minitorch_seg.train import evaluate, recipe, session

    if resume:
        given = [
            name
            for name in ctx.params
            if name not in ("out", "resume")
            and ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        ]
        if given:
            named = f"--{given[0].replace('_', '-')}" if given[0] != "augment" else "--no-augment"
            raise UserError(f"--resume takes all options from the run; leave {named} out")
        if out is None:
            raise UserError("--resume needs the folder of the stopped run: --out RUN")
        result = session.resume(out, say=_say)
    else:
        result = session.run_training(
            recipe.Options(**options), out, minutes=minutes, force=force, started=started, say=_say
        )
    path = result.run.path
    click.echo(f"\nOn {result.metrics['images']} test images, which the training never saw:")
    click.echo(evaluate.score_table(result.metrics, result.metrics["baselines"]))
    click.echo(f"\n{result.seconds:.0f} s in all.  Open {path / 'predictions.png'} and {path / 'curves.png'}")
    click.echo(f"To segment images of your own:  minitorch-seg predict {path} IMAGE... --out FOLDER")
    if result.config["options"]["data"] == "coins":
        click.echo(
            "To train on your own:           minitorch-seg train --data FOLDER   (images/ and masks/ in it)"
        )


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)
