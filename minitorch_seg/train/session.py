"""One training from the command to the whole run folder: plan, calibrate, fit, evaluate, draw; stop and go
on."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from minitorch_seg import plot
from minitorch_seg.errors import DataError, ShapeError, UserError
from minitorch_seg.train.augment import described
from minitorch_seg.train.calibrate import calibrate
from minitorch_seg.train.evaluate import evaluate_model
from minitorch_seg.train.patchwise import PATCHES
from minitorch_seg.train.pictures import Pictures
from minitorch_seg.train.recipe import Options, Plan, make_plan
from minitorch_seg.train.run import RunFolder, next_folder, require
from minitorch_seg.train.trainer import Callback, Trainer

__all__ = ["Result", "resume", "run_training"]

#: From so many parameters on a training says what they cost.
LARGE = 10_000_000


@dataclass
class Result:
    """What a finished training reports."""

    run: RunFolder
    config: dict[str, Any]
    metrics: dict[str, Any]
    seconds: float


def run_training(
    options: Options,
    out: str | os.PathLike[str] | None = None,
    *,
    minutes: float | None = None,
    force: bool = False,
    progress: bool = True,
    started: float | None = None,
    say: Callable[[str], None] = lambda sentence: None,
) -> Result:
    """Train from nothing and leave a whole run folder.

    out: the folder; None takes runs/<data>-<model>-<n> with the next free number.  minutes: see `calibrate`.
    started: `time.monotonic()` when the command began.  say: gets the sentences on what is being done.
    """
    started = time.monotonic() if started is None else started
    if sum(value is not None for value in (options.epochs, options.steps, minutes)) > 1:
        raise UserError("give one of --epochs, --steps and --minutes, not several")
    if minutes is not None and not 0 < minutes < math.inf:
        raise UserError(f"--minutes must be above 0 and finite, not {minutes:g}")
    plan = make_plan(options)
    run = RunFolder.create(out or next_folder(options.data, options.model), force)
    try:
        images = ", ".join(f"{count} {part}" for part, count in plan.config["images"].items())
        say(f"{options.data}: {images} images; classes: {', '.join(plan.splits.classes)}")
        if plan.splits.note:
            say(plan.splits.note)
        if minutes is not None:
            say(f"measuring how many steps fit into {minutes:g} minutes")
            with _explained():
                steps = calibrate(plan, minutes, started)
        elif options.epochs is not None:
            steps = options.epochs * plan.batches_an_epoch()
        else:
            steps = options.steps or plan.default_steps()
        plan.freeze(steps)
        if minutes is not None:
            plan.config["calibrated_for_minutes"] = minutes
        say(described(plan.options))
        what = f"{plan.options.batch_size} images"
        if plan.facts.patchwise:
            what = f"{PATCHES * plan.options.batch_size} patches"
        say(f"training {options.model}: {steps} steps of {what}; the run is {run.path}")
        return _train(plan, run, progress, started, None, say)
    except BaseException:
        run.withdraw()  # an empty folder only: what a training has written stays
        raise


def resume(
    path: str | os.PathLike[str], *, progress: bool = True, say: Callable[[str], None] = lambda sentence: None
) -> Result:
    """Go on with a training that was stopped; the result is that of one that never was, bit for bit."""
    started = time.monotonic()
    run = RunFolder.open(path)
    config, state = run.config(), run.checkpoint()
    require(
        config,
        ("options", "asked", "split_sha256", "steps", "validation_every", "crop"),
        run.path / "config.json",
    )
    try:
        options = Options(**config["options"])
        plan = make_plan(options)
    except TypeError as error:
        raise DataError(
            f"{run.path / 'config.json'}: its options are not those of train ({error})"
        ) from error
    if plan.config["split_sha256"] != config["split_sha256"]:
        raise UserError(
            f"--resume {run.path}: the images of {options.data} are not those of before; begin a new run"
        )
    plan.config = config
    say(f"going on with {run.path} after step {state['step']} of {config['steps']}")
    return _train(plan, run, progress, started, state, say)


class _Beginning(Callback):
    """Makes the folder this run's at the first step: what fails before leaves an earlier run as it was."""

    def __init__(self, run: RunFolder, config: dict[str, Any]) -> None:
        self.run, self.config = run, config

    def on_step(self, trainer: Trainer, logs: dict[str, float]) -> None:
        if trainer.step == 1:
            self.run.begin(self.config)


