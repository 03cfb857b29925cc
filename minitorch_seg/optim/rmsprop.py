"""RMSprop: each number's step divided by the running size of its gradient.

    g ← dL/dθ + λ θ
    v ← α v + (1 − α) g²
    centered:  ḡ ← α ḡ + (1 − α) g,  and v − ḡ² (the variance) takes the place of v
    b ← μ b + g / (√v + ε)            (with momentum μ; else b = g / (√v + ε))
    θ ← θ − η b

Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012; Graves, 2013 (centered).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from minitorch_seg.optim.optimizer import Elementwise, check_options


class RMSprop(Elementwise):
    """RMSprop, as in PyTorch.

    Args:
        params: tensors, or groups of them (see Optimizer).
        lr: η.
        alpha: α.
        eps: ε.
        weight_decay: λ.
        momentum: μ.
        centered: divide by the standard deviation instead of the root mean square.
        maximize: step with the gradient instead of against it.

    >>> import minitorch_seg as ms
    >>> w = ms.tensor([1.0], requires_grad=True)
    >>> optimizer = ms.optim.RMSprop([w], lr=0.01)
    >>> (w * w).sum().backward(); optimizer.step()
    >>> round(w.item(), 4)
    0.9
    """

    rule = "rmsprop"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ):
        check_options("RMSprop", lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum)
        super().__init__(
            params,
            {
                "lr": lr,
                "alpha": alpha,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "centered": centered,
                "maximize": maximize,
            },
        )

    def prepare(
        self, parameter: np.ndarray, state: dict[str, Any], group: dict[str, Any]
    ) -> tuple[tuple[np.ndarray | None, ...], tuple[float, ...]]:
        if not state:
            state["square_avg"] = np.zeros_like(parameter)
            if group["centered"]:
                state["grad_avg"] = np.zeros_like(parameter)
            if group["momentum"]:
                state["momentum_buffer"] = np.zeros_like(parameter)
        alpha, momentum = group["alpha"], group["momentum"]
        mean = state["grad_avg"] if group["centered"] else None
        buffer = state["momentum_buffer"] if momentum else None
        numbers = group["lr"], group["weight_decay"], alpha, 1 - alpha, group["eps"], momentum
        return (state["square_avg"], mean, buffer), numbers

    @staticmethod
    def formula(arrays: tuple[Any, ...], numbers: tuple[float, ...]) -> None:
        parameter, gradient, v, mean, buffer = arrays
        lr, decay, alpha, new, eps, momentum = numbers  # new = 1 − α
        if decay:
            gradient = gradient + decay * parameter
        v *= alpha
        v += new * gradient * gradient
        if mean is not None:
            mean += new * (gradient - mean)
            v = v - mean * mean
        step = gradient / (np.sqrt(v) + eps)
        if buffer is not None:
            buffer *= momentum
            buffer += step
            step = buffer
        parameter -= lr * step
