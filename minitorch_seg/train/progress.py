"""The progress bar: loss, mIoU, images a second, time left; a line now and then where no terminal is."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any

__all__ = ["ProgressBar"]

_FORMAT = "{percentage:3.0f}% |{bar:10}| {desc}, {remaining} left"  # fits into 80 columns
_SECONDS_BETWEEN_LINES = 5.0


class ProgressBar:
    """A `Callback` that shows on standard error how a training goes.

    On a terminal it is a bar that moves with each step; elsewhere (a log file) it writes a line at the end
    of an epoch, at most one in five seconds.
    """

    def __init__(self) -> None:
        self.steps, self.rate, self.last_line = 0, 0.0, 0.0
        self.validated = ""

    def on_begin(self, trainer: Any) -> None:
        from tqdm import tqdm

        self.terminal = sys.stderr.isatty()
        self.last_step = time.perf_counter()
        self.bar = tqdm(
            total=trainer.total_steps,
            initial=trainer.step,
            bar_format=_FORMAT,
            disable=not self.terminal,
            ncols=shutil.get_terminal_size().columns,  # 80 where a terminal does not tell its width
            desc="starting",
        )

    def on_step(self, trainer: Any, logs: dict[str, float]) -> None:
        now = time.perf_counter()
        rate = logs["images"] / max(now - self.last_step, 1e-9)
        # A running mean, so that the first steps, which compile, are soon forgotten.
        self.rate = rate if self.steps < 2 else 0.9 * self.rate + 0.1 * rate
        self.steps, self.last_step = self.steps + 1, now
        if self.terminal:
            self.bar.set_description_str(self.describe(logs), refresh=False)
            self.bar.update(1)

    def on_epoch(self, trainer: Any, logs: dict[str, float]) -> None:
        if "val_miou" in logs:
            self.validated = f" (val {logs['val_miou']:.3f})"
        now = time.perf_counter()
        last = trainer.epoch >= trainer.epochs
        if not self.terminal and (last or now - self.last_line > _SECONDS_BETWEEN_LINES):
            self.last_line = now
            steps = f"/{trainer.total_steps}" if trainer.total_steps else ""
            print(
                f"epoch {trainer.epoch}, step {trainer.step}{steps}: {self.describe(logs)}", file=sys.stderr
            )
        self.last_step = time.perf_counter()  # the validation was no part of the next step

    def on_end(self, trainer: Any) -> None:
        self.bar.close()

    def describe(self, logs: dict[str, float]) -> str:
        """The numbers of one moment, in words."""
        parts = [f"loss {logs['loss']:.3f}"]
        parts += [f"{label} {logs[name]:.3f}" for name, label in _LABELS.items() if name in logs]
        return ", ".join(parts) + self.validated + f", {self.rate:.0f} images/s"


_LABELS = {"miou": "mIoU", "accuracy": "accuracy", "pixel_accuracy": "pixel accuracy"}
