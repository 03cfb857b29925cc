"""The step of SGD in one pass over the numbers of a parameter; `optim/sgd.py` has the formula."""

import numpy as np

from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import contiguous
from minitorch_seg.kernels.parallel import parallel_for

CHUNK = 16384  # numbers


def sgd(
    parameter: np.ndarray, gradient: np.ndarray, velocity: np.ndarray | None, nesterov: bool, *numbers: float
) -> None:
    """Changes parameter and velocity (None without momentum) in place; `dispatch.fused` checked them.

    numbers: η, λ, μ, kept, added.  The new velocity is kept times the old one and added times the gradient.
    """
    changed = [a.reshape(-1) for a in (parameter, parameter if velocity is None else velocity)]
    scalars = np.array(numbers, parameter.dtype)
    chunks = -(-parameter.size // CHUNK)
    row = contiguous(gradient).reshape(-1)
    parallel_for(_sgd, chunks, row, *changed, scalars, velocity is not None, nesterov)


@kernel
def _sgd(first, last, gradient, parameter, velocity, scalars, momentum, nesterov):
    lr, decay, look, kept, added = scalars
    begin, end = first * CHUNK, min(last * CHUNK, len(parameter))
    given, theta, speed = gradient[begin:end], parameter[begin:end], velocity[begin:end]
    for i in range(len(theta)):
        g = given[i] + decay * theta[i] if decay != 0 else given[i]
        if momentum:
            speed[i] = kept * speed[i] + added * g
            g = g + look * speed[i] if nesterov else speed[i]
        theta[i] -= lr * g
