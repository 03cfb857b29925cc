"""Trainer.fit: the training loop, once, for any model, loss, optimiser and data.

    for each epoch:
        for each batch (x, t):
            y = model(x);  loss = L(y, t);  loss.backward();  optimizer.step();  scheduler.step()
        measure the validation data, remember the best weights, tell the callbacks

All randomness comes from seeds and from the epoch's number, and `state_dict()` holds everything that
changes, so a training that is continued from it at the end of an epoch gives the same bits as one that was
never stopped.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from minitorch_seg import metrics as scores
from minitorch_seg import optim
from minitorch_seg.autograd import Tensor, default_generator, no_grad
from minitorch_seg.errors import UserError, nearest_name
from minitorch_seg.io import to_array
from minitorch_seg.metrics import ConfusionMatrix, predicted_classes
from minitorch_seg.nn.utils import clip_grad_norm_
from minitorch_seg.train.averaging import WeightAverage
from minitorch_seg.train.batches import as_loader
from minitorch_seg.train.history import History
from minitorch_seg.train.losses import build_loss
from minitorch_seg.train.progress import ProgressBar

__all__ = ["Callback", "Trainer"]

OPTIMIZERS = {"adam": optim.Adam, "adamw": optim.AdamW, "sgd": optim.SGD, "rmsprop": optim.RMSprop}


class Callback:
    """What `fit` calls on the way; override what is of interest.  `logs` are the numbers known so far."""

    def on_begin(self, trainer: Trainer) -> None:
        """Before the first batch; `trainer.total_steps` is known (None for a loader without a length)."""

    def on_step(self, trainer: Trainer, logs: dict[str, float]) -> None:
        """After each optimiser step."""

    def on_epoch(self, trainer: Trainer, logs: dict[str, float]) -> None:
        """After each epoch, when its row stands in `trainer.history`."""

    def on_end(self, trainer: Trainer) -> None:
        """After the last epoch, or when the training is broken off."""


class Trainer:
    """Trains a model.

    Args:
        model: a Module that maps a batch of inputs to logits.
        loss: a function (logits, target) -> scalar Tensor, or functional names: "cross_entropy+dice_loss".
        optimizer: an optimiser over the model's parameters, or a name of OPTIMIZERS ("adam", "adamw", "sgd",
            "rmsprop") with PyTorch's defaults (lr 0.001).
        metrics: names out of `metrics.NAMES`, counted over all pixels of an epoch.
        scheduler: a learning-rate schedule; `step()` is called after each optimiser step.
        ignore_index: target value that neither the loss nor the metrics count.
        clip_norm: gradients are shortened together to this norm before a step (nn.utils.clip_grad_norm_);
            recurrent networks, whose gradients may explode, want about 1.  None leaves them as they are.
        average: d of a running mean of the weights (averaging.py), which is then what is validated, kept and
            left in the model at the end; 0 keeps none.

    >>> import minitorch_seg as ms
    >>> _ = ms.manual_seed(0)
    >>> x = np.random.default_rng(0).standard_normal((64, 2)).astype(np.float32)
    >>> y = (x[:, 0] > x[:, 1]).astype(np.int64)
    >>> model = ms.nn.Linear(2, 2)
    >>> adam = ms.optim.Adam(model.parameters(), lr=0.1)
    >>> trainer = Trainer(model, "cross_entropy", adam, metrics=["accuracy"])
    >>> history = trainer.fit(x, y, batch_size=16, epochs=8, progress=False)
    >>> history.history["accuracy"][-1] > 0.95
    True
    """

    def __init__(
        self,
        model: Any,
        loss: str | Callable[..., Any] = "cross_entropy",
        optimizer: Any = "adam",
        metrics: Sequence[str] = (),
        *,
        scheduler: Any = None,
        ignore_index: int | None = None,
        clip_norm: float | None = None,
        average: float = 0.0,
    ) -> None:
        if not 0 <= average < 1:
            raise UserError(f"average must be at least 0 and below 1, not {average}")
        if clip_norm is not None and not clip_norm > 0:
            raise UserError(f"clip_norm must be above 0, not {clip_norm}")
        for name in metrics:
            if name not in scores.NAMES:
                raise UserError(f"there is no metric {name!r}{nearest_name(name, scores.NAMES)}")
        if isinstance(optimizer, str):
            if optimizer not in OPTIMIZERS:
                raise UserError(f"there is no optimizer {optimizer!r}{nearest_name(optimizer, OPTIMIZERS)}")
            optimizer = OPTIMIZERS[optimizer](model.parameters(), lr=0.001)
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.loss = build_loss(loss, ignore_index)
        self.metrics, self.ignore_index, self.clip_norm = tuple(metrics), ignore_index, clip_norm
        self.history = History()
        self.epoch = self.step = 0
        self.epochs = 0
        self.total_steps: int | None = None
        self.best: dict[str, Any] | None = None
        self.decay, self.average = average, None if average == 0 else WeightAverage(model, average)

    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        epochs: int = 1,
        validation_data: Any = None,
        *,
        steps: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        transform: Callable | None = None,
        validation_every: int = 1,
        keep_best: str | None = None,
        callbacks: Iterable[Callback] = (),
        progress: bool = True,
        resume_from: dict[str, Any] | None = None,
    ) -> History:
        """Train, and return the History: `loss`, the metrics, and the same with `val_` before them, an epoch
        each.

        Args:
            x, y: arrays of inputs and targets; or x alone: a data set, or a loader that yields both.  Floats
            of another dtype than the model's (float64, as NumPy makes them) are turned into the model's.
            validation_data: (x, y), a data set, a loader, or a function () -> dict of numbers.
            steps: stop after this many optimiser steps, even in the middle of an epoch (`epochs` is then
            unused). seed: order of the examples; with `transform` also the augmentation of a data set.
            transform: joint image and mask transform of a data set's samples.
            validation_every: epochs from one validation to the next; the last epoch is always validated.
            keep_best: name of a column, such as "val_miou": its best weights are restored at the end.  Best
            is the highest value, of a column that ends in "loss" the lowest.
            callbacks: objects with the methods of `Callback`.
            progress: show a progress bar on a terminal.
            resume_from: what `state_dict()` gave at the end of an epoch: go on from there.
        """
        loader = as_loader(x, y, batch_size=batch_size, shuffle=shuffle, seed=seed, transform=transform)
        validate = self._validation(validation_data, batch_size, transform)
        self._check_column(keep_best, validation_data)
        batches = len(loader) if hasattr(loader, "__len__") else None
        if batches == 0:
            raise UserError("fit: there is no batch to train on; the data set is empty")
        if steps is not None:
            epochs = -(-steps // batches) if batches else steps
        self.epochs = epochs
        self.total_steps = steps or (epochs * batches if batches else None)
        self.history, self.epoch, self.step, self.best = History(), 0, 0, None
        self.average = WeightAverage(self.model, self.decay) if self.decay else None
        if resume_from is not None:
            self.load_state_dict(resume_from)
        watching: list[Any] = [*callbacks, *([ProgressBar()] if progress else [])]
        for callback in watching:
            callback.on_begin(self)
        try:
            while self.epoch < epochs and (steps is None or self.step < steps):
                logs = self._train_epoch(loader, steps, watching)
                finished = self.epoch >= epochs or (steps is not None and self.step >= steps)
                validated = validate is not None and (finished or self.epoch % validation_every == 0)
                with self._averaged():
                    if validate is not None and validated:
                        logs.update({f"val_{name}": value for name, value in validate().items()})
                    self.history.append(self.epoch, **logs)
                    if keep_best is not None and validated and keep_best not in self.history.history:
                        raise _no_column(keep_best, self.history.history)
                    self._remember_best(keep_best, logs)
                for callback in watching:
                    callback.on_epoch(self, logs)
        finally:
            for callback in watching:
                callback.on_end(self)
        if self.average is not None:
            self.model.load_state_dict(self.average.weights)
        self.restore_best()
        return self.history

    def evaluate(
        self, x: Any, y: Any = None, batch_size: int = 32, transform: Callable | None = None
    ) -> dict[str, float]:
        """Loss and metrics of data, without training on it.  Arguments as in `fit`."""
        return self._measure(as_loader(x, y, batch_size=batch_size, transform=transform))

    def predict(self, x: Any, batch_size: int = 32) -> np.ndarray:
        """Logits for an array of inputs."""
        x = to_array(x)
        self.model.eval()
        with no_grad():
            parts = [
                to_array(self.model(self._fitting(Tensor(x[i : i + batch_size]))))
                for i in range(0, len(x), batch_size)
            ]
        return np.concatenate(parts) if parts else np.empty((0,), np.float32)

    def state_dict(self) -> dict[str, Any]:
        """All that changes while training, as a tree of arrays and numbers (see train/state.py)."""
        return {
            "model": {name: np.array(to_array(value)) for name, value in self.model.state_dict().items()},
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict() if self.scheduler is not None else None,
            "generator": default_generator.get_state(),
            "average": None if self.average is None else self.average.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "best": self.best,
            "history": {"epoch": list(self.history.epoch), "columns": dict(self.history.history)},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to the end of the epoch at which `state_dict()` was called."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        default_generator.set_state(state["generator"])
        self.epoch, self.step, self.best = state["epoch"], state["step"], state["best"]
        self.history = History()
        self.history.epoch = list(state["history"]["epoch"])
        self.history.history = {name: list(column) for name, column in state["history"]["columns"].items()}

    def restore_best(self) -> None:
        """Put the best weights seen so far (`keep_best`) back into the model."""
        if self.best is not None:
            self.model.load_state_dict(self.best["weights"])

    def _train_epoch(self, loader: Any, steps: int | None, callbacks: Sequence[Callback]) -> dict[str, float]:
        if hasattr(loader, "set_epoch"):
            loader.set_epoch(self.epoch)
        self.model.train()
        total = _Average(self.metrics, self.ignore_index)
        for batch in loader:
            inputs, target = map(self._fitting, batch)
            self.optimizer.zero_grad()
            logits = self.model(inputs)
            loss = self.loss(logits, target)
            value = loss.item()
            if not math.isfinite(value):
                raise UserError(
                    f"the loss became {value} at step {self.step + 1}; use a smaller learning rate (--lr), "
                    "or look for broken images with minitorch-seg check"
                )
            loss.backward()
            if self.clip_norm is not None:
                clip_grad_norm_(self.model.parameters(), self.clip_norm)
            self.optimizer.step()
            if self.scheduler is not None:
                self.scheduler.step()
            self.step += 1
            if self.average is not None:
                self.average.update()
            total.add(value, logits, target)
            logs = total.result()
            for callback in callbacks:
                callback.on_step(self, logs | {"images": float(len(target))})
            if steps is not None and self.step >= steps:
                break
        self.epoch += 1
        return total.result()

    def _averaged(self) -> contextlib.AbstractContextManager[None]:
        """Inside, the model has the weights that count: the averaged ones, where there are any."""
        return contextlib.nullcontext() if self.average is None else self.average.in_use()

    def _validation(
        self, data: Any, batch_size: int, transform: Callable | None
    ) -> Callable[[], dict[str, float]] | None:
        if data is None or callable(data):
            return data
        arrays = isinstance(data, list) and len(data) == 2 and all(hasattr(part, "shape") for part in data)
        pair = data if isinstance(data, tuple) or arrays else (data, None)
        loader = as_loader(*pair, batch_size=batch_size)
        return lambda: self._measure(loader)

    def _fitting(self, value: Any) -> Any:
        """Floats in the dtype of the model's weights, whole numbers as they are, where the weights lie."""
        weights = next((p for p in self.model.parameters() if p.dtype.kind == "f"), None)
        value = value if isinstance(value, Tensor) else Tensor(to_array(value))
        if weights is None:
            return value
        return value.to(weights.dtype if value.dtype.kind == "f" else value.dtype, device=weights.device)

    def _measure(self, loader: Any) -> dict[str, float]:
        self.model.eval()
        total = _Average(self.metrics, self.ignore_index)
        with no_grad():
            for batch in loader:
                inputs, target = map(self._fitting, batch)
                logits = self.model(inputs)
                total.add(self.loss(logits, target).item(), logits, target)
        return total.result()

    def _check_column(self, column: str | None, validation_data: Any) -> None:
        """Refuse a `keep_best` that no epoch will report; what a validation function reports shows later."""
        columns = ["loss", *self.metrics]
        if validation_data is not None:
            columns += [f"val_{name}" for name in columns]
        later = callable(validation_data) and column is not None and column.startswith("val_")
        if column is not None and column not in columns and not later:
            raise _no_column(column, columns)

    def _remember_best(self, column: str | None, logs: dict[str, float]) -> None:
        value = logs.get(column, math.nan) if column else math.nan
        sign = -1 if column is not None and column.endswith("loss") else 1
        if value == value and (self.best is None or sign * value > sign * self.best["value"]):
            weights = {name: np.array(to_array(entry)) for name, entry in self.model.state_dict().items()}
            self.best = {"value": value, "epoch": self.epoch, "weights": weights}


def _no_column(name: str, columns: Iterable[str]) -> UserError:
    return UserError(f"fit: keep_best={name!r} is no column of the history{nearest_name(name, columns)}")


class _Average:
    """Mean loss over examples, and scores over all counted pixels."""

    def __init__(self, names: Sequence[str], ignore_index: int | None) -> None:
        self.names, self.ignore_index = names, ignore_index
        self.loss, self.examples = 0.0, 0
        self.matrix: ConfusionMatrix | None = None

    def add(self, loss: float, logits: Any, target: Any) -> None:
        self.loss += loss * len(target)
        self.examples += len(target)
        if not self.names:
            return
        predicted, truth = predicted_classes(logits, target), to_array(target)
        if self.matrix is None:
            one_logit = predicted.shape == to_array(logits).shape or logits.shape[1] == 1
            self.matrix = ConfusionMatrix(2 if one_logit else logits.shape[1], self.ignore_index)
        self.matrix.update(predicted, truth if truth.dtype.kind in "iub" else truth.astype(np.int64))

    def result(self) -> dict[str, float]:
        result = {"loss": self.loss / max(self.examples, 1)}
        if self.matrix is not None:
            result.update({name: scores.NAMES[name](self.matrix) for name in self.names})
        return result
