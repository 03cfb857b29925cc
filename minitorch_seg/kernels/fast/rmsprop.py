"""The step of RMSprop in one pass over the numbers of a parameter; `optim/rmsprop.py` has the formula."""

import numpy as np

from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import contiguous
from minitorch_seg.kernels.parallel import parallel_for

CHUNK = 16384  # numbers


def rmsprop(
    parameter: np.ndarray,
    gradient: np.ndarray,
    v: np.ndarray,
    mean: np.ndarray | None,
    buffer: np.ndarray | None,
    *numbers: float,
) -> None:
    """Changes parameter, v, mean (None unless centered) and buffer (None without momentum) in place;
    `dispatch.fused` checked them.

    numbers: η, λ, α, 1 − α, ε, μ.
    """
    given = (parameter, v, v if mean is None else mean, v if buffer is None else buffer)
    changed = [a.reshape(-1) for a in given]
    scalars = np.array(numbers, parameter.dtype)
    chunks = -(-parameter.size // CHUNK)
    row = contiguous(gradient).reshape(-1)
    parallel_for(_rmsprop, chunks, row, *changed, scalars, mean is not None, buffer is not None)


@kernel
def _rmsprop(first, last, gradient, parameter, v, mean, buffer, scalars, centered, momentum):
    lr, decay, alpha, new, eps, kept = scalars
    begin, end = first * CHUNK, min(last * CHUNK, len(parameter))
    given, theta, square = gradient[begin:end], parameter[begin:end], v[begin:end]
    middle, speed = mean[begin:end], buffer[begin:end]
    for i in range(len(theta)):
        g = given[i] + decay * theta[i] if decay != 0 else given[i]
        square[i] = alpha * square[i] + new * g * g
        spread = square[i]
        if centered:
            middle[i] += new * (g - middle[i])
            spread -= middle[i] * middle[i]
        step = g / (np.sqrt(spread) + eps)
        if momentum:
            speed[i] = kept * speed[i] + step
            step = speed[i]
        theta[i] -= lr * step
