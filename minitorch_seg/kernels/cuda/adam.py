"""Adam's step in one pass over the numbers of a parameter, on the GPU; `optim/adam.py` has the formula.

About 15 operations for 28 bytes a number (36 with amsgrad): limited by memory, 10¹¹ numbers/s on an H100,
9·10⁹ on an RTX 4060 laptop.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

from minitorch_seg.kernels.cuda.array import CudaArray
from minitorch_seg.kernels.cuda.driver import Kernel, cuda, types
from minitorch_seg.kernels.cuda.flat import REALS, SIMULATED, THREADS, run, same_order

u32 = types.uint32


def adam(
    parameter: CudaArray, gradient: CudaArray, m: CudaArray, v: CudaArray, largest: CudaArray | None,
    *numbers: float,
) -> None:  # fmt: skip
    """Changes parameter, m, v and largest (None without amsgrad) in place; `fused_on_gpu` checked them.

    numbers: shrink, λ, 1 − β₁, β₂, 1 − β₂, ε, size, root, as in kernels/fast/adam.py.
    """
    rows = same_order(gradient, parameter, m, v, v if largest is None else largest)
    amsgrad = int(largest is not None)
    run(step(parameter.dtype.name), parameter.size, *rows, *numbers, parameter.size, amsgrad)


@cache
def step(dtype: str) -> Kernel:
    zero = getattr(types, dtype)(0)

    def kernel(
        gradient, parameter, m, v, largest, shrink, decay, new1, beta2, new2, eps, size, root, count, amsgrad
    ):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < count:
            at = u32(i)
            theta, g = parameter[at] * shrink, gradient[at]
            if decay != zero:
                g += decay * theta
            mean = m[at] + new1 * (g - m[at])
            spread = beta2 * v[at] + new2 * g * g
            m[at] = mean
            v[at] = spread
            if amsgrad != 0:
                if spread <= largest[at]:  # NaN <= x is false: NaN stays
                    spread = largest[at]
                largest[at] = spread
            parameter[at] = theta - size * mean / (math.sqrt(spread) / root + eps)

    signature = (f"{dtype}[::1]",) * 5 + (dtype,) * 8 + ("int32",) * 2
    return Kernel(f"adam {dtype}", kernel, signature, THREADS, 4, SIMULATED)


def variants() -> Iterator[Kernel]:
    for dtype in REALS:
        yield step(dtype)
