"""The step of RMSprop in one pass over the numbers of a parameter, on the GPU; `optim/rmsprop.py` has the
formula.

About 12 operations for 20 bytes a number (36 centred with momentum): limited by memory on an H100 and on an
RTX 4060 laptop.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

from minitorch_seg.kernels.cuda.array import CudaArray
from minitorch_seg.kernels.cuda.driver import Kernel, cuda, types
from minitorch_seg.kernels.cuda.flat import REALS, SIMULATED, THREADS, run, same_order

u32 = types.uint32


def rmsprop(
    parameter: CudaArray, gradient: CudaArray, v: CudaArray, mean: CudaArray | None, buffer: CudaArray | None,
    *numbers: float,
) -> None:  # fmt: skip
    """Changes parameter, v, mean (None unless centered) and buffer (None without momentum) in place;
    `fused_on_gpu` checked them.

    numbers: η, λ, α, 1 − α, ε, μ, as in kernels/fast/rmsprop.py.
    """
    rows = same_order(gradient, parameter, v, v if mean is None else mean, v if buffer is None else buffer)
    flags = int(mean is not None), int(buffer is not None)
    run(step(parameter.dtype.name), parameter.size, *rows, *numbers, parameter.size, *flags)


@cache
def step(dtype: str) -> Kernel:
    zero = getattr(types, dtype)(0)

    def kernel(
        gradient, parameter, v, mean, buffer, lr, decay, alpha, new, eps, kept, count, centered, momentum
    ):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < count:
            at = u32(i)
            theta, g = parameter[at], gradient[at]
            if decay != zero:
                g += decay * theta
            spread = alpha * v[at] + new * g * g
            v[at] = spread
            if centered != 0:
                middle = mean[at] + new * (g - mean[at])
                mean[at] = middle
                spread -= middle * middle
            change = g / (math.sqrt(spread) + eps)
            if momentum != 0:
                change += kept * buffer[at]
                buffer[at] = change
            parameter[at] = theta - lr * change

    signature = (f"{dtype}[::1]",) * 5 + (dtype,) * 6 + ("int32",) * 3
    return Kernel(f"rmsprop {dtype}", kernel, signature, THREADS, 4, SIMULATED)


def variants() -> Iterator[Kernel]:
    for dtype in REALS:
        yield step(dtype)
