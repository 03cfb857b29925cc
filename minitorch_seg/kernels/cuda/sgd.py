"""The step of SGD in one pass over the numbers of a parameter, on the GPU; `optim/sgd.py` has the formula.

About 6 operations for 12 bytes a number (20 with momentum): limited by memory on an H100 and on an RTX 4060
laptop.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from minitorch_seg.kernels.cuda.array import CudaArray
from minitorch_seg.kernels.cuda.driver import Kernel, cuda, types
from minitorch_seg.kernels.cuda.flat import REALS, SIMULATED, THREADS, run, same_order

u32 = types.uint32


def sgd(
    parameter: CudaArray, gradient: CudaArray, velocity: CudaArray | None, nesterov: bool, *numbers: float
) -> None:
    """Changes parameter and velocity (None without momentum) in place; `fused_on_gpu` checked them.

    numbers: η, λ, μ, kept, added, as in kernels/fast/sgd.py.
    """
    rows = same_order(gradient, parameter, parameter if velocity is None else velocity)
    flags = int(velocity is not None), int(nesterov)
    run(step(parameter.dtype.name), parameter.size, *rows, *numbers, parameter.size, *flags)


@cache
def step(dtype: str) -> Kernel:
    zero = getattr(types, dtype)(0)

    def kernel(gradient, parameter, velocity, lr, decay, look, kept, added, count, momentum, nesterov):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < count:
            at = u32(i)
            theta, g = parameter[at], gradient[at]
            if decay != zero:
                g += decay * theta
            if momentum != 0:
                speed = kept * velocity[at] + added * g
                velocity[at] = speed
                if nesterov != 0:
                    g += look * speed
                else:
                    g = speed
            parameter[at] = theta - lr * g

    signature = (f"{dtype}[::1]",) * 3 + (dtype,) * 5 + ("int32",) * 3
    return Kernel(f"sgd {dtype}", kernel, signature, THREADS, 4, SIMULATED)


def variants() -> Iterator[Kernel]:
    for dtype in REALS:
        yield step(dtype)
