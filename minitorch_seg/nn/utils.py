"""clip_grad_norm_: gradients shortened together when they are too long.

    n = √(Σ g²) over all gradients        g ← g · max_norm / n  where n > max_norm

Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from minitorch_seg.autograd import Tensor


def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float) -> float:
    """Scale all gradients by min(1, max_norm / ‖all of them‖₂) in place; returns the norm before.

    Args:
        parameters: tensors; those without a gradient are passed over.
        max_norm: the largest norm that is left as it is.

    >>> import minitorch_seg as ms
    >>> w = ms.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> ms.nn.utils.clip_grad_norm_([w], max_norm=1.0)
    10.0
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    grads = [p.grad for p in parameters if p.grad is not None]
    norm = math.sqrt(math.fsum(float(np.sum(np.square(g.data, dtype=np.float64))) for g in grads))
    if norm > max_norm:
        for g in grads:
            g.data *= np.asarray(max_norm / (norm + 1e-6), g.dtype)
            g.bump_version()
    return norm
