"""Learning-rate schedules: call `step()` after each `optimizer.step()` (or after each epoch, as you count).

    cosine       η_t = η_min + ½ (η₀ − η_min)(1 + cos(π t / T))
    one cycle    half a cosine from η_max/25 up to η_max in the first 30 % of the steps,
                 then another down to η_max/250 000 (or along straight lines)
    lambda       η_t = η₀ · f(t)

η_t is the learning rate of step t, T the number of steps.

Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017 (cosine); Smith, "A
disciplined approach to neural network hyper-parameters", 2018 (one cycle).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from minitorch_seg.optim.optimizer import Optimizer


class LRScheduler:
    """Base class: a subclass defines `rate(initial, t)`, the learning rate at step t."""

    def __init__(self, optimizer: Optimizer):
        self.optimizer, self.last_epoch = optimizer, 0
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self._set()

    def rate(self, initial: float, t: int) -> float:
        raise NotImplementedError(f"{type(self).__name__} defines no rate")

    def step(self) -> None:
        self.last_epoch += 1
        self._set()

    def _set(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(group["initial_lr"], self.last_epoch)

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self.last_epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.last_epoch = int(state["last_epoch"])
        self._set()


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the initial rate to eta_min in T_max steps.

    >>> import minitorch_seg as ms
    >>> optimizer = ms.optim.SGD([ms.tensor([0.0], requires_grad=True)], lr=1.0)
    >>> schedule = ms.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    >>> schedule.step(); round(schedule.get_last_lr()[0], 6)
    0.5
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0):
        if T_max < 1:
            raise ValueError(f"CosineAnnealingLR: T_max must be at least 1, found {T_max}")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def rate(self, initial: float, t: int) -> float:
        return self.eta_min + (initial - self.eta_min) * (1 + math.cos(math.pi * t / self.T_max)) / 2


class OneCycleLR(LRScheduler):
    """Up from max_lr / div_factor to max_lr, then down; momentum stays as it is.

    It is PyTorch's with cycle_momentum=False.

    Args:
        optimizer: whose learning rates are set.
        max_lr: the highest rate.
        total_steps: how many steps the whole takes; a step beyond them is refused.
        epochs, steps_per_epoch: in place of total_steps, their product.
        pct_start: the part of them that goes up.
        anneal_strategy: "cos", along half a cosine each way, or "linear".
        div_factor: the first rate is max_lr / div_factor.
        final_div_factor: the last rate is the first one / final_div_factor.

    >>> import minitorch_seg as ms
    >>> optimizer = ms.optim.SGD([ms.tensor([0.0], requires_grad=True)], lr=1.0)
    >>> schedule = ms.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    >>> schedule.step(); schedule.step(); schedule.get_last_lr()    # three steps in ten: at the top
    [1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        *,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
    ):
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("OneCycleLR: give total_steps, or both epochs and steps_per_epoch")
            if min(epochs, steps_per_epoch) < 1:
                raise ValueError(f"OneCycleLR: epochs={epochs} and {steps_per_epoch=} must be positive")
            total_steps = epochs * steps_per_epoch
        if total_steps < 1 or not 0 <= pct_start <= 1:
            raise ValueError(
                f"OneCycleLR: total_steps={total_steps} must be positive "
                f"and pct_start={pct_start} between 0 and 1"
            )
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: anneal_strategy {anneal_strategy!r} is unknown: use cos or linear")
        self.anneal = _cosine if anneal_strategy == "cos" else _line
        self.max_lr, self.total_steps, self.pct_start = max_lr, total_steps, pct_start
        self.first, self.last = max_lr / div_factor, max_lr / div_factor / final_div_factor
        super().__init__(optimizer)

    def rate(self, initial: float, t: int) -> float:
        if t > self.total_steps:  # one more than is used: a loop that steps after each batch asks for it
            raise ValueError(f"OneCycleLR: step {t}, but total_steps is {self.total_steps}")
        peak, end = self.pct_start * self.total_steps - 1, self.total_steps - 1
        if t <= peak or end <= peak:
            return self.anneal(self.first, self.max_lr, t / max(peak, 1))
        return self.anneal(self.max_lr, self.last, (t - peak) / (end - peak))


class LambdaLR(LRScheduler):
    """The initial rate times lr_lambda(t), t counting the steps from 0.

    >>> import minitorch_seg as ms
    >>> optimizer = ms.optim.SGD([ms.tensor([0.0], requires_grad=True)], lr=1.0)
    >>> schedule = ms.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 0.5**t)
    >>> schedule.step(); schedule.step(); schedule.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float]):
        self.lr_lambda = lr_lambda
        super().__init__(optimizer)

    def rate(self, initial: float, t: int) -> float:
        return initial * self.lr_lambda(t)


def _cosine(start: float, end: float, part: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * part)) / 2


def _line(start: float, end: float, part: float) -> float:
    return start + (end - start) * part
