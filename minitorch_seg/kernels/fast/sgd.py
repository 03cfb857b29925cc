"""The step of SGD in one pass over the numbers of all parameters; `optim/sgd.py` has the formula."""

from typing import Any

from minitorch_seg.kernels.fast.rows import CHUNK, Job, in_one_pass
from minitorch_seg.kernels.jit import kernel, row_at


def sgd(owner: Any, jobs: list[Job]) -> list[Job]:
    """Changes the parameter and velocity (None without momentum) of every job in place; gives back the jobs
    that are left to the formula.

    A job's arrays: parameter, gradient, velocity.  Its numbers: 1 with Nesterov's momentum or else
    0, η, λ, μ, kept, added.  The new velocity is kept times the old one and added times the gradient.
    """
    return in_one_pass(_sgd, owner, jobs)


@kernel
def _sgd(first, last, places, starts, scalars):
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
        momentum = places[i, 2] != 0
        speed = row_at(places[i, 2] + begin, count, scalars) if momentum else theta
        nesterov, lr, decay, look, kept, added = scalars[i]
        for k in range(count):
            g = given[k] + decay * theta[k] if decay != 0 else given[k]
            if momentum:
                speed[k] = kept * speed[k] + added * g
                g = g + look * speed[k] if nesterov != 0 else speed[k]
            theta[k] -= lr * g
        at += count
