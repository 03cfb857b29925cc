"""Cross-entropy on the GPU: loss, softmax and gradient in one kernel each; `reference/cross_entropy.py` has
the formulas and what happens to ignored and impossible targets.

Forward a thread takes a pixel with its classes (as in softmax.py), backward one number of the result.

    forward about 30 operations for 8 bytes a number, backward 3 for 8 (a pixel's target and gradient come
    from the cache): limited by memory on an H100 and on an RTX 4060 laptop
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

from minitorch_seg.kernels.cuda.array import CudaArray, empty
from minitorch_seg.kernels.cuda.driver import Kernel, cuda, types
from minitorch_seg.kernels.cuda.flat import (
    REALS,
    SIMULATED,
    THREADS,
    given,
    plain_row,
    real,
    result,
    row,
    run,
)
from minitorch_seg.kernels.cuda.softmax import exponentials, first_of, line_of

i32, u32 = types.int32, types.uint32
LOSS_OF = ("logits", "log_softmax")


def cross_entropy(
    logits: CudaArray, target: CudaArray, weight: CudaArray | None, ignore_index: int
) -> tuple[CudaArray, CudaArray, CudaArray]:
    """logits (N, C, ...), target int64 (N, ...), weight (C,) or None -> (loss (N, ...), weight of each pixel
    (N, ...), softmax (N, C, ...)).
    """
    probability, values = result(logits.shape, real("cross_entropy", logits))
    return *_losses("logits", logits, values, target, weight, ignore_index), probability


def nll_loss(
    y: CudaArray, target: CudaArray, weight: CudaArray | None, ignore_index: int
) -> tuple[CudaArray, CudaArray, CudaArray]:
    """y = log_softmax(logits) -> (loss (N, ...), weight of each pixel (N, ...), y)."""
    real("nll_loss", y)
    return *_losses("log_softmax", y, row(y), target, weight, ignore_index), y


def _losses(
    of: str, x: CudaArray, values: CudaArray, target: CudaArray, weight: CudaArray | None, ignore_index: int
) -> tuple[CudaArray, CudaArray]:
    losses, weights = empty(target.shape, x.dtype), empty(target.shape, x.dtype)
    classes, inner = line_of(x.shape, 1)
    table, has_weight = given(weight, values)
    arrays = row(x), plain_row(target), table, losses.reshape(-1), weights.reshape(-1), values
    run(
        forward(x.dtype.name, of), target.size, *arrays, ignore_index, target.size, classes, inner, has_weight
    )
    return losses, weights


def cross_entropy_gradient(
    grad: CudaArray, probability: CudaArray, target: CudaArray, weight: CudaArray | None, ignore_index: int
) -> CudaArray:
    """dlogits = grad·w[t]·(softmax − one-hot of t), with grad (N, ...) for each pixel."""
    return _gradient(grad, probability, target, weight, ignore_index, 1)


def nll_loss_gradient(
    grad: CudaArray, y: CudaArray, target: CudaArray, weight: CudaArray | None, ignore_index: int
) -> CudaArray:
    """dy = −grad·w[t] for the class t, 0 for the others."""
    return _gradient(grad, y, target, weight, ignore_index, 0)


def _gradient(
    grad: CudaArray,
    y: CudaArray,
    target: CudaArray,
    weight: CudaArray | None,
    ignore_index: int,
    of_logits: int,
) -> CudaArray:
    dx, values = result(y.shape, real("cross_entropy_gradient", y))
    classes, inner = line_of(y.shape, 1)
    source = row(y)
    table, has_weight = given(weight, source)
    arrays = plain_row(grad), source, plain_row(target), table, values
    run(backward(y.dtype.name), y.size, *arrays, ignore_index, y.size, classes, inner, has_weight, of_logits)
    return dx


@cache
def forward(dtype: str, of: str) -> Kernel:
    """The losses; of logits, the softmax too.  Of log_softmax, `values` is not written."""
    number = getattr(types, dtype)
    zero, one, nan = number(0), number(1), number(float("nan"))
    of_logits, largest_and_total = of == "logits", exponentials(dtype)

    def kernel(x, target, table, losses, weights, values, ignore_index, count, classes, inner, has_weight):
        p = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if p < count:
            first = first_of(p, classes, inner)
            # Apart from each other: added, the digits of a large logit would push those of the loss out.
            largest, log_total = zero, zero
            if of_logits:
                largest, total = largest_and_total(x, first, classes, inner)
                for k in range(classes):
                    exponential = math.exp(x[u32(first + k * inner)] - largest)
                    values[u32(first + k * inner)] = exponential / total
                log_total = math.log(total)
            t = target[u32(p)]
            loss, weight = nan, nan
            if t == ignore_index:
                loss, weight = zero, zero
            elif t >= 0 and t < classes:
                weight = one
                if has_weight != 0:
                    weight = table[u32(t)]
                loss = -weight * (x[u32(first + i32(t) * inner)] - largest - log_total)
            losses[u32(p)] = loss
            weights[u32(p)] = weight

    signature = (
        f"{dtype}[::1]", "int64[::1]", f"{dtype}[::1]", f"{dtype}[::1]", f"{dtype}[::1]", f"{dtype}[::1]",
        "int64", "int32", "int32", "int32", "int32",
    )  # fmt: skip
    return Kernel(f"cross_entropy of {of} {dtype}", kernel, signature, THREADS, 2, SIMULATED)


@cache
def backward(dtype: str) -> Kernel:
    number = getattr(types, dtype)
    zero, one, nan = number(0), number(1), number(float("nan"))

    def kernel(grad, y, target, table, dx, ignore_index, count, classes, inner, has_weight, of_logits):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < count:
            line = i32(u32(i) // u32(inner))
            outer = i32(u32(line) // u32(classes))
            pixel = outer * inner + i - line * inner
            k = line - outer * classes
            t = target[u32(pixel)]
            weight = nan
            if t >= 0 and t < classes:
                weight = one
                if has_weight != 0:
                    weight = table[u32(t)]
            value = zero
            if t != ignore_index:
                given_here = grad[u32(pixel)] * weight
                if of_logits != 0:
                    value = y[u32(i)]
                    if t == k:
                        value -= one
                    value *= given_here
                elif t == k:
                    value = -given_here
            dx[u32(i)] = value

    signature = (
        f"{dtype}[::1]", f"{dtype}[::1]", "int64[::1]", f"{dtype}[::1]", f"{dtype}[::1]",
        "int64", "int32", "int32", "int32", "int32", "int32",
    )  # fmt: skip
    return Kernel(f"cross_entropy_gradient {dtype}", kernel, signature, THREADS, 4, SIMULATED)


def variants() -> Iterator[Kernel]:
    for dtype in REALS:
        yield backward(dtype)
        for of in LOSS_OF:
            yield forward(dtype, of)
