"""Adam's step in one pass over the numbers of a parameter; `optim/adam.py` has the formula."""

import numpy as np

from minitorch_seg.kernels.jit import kernel
from minitorch_seg.kernels.layout import contiguous
from minitorch_seg.kernels.parallel import parallel_for

CHUNK = 16384  # numbers


def adam(
    parameter: np.ndarray,
    gradient: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    largest: np.ndarray | None,
    *numbers: float,
) -> None:
    """Changes parameter, m, v and largest (None without amsgrad) in place; `dispatch.fused` checked them.

    numbers: shrink, λ, 1 − β₁, β₂, 1 − β₂, ε, size, root.  The parameter is multiplied by shrink, then λ
    times it is added to the gradient; size = η / (1 − β₁ᵗ), root = √(1 − β₂ᵗ).
    """
    changed = [a.reshape(-1) for a in (parameter, m, v, v if largest is None else largest)]
    scalars = np.array(numbers, parameter.dtype)
    chunks = -(-parameter.size // CHUNK)
    parallel_for(_adam, chunks, contiguous(gradient).reshape(-1), *changed, scalars, largest is not None)


@kernel
def _adam(first, last, gradient, parameter, m, v, largest, scalars, amsgrad):
    shrink, decay, new1, beta2, new2, eps, size, root = scalars
    begin, end = first * CHUNK, min(last * CHUNK, len(parameter))
    given, theta, mean = gradient[begin:end], parameter[begin:end], m[begin:end]
    square, most = v[begin:end], largest[begin:end]
    for i in range(len(theta)):
        theta[i] *= shrink
        g = given[i] + decay * theta[i] if decay != 0 else given[i]
        mean[i] += new1 * (g - mean[i])
        square[i] = beta2 * square[i] + new2 * g * g
        spread = square[i]
        if amsgrad:
            spread = most[i] if spread <= most[i] else spread  # NaN <= x is false: NaN stays
            most[i] = spread
        theta[i] -= size * mean[i] / (np.sqrt(spread) / root + eps)
