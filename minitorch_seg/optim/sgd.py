"""SGD: a step against the gradient, with momentum.

    g ← dL/dθ + λ θ                       (θ: a parameter, λ: weight decay)
    v ← μ v + (1 − τ) g                   (μ: momentum, τ: dampening; v = g at the first step)
    θ ← θ − η v                           (η: learning rate; Nesterov: θ ← θ − η (g + μ v))

Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from minitorch_seg.optim.optimizer import Elementwise, check_options


class SGD(Elementwise):
    """Stochastic gradient descent.

    Args:
        params: tensors, or groups of them (see Optimizer).
        lr: η.
        momentum: μ.
        dampening: τ.
        weight_decay: λ.
        nesterov: look ahead along the momentum.
        maximize: step with the gradient instead of against it.

    >>> import minitorch_seg as ms
    >>> w = ms.tensor([1.0], requires_grad=True)
    >>> optimizer = ms.optim.SGD([w], lr=0.1)
    >>> (w * w).sum().backward(); optimizer.step()
    >>> round(w.item(), 6)
    0.8
    """

    rule = "sgd"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ):
        check_options("SGD", lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("SGD: nesterov needs momentum > 0 and dampening = 0")
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
        )

    def prepare(
        self, parameter: np.ndarray, state: dict[str, Any], group: dict[str, Any]
    ) -> tuple[tuple[np.ndarray | None, ...], tuple[float, ...]]:
        momentum, kept, added = group["momentum"], group["momentum"], 1 - group["dampening"]
        if momentum and "momentum_buffer" not in state:
            state["momentum_buffer"], kept, added = np.zeros_like(parameter), 0, 1
        numbers = group["nesterov"], group["lr"], group["weight_decay"], momentum, kept, added
        return (state["momentum_buffer"] if momentum else None,), numbers

    @staticmethod
    def formula(arrays: tuple[Any, ...], numbers: tuple[float, ...]) -> None:
        parameter, gradient, velocity = arrays
        nesterov, lr, decay, momentum, kept, added = numbers
        if decay:
            gradient = gradient + decay * parameter
        if velocity is not None:
            velocity *= kept
            velocity += added * gradient
            gradient = gradient + momentum * velocity if nesterov else velocity
        parameter -= lr * gradient
