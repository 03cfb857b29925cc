"""clip_grad_norm_, and `transfer` of transfer.py.

clip_grad_norm_: gradients shortened together when they are too long.

    n = (Σ |g|ᵖ)^(1/p) over all gradients        g ← g · max_norm / n  where n > max_norm

p is 2 unless said otherwise; for p = ∞ n is the largest |g|.

Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from minitorch_seg.autograd import Tensor
from minitorch_seg.nn.transfer import transfer

__all__ = ["clip_grad_norm_", "transfer"]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> float:
    """Scale all gradients by min(1, max_norm / ‖all of them‖) in place; returns the norm before.

    Args:
        parameters: tensors; those without a gradient are passed over.
        max_norm: the largest norm that is left as it is.
        norm_type: p, a number or inf.
        error_if_nonfinite: refuse a norm that is infinite or NaN; else a NaN in one gradient goes to all.

    >>> import minitorch_seg as ms
    >>> w = ms.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> ms.nn.utils.clip_grad_norm_([w], max_norm=1.0)
    10.0
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    grads = [p.grad for p in parameters if p.grad is not None]
    norms = [float(np.linalg.norm(np.ravel(g.data, "K").astype(np.float64), float(norm_type))) for g in grads]
    norm = float(np.linalg.norm(norms, float(norm_type))) if norms else 0.0
    if error_if_nonfinite and not math.isfinite(norm):
        raise ValueError(f"clip_grad_norm_: the norm of the gradients is {norm}")
    if not norm <= max_norm:
        for g in grads:
            g.data *= g.dtype.type(max_norm / (norm + 1e-6))
            g.bump_version()
    return norm
