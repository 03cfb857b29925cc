"""Adam and AdamW: steps of about the size of the learning rate, whatever the size of the gradient.

    m ← β₁ m + (1 − β₁) g                 running mean of the gradient
    v ← β₂ v + (1 − β₂) g²                running mean of its square
    m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)     m and v begin at 0, too small: this makes up for it
    θ ← θ − η m̂ / (√v̂ + ε)

Adam puts weight decay into the gradient, g ← dL/dθ + λ θ; AdamW takes it off the parameter, θ ← θ − η λ θ, so
that it is not divided by √v̂.  With amsgrad the largest v so far takes the place of v.

Kingma and Ba, "Adam", 2015; Loshchilov and Hutter, "Decoupled weight decay regularization", 2019; Reddi,
Kale and Kumar, 2018.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from minitorch_seg.optim.optimizer import Elementwise, check_betas, check_options


class Adam(Elementwise):
    """Adam (Kingma and Ba, 2015).

    Args:
        params: tensors, or groups of them (see Optimizer).
        lr: η.
        betas: (β₁, β₂).
        eps: ε.
        weight_decay: λ, put into the gradient.
        amsgrad: divide by the largest v so far.
        maximize: step with the gradient instead of against it.
        decoupled_weight_decay: take λ off the parameter, as AdamW does.

    >>> import minitorch_seg as ms
    >>> w = ms.tensor([1.0], requires_grad=True)
    >>> optimizer = ms.optim.Adam([w], lr=0.1)
    >>> (w * w).sum().backward(); optimizer.step()
    >>> round(w.item(), 6)
    0.9
    """

    rule = "adam"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ):
        name = type(self).__name__
        check_options(name, lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(name, betas)
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": tuple(betas),
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
                "decoupled_weight_decay": decoupled_weight_decay,
            },
        )

    def prepare(
        self, parameter: np.ndarray, state: dict[str, Any], group: dict[str, Any]
    ) -> tuple[tuple[np.ndarray | None, ...], tuple[float, ...]]:
        if not state:
            state.update(step=0, exp_avg=np.zeros_like(parameter), exp_avg_sq=np.zeros_like(parameter))
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = np.zeros_like(parameter)
        lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
        state["step"] += 1
        size, root = lr / (1 - beta1 ** state["step"]), math.sqrt(1 - beta2 ** state["step"])
        shrink, decay = (1 - lr * decay, 0) if group["decoupled_weight_decay"] else (1, decay)
        largest = state["max_exp_avg_sq"] if group["amsgrad"] else None
        numbers = shrink, decay, 1 - beta1, beta2, 1 - beta2, eps, size, root
        return (state["exp_avg"], state["exp_avg_sq"], largest), numbers

    @staticmethod
    def formula(arrays: tuple[Any, ...], numbers: tuple[float, ...]) -> None:
        parameter, gradient, m, v, largest = arrays
        shrink, decay, new1, beta2, new2, eps, size, root = numbers  # new1 = 1 − β₁, new2 = 1 − β₂
        parameter *= shrink
        if decay:
            gradient = gradient + decay * parameter
        m += new1 * (gradient - m)
        v *= beta2
        v += new2 * gradient * gradient
        if largest is not None:
            v = np.maximum(largest, v, out=largest)
        parameter -= size * m / (np.sqrt(v) / root + eps)


class AdamW(Adam):
    """Adam with weight decay taken off the parameter (Loshchilov and Hutter, 2019), by default λ = 0.01.

    Arguments as Adam.

    >>> import minitorch_seg as ms
    >>> w = ms.tensor([1.0], requires_grad=True)
    >>> optimizer = ms.optim.AdamW([w], lr=0.1, weight_decay=0.5)
    >>> (w * w).sum().backward(); optimizer.step()
    >>> round(w.item(), 6)
    0.85
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ):
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True
        )
