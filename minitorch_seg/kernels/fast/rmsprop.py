"""The step of RMSprop in one pass over the numbers of all parameters; `optim/rmsprop.py` has the formula."""

from typing import Any

import numpy as np

from minitorch_seg.kernels.fast.rows import CHUNK, Job, in_one_pass
from minitorch_seg.kernels.jit import kernel, row_at


def rmsprop(owner: Any, jobs: list[Job]) -> list[Job]:
    """Changes the parameter, v, mean (None unless centered) and buffer (None without momentum) of every job
    in place; gives back the jobs that are left to the formula.

    A job's arrays: parameter, gradient, v, mean, buffer.  Its numbers: η, λ, α, 1 − α, ε, μ.
    """
    return in_one_pass(_rmsprop, owner, jobs)


@kernel
def _rmsprop(first, last, places, starts, scalars):
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
        square = row_at(places[i, 2] + begin, count, scalars)
        centered, momentum = places[i, 3] != 0, places[i, 4] != 0
        middle = row_at(places[i, 3] + begin, count, scalars) if centered else square
        speed = row_at(places[i, 4] + begin, count, scalars) if momentum else square
        lr, decay, alpha, new, eps, kept = scalars[i]
        for k in range(count):
            g = given[k] + decay * theta[k] if decay != 0 else given[k]
            square[k] = alpha * square[k] + new * g * g
            spread = square[k]
            if centered:
                middle[k] += new * (g - middle[k])
                spread -= middle[k] * middle[k]
            step = g / (np.sqrt(spread) + eps)
            if momentum:
                speed[k] = kept * speed[k] + step
                step = speed[k]
            theta[k] -= lr * step
        at += count