class _Checkpoints(Callback):
    """Keeps on disk what a stopped training is continued from: after each validation, and the history."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run

    def on_epoch(self, trainer: Trainer, logs: dict[str, float]) -> None:
        if "val_miou" in logs:
            self.run.save_checkpoint(trainer.state_dict())
            self.run.save_history(trainer.history)


def _train(
    plan: Plan,
    run: RunFolder,
    progress: bool,
    started: float,
    state: dict[str, Any] | None,
    say: Callable[[str], None],
) -> Result:
    config = plan.config
    trainer = plan.trainer(config["steps"])
    say(size_of(trainer.model))
    if state is not None:
        _check_state(trainer, state, run)
    try:
        with _explained(trainer):
            history = trainer.fit(
                plan.loader(),
                steps=config["steps"],
                validation_data=plan.validation(trainer),
                validation_every=config["validation_every"],
                keep_best=plan.keep_best,
                callbacks=[_Beginning(run, config), _Checkpoints(run)],
                progress=progress,
                resume_from=state,
            )
            plan.finish(trainer.model)
            run.save_weights(trainer.model.state_dict())
            run.save_history(history)
            metrics = _finish(plan, trainer, run, started)
    except (KeyboardInterrupt, UserError) as error:
        raise _stopped(plan, trainer, run, error) from error
    run.drop_checkpoint()
    return Result(run, config, metrics, time.monotonic() - started)


def size_of(model: Any) -> str:
    """How many parameters; from ten million on, what they take as well.

    >>> import minitorch_seg as ms
    >>> size_of(ms.nn.Linear(9, 100))
    '1,000 parameters'
    >>> from types import SimpleNamespace
    >>> size_of(SimpleNamespace(parameters=lambda: [ms.zeros(20_000_000)]))
    '20,000,000 parameters; a step reads and writes 0.3 GB for them'
    """
    count = sum(p.numel() for p in model.parameters())
    # Weights, gradients and the optimiser's two averages, four bytes each.
    cost = f"; a step reads and writes {16 * count / 1e9:.1f} GB for them" if count >= LARGE else ""
    return f"{count:,} parameters{cost}"


@contextlib.contextmanager
def _explained(trainer: Trainer | None = None) -> Iterator[None]:
    """Too little memory, or a first step that does not fit the model, as a sentence on the options."""
    try:
        yield
    except MemoryError as error:
        raise UserError(
            f"the memory is too small ({error or 'nothing is left'}); use a smaller --batch-size, --crop, "
            "--base-channels or --depth"
        ) from error
    except ShapeError as error:
        if trainer is not None and trainer.step:
            raise
        raise UserError(f"the first step failed: {error}; change --crop, --batch-size or --depth") from error


def _check_state(trainer: Trainer, state: dict[str, Any], run: RunFolder) -> None:
    """A checkpoint of another model (an edited config) is refused in one sentence."""
    try:
        trainer.load_state_dict(state)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"--resume {run.path}: its checkpoint does not fit its config.json ({error.args[0]}); "
            "restore the config or begin a new run"
        ) from error


def _finish(plan: Plan, trainer: Trainer, run: RunFolder, started: float) -> dict[str, Any]:
    """Evaluate the best weights on the test images, write metrics.json, then draw; the metrics."""
    splits, name = plan.splits, plan.splits.name
    pictures = Pictures(len(splits.test))
    metrics = evaluate_model(trainer.model, splits, splits.test, pictures, plan.prepare) | {"split": "test"}
    if trainer.best is not None:
        measured = plan.keep_best.removeprefix("val_")
        metrics |= {"best_epoch": trainer.best["epoch"], f"best_validation_{measured}": trainer.best["value"]}
    # Before the pictures: should one of them fail, the scores are there, and the run counts as finished.
    run.save_metrics(metrics | {"seconds": round(time.monotonic() - started, 2)})
    plot.save(plot.curves(trainer.history, f"{name}, {plan.options.model}"), run.path / "curves.png")
    figure = pictures.figure(splits, f"{name}, test images: mean IoU {metrics['miou']:.3f}")
    plot.save(figure, run.path / "predictions.png")
    return metrics


def _stopped(plan: Plan, trainer: Trainer, run: RunFolder, error: BaseException) -> BaseException:
    """Save the best weights so far; the same kind of error, whose sentence says where they are."""
    diverged = isinstance(error, UserError)
    if trainer.step == 0:
        return error if diverged else KeyboardInterrupt("stopped before the first step; nothing was kept")
    if diverged and trainer.best is None:
        run.retract()
        return error
    trainer.restore_best()
    run.save_weights(trainer.model.state_dict())
    if len(trainer.history):
        run.save_history(trainer.history)
    kept = "the weights of that step, which no validation has measured yet, are in"
    if trainer.best is not None:
        measured = "loss" if plan.unlabelled else "mIoU"
        kept = f"the best weights so far (validation {measured} {trainer.best['value']:.3f}) are in"
    sentence = f"{kept} {run.path / 'model.safetensors'}"
    if diverged:
        return UserError(f"{error}; {sentence}")
    if (run.path / "checkpoint.safetensors").is_file():
        sentence += f"; go on with: minitorch-seg train --resume --out {run.path}"
    return KeyboardInterrupt(f"stopped after step {trainer.step} of {trainer.total_steps}; {sentence}")
