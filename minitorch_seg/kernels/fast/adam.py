"""Adam's step in one pass over the numbers of all parameters; `optim/adam.py` has the formula."""

from typing import Any

import numpy as np

from minitorch_seg.kernels.fast.rows import CHUNK, Job, in_one_pass
from minitorch_seg.kernels.jit import kernel, row_at


def adam(owner: Any, jobs: list[Job]) -> list[Job]:
    """Changes the parameter, m, v and largest (None without amsgrad) of every job in place; gives back the
    jobs that are left to the formula.

    A job's arrays: parameter, gradient, m, v, largest.  Its numbers: shrink, λ, 1 − β₁, β₂, 1 − β₂, ε, size,
    root.  The parameter is multiplied by shrink, then λ times it is added to the gradient;
    size = η / (1 − β₁ᵗ), root = √(1 − β₂ᵗ).
    """
    return in_one_pass(_adam, owner, jobs)


@kernel
def _adam(first, last, places, starts, scalars):
    at, end, i = first * CHUNK, min(last * CHUNK, starts[-1]), 0
    while at < end:
        while starts[i + 1] <= at:
            i += 1
        begin = (at - starts[i]) * scalars.itemsize
        count = min(end, starts[i + 1], (at // CHUNK + 1) * CHUNK) - at  # the same for any number of threads
        theta, given = (
            row_at(places[i, 0] + begin, count, scalars),
            row_at(places[i, 1] + begin, count, scalars),
        )
        mean, square = (
            row_at(places[i, 2] + begin, count, scalars),
            row_at(places[i, 3] + begin, count, scalars),
        )
        amsgrad = places[i, 4] != 0
        most = row_at(places[i, 4] + begin, count, scalars) if amsgrad else square
        shrink, decay, new1, beta2, new2, eps, size, root = scalars[i]
        for k in range(count):
            theta[k] *= shrink
            g = given[k] + decay * theta[k] if decay != 0 else given[k]
            mean[k] += new1 * (g - mean[k])
            square[k] = beta2 * square[k] + new2 * g * g
            spread = square[k]
            if amsgrad:
                spread = most[k] if spread <= most[k] else spread  # NaN <= x is false: NaN stays
                most[k] = spread
            theta[k] -= size * mean[k] / (np.sqrt(spread) / root + eps)
        at += count
