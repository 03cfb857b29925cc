"""How many steps fit into M minutes: measured on this machine first, then fixed.

A training that looked at the clock while it ran would never repeat.  So a throw-away copy of the model makes
a few steps (compiling what has to be compiled), a validation is timed, and the number of steps that fits
beside them is written into config.json; the same seed with that number of steps gives the same bits.
"""

from __future__ import annotations

import time

from minitorch_seg.errors import UserError
from minitorch_seg.train.recipe import VALIDATIONS, Plan

__all__ = ["calibrate"]

#: Reading the clock costs nothing, but speeds waver: plan for a little less than there is.
SAFETY = 0.97
#: Drawing curves and predictions, writing files.
SECONDS_TO_FINISH = 5.0


def calibrate(plan: Plan, minutes: float, started: float) -> int:
    """The number of steps with which the whole command ends about `minutes` after `started`.

    started: `time.monotonic()` when the command began; loading, compiling and measuring count as well.
    """
    trainer = plan.trainer(steps=1000)
    loader = plan.loader()
    trainer.fit(loader, steps=2, progress=False)
    validate = plan.validation(trainer)
    validate()
    begin = time.monotonic()
    validate()
    validation = time.monotonic() - begin
    trial = min(plan.batches_an_epoch(), 8)
    budget = max(1.0, minutes * 60 * 0.05)
    seconds, steps = 0.0, 0
    while steps == 0 or (seconds < budget and steps < 200):
        begin = time.monotonic()
        trainer.fit(loader, steps=trial, progress=False)
        seconds += time.monotonic() - begin
        steps += trial
    step = seconds / steps
    test = validation * len(plan.splits.test) / len(plan.splits.val)
    left = (minutes * 60 - (time.monotonic() - started) - test - SECONDS_TO_FINISH) * SAFETY
    epochs = max(1.0, left / (step * plan.batches_an_epoch() + validation))
    fitting = int((left - min(epochs, VALIDATIONS) * validation) / step)
    if fitting < 1:
        needed = (minutes * 60 - left + VALIDATIONS * validation + 10 * step) / 60
        raise UserError(
            f"--minutes {minutes:g} leaves no time to train on this machine; give at least {needed:.1f}"
        )
    return fitting
