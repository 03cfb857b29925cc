"""The recurrence of a simple recurrent network on the GPU, and its gradient through time; `reference/rnn.py`
has the formulas.

What waits for no other step is one matrix product over all steps (`matmul.py`).  The rest runs in one kernel,
since the sequences of a batch do not know each other: a block takes four of them through all steps, their
states lie in shared memory, and each thread computes a unit for all four: 4 multiply-adds for one number of
W_hh (from the cache) and four neighbours of the states.  States are in two buffers, so one barrier a step is
enough: what step t reads was written at step t − 1, before its barrier; what it writes was last read at step
t − 2.

    flops 2·H a number, W_hh read again at every step from the caches: 2 operations a byte, about 10 TFLOP/s
    of an H100's L2 and 2 of an RTX 4060 laptop's; with few sequences limited by the T barriers, one after the
    other

More than 256 units do not fit: then a step is one matrix product and one kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache

from minitorch_seg.kernels.cuda.array import CudaArray, contiguous, empty
from minitorch_seg.kernels.cuda.cat import cat
from minitorch_seg.kernels.cuda.channel_sum import sum_rows
from minitorch_seg.kernels.cuda.driver import Kernel, cuda, device, launch, types
from minitorch_seg.kernels.cuda.elementwise import fill
from minitorch_seg.kernels.cuda.flat import REALS, SIMULATED, THREADS, given, real, row, run
from minitorch_seg.kernels.cuda.matmul import matmul

i32, u32 = types.int32, types.uint32
HIDDEN = 256  # units that fit
SEQUENCES = 4  # of a block
BLOCK = (128,)
STATES = HIDDEN * SEQUENCES


def rnn(
    x: CudaArray, h0: CudaArray, w_xh: CudaArray, w_hh: CudaArray, b: CudaArray | None, activation: str
) -> CudaArray:
    """x (T, N, C), h0 (N, H), w_xh (H, C), w_hh (H, H), b (H,) or None, "tanh" or "relu" -> h (T, N, H)."""
    dtype, (steps, batch, channels), hidden = real("rnn", x), x.shape, len(w_hh)
    h = matmul(x.reshape(steps * batch, channels), w_xh.T).reshape(steps, batch, hidden)
    bias, has_bias = given(b, row(w_hh))
    turned, is_tanh = contiguous(w_hh.T), int(activation == "tanh")
    if hidden <= HIDDEN:
        blocks = -(-batch // SEQUENCES) if hidden else 0
        arrays = h.reshape(-1), row(h0), turned.reshape(-1), bias
        launch(recurrence(dtype), blocks, *arrays, steps, batch, hidden, has_bias, is_tanh)
        return h
    before = h0
    for t in range(steps):
        product = matmul(before, turned).reshape(-1)
        run(
            activated(dtype), h[t].size, h[t].reshape(-1), product, bias, h[t].size, hidden, has_bias, is_tanh
        )
        before = h[t]
    return h


def rnn_gradient(
    grad: CudaArray,
    x: CudaArray,
    h: CudaArray,
    h0: CudaArray,
    w_xh: CudaArray,
    w_hh: CudaArray,
    activation: str,
    need_dx: bool,
) -> tuple[CudaArray | None, CudaArray, CudaArray, CudaArray, CudaArray]:
    """(dx, or None where it is not needed, dh0, dw_xh, dw_hh, db) from grad = ∂L/∂h of all steps."""
    dtype, (steps, batch, hidden), is_tanh = real("rnn_gradient", x), h.shape, int(activation == "tanh")
    delta, dh0, given_grad, states = (
        empty(h.shape, dtype),
        empty(h0.shape, dtype),
        contiguous(grad),
        contiguous(h),
    )
    weights = contiguous(w_hh)
    if hidden <= HIDDEN:
        blocks = -(-batch // SEQUENCES) if hidden else 0
        arrays = row(given_grad), row(states), weights.reshape(-1), delta.reshape(-1), dh0.reshape(-1)
        launch(recurrence_gradient(dtype), blocks, *arrays, steps, batch, hidden, is_tanh)
    else:
        fill(dh0, 0)  # what it is where there is no step
        carry, has_carry = dh0, 0
        for t in reversed(range(steps)):
            parts = [a.reshape(-1) for a in (given_grad[t], carry, states[t], delta[t])]
            run(step_gradient(dtype), delta[t].size, *parts, delta[t].size, has_carry, is_tanh)
            carry, has_carry = matmul(delta[t], weights), 1
        dh0 = carry
    before = cat([h0.reshape(1, *h0.shape), h[:-1]], 0) if steps else h
    rows, inputs, seen = (contiguous(a).reshape(steps * batch, a.shape[2]) for a in (delta, x, before))
    dx = matmul(rows, w_xh).reshape(x.shape) if need_dx else None
    return dx, dh0, matmul(rows.T, inputs), matmul(rows.T, seen), sum_rows(rows)


@cache
def activation_of(dtype: str) -> tuple[Callable, Callable]:
    """For kernels: f(a), tanh or relu, and g·f'(a) from h = f(a)."""
    zero, one = getattr(types, dtype)(0), getattr(types, dtype)(1)

    @device
    def f(a, is_tanh):
        if is_tanh != 0:
            a = math.tanh(a)
        elif a <= zero:  # NaN <= 0 is false: NaN stays
            a = zero
        return a

    @device
    def times_slope(g, h, is_tanh):
        if is_tanh != 0:
            g *= one - h * h
        elif not h > zero:
            g = zero
        return g

    return f, times_slope


@cache
def product_of(dtype: str) -> Callable:
    """sums[s] = Σ_i weights[i, j]·states[first + i, s] for the sequences s of a block, for kernels."""
    zero = getattr(types, dtype)(0)

    @device
    def multiply(sums, weights, states, first, hidden, j):
        for s in range(SEQUENCES):
            sums[s] = zero
        for i in range(hidden):
            weight = weights[u32(i * hidden + j)]
            for s in range(SEQUENCES):
                sums[s] += weight * states[u32(first + i * SEQUENCES + s)]

    return multiply


@cache
def recurrence(dtype: str) -> Kernel:
    """h, which holds W_xh x_t, becomes f(h_t + b + W_hh h_{t−1}); weights: W_hh turned, (from, to)."""
    number = getattr(types, dtype)
    zero, both = number(0), 2 * STATES
    multiply, (f, _) = product_of(dtype), activation_of(dtype)

    def kernel(h, h0, weights, bias, steps, batch, hidden, has_bias, is_tanh):
        states = cuda.shared.array(both, number)
        sums = cuda.local.array(SEQUENCES, number)
        first = cuda.blockIdx.x * SEQUENCES
        for j in range(cuda.threadIdx.x, hidden, cuda.blockDim.x):
            for s in range(SEQUENCES):
                value = zero
                if first + s < batch:
                    value = h0[u32((first + s) * hidden + j)]
                states[u32(j * SEQUENCES + s)] = value
        cuda.syncthreads()  # each thread reads all units' states
        for t in range(steps):
            source, target = (t & 1) * STATES, ((t + 1) & 1) * STATES
            for j in range(cuda.threadIdx.x, hidden, cuda.blockDim.x):
                multiply(sums, weights, states, source, hidden, j)
                for s in range(SEQUENCES):
                    value = zero
                    if first + s < batch:
                        place = (t * batch + first + s) * hidden + j
                        value = h[u32(place)] + sums[s]
                        if has_bias != 0:
                            value += bias[u32(j)]
                        value = f(value, is_tanh)
                        h[u32(place)] = value
                    states[u32(target + j * SEQUENCES + s)] = value
            cuda.syncthreads()  # the states of this step are whole; the other buffer is read no more

    signature = (f"{dtype}[::1]",) * 4 + ("int32",) * 5
    return Kernel(f"rnn {dtype}", kernel, signature, BLOCK, 4, (16,))


@cache
def recurrence_gradient(dtype: str) -> Kernel:
    """δ_t = (grad_t + carry) ⊙ f'(h_t),  carry = W_hhᵀ δ_t,  from the last step to the first; then dh0 =
    carry.

    A unit's carry is written and read by the same thread; only the δ are shared.
    """
    number = getattr(types, dtype)
    zero, both = number(0), 2 * STATES
    multiply, (_, times_slope) = product_of(dtype), activation_of(dtype)

    def kernel(grad, h, weights, delta, dh0, steps, batch, hidden, is_tanh):
        deltas = cuda.shared.array(both, number)
        carries = cuda.shared.array(STATES, number)
        sums = cuda.local.array(SEQUENCES, number)
        first = cuda.blockIdx.x * SEQUENCES
        for j in range(cuda.threadIdx.x, hidden, cuda.blockDim.x):
            for s in range(SEQUENCES):
                carries[u32(j * SEQUENCES + s)] = zero
        for back in range(steps):
            t, here = steps - 1 - back, (back & 1) * STATES
            for j in range(cuda.threadIdx.x, hidden, cuda.blockDim.x):
                for s in range(SEQUENCES):
                    value = zero
                    if first + s < batch:
                        place = (t * batch + first + s) * hidden + j
                        value = grad[u32(place)] + carries[u32(j * SEQUENCES + s)]
                        value = times_slope(value, h[u32(place)], is_tanh)
                        delta[u32(place)] = value
                    deltas[u32(here + j * SEQUENCES + s)] = value
            cuda.syncthreads()  # the δ of this step are whole; the other buffer is read no more
            for j in range(cuda.threadIdx.x, hidden, cuda.blockDim.x):
                multiply(sums, weights, deltas, here, hidden, j)
                for s in range(SEQUENCES):
                    carries[u32(j * SEQUENCES + s)] = sums[s]
        for j in range(cuda.threadIdx.x, hidden, cuda.blockDim.x):
            for s in range(SEQUENCES):
                if first + s < batch:
                    dh0[u32((first + s) * hidden + j)] = carries[u32(j * SEQUENCES + s)]

    signature = (f"{dtype}[::1]",) * 5 + ("int32",) * 4
    return Kernel(f"rnn_gradient {dtype}", kernel, signature, BLOCK, 2, (16,))


@cache
def activated(dtype: str) -> Kernel:
    """h = f(h + product + b) for one step of many units."""
    f, _ = activation_of(dtype)

    def kernel(h, product, bias, count, hidden, has_bias, is_tanh):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < count:
            value = h[u32(i)] + product[u32(i)]
            if has_bias != 0:
                value += bias[u32(u32(i) % u32(hidden))]
            h[u32(i)] = f(value, is_tanh)

    signature = (f"{dtype}[::1]",) * 3 + ("int32",) * 4
    return Kernel(f"rnn_step {dtype}", kernel, signature, THREADS, 4, SIMULATED)


@cache
def step_gradient(dtype: str) -> Kernel:
    """δ = (grad + carry) ⊙ f'(h) for one step of many units."""
    _, times_slope = activation_of(dtype)

    def kernel(grad, carry, h, delta, count, has_carry, is_tanh):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if i < count:
            value = grad[u32(i)]
            if has_carry != 0:
                value += carry[u32(i)]
            delta[u32(i)] = times_slope(value, h[u32(i)], is_tanh)

    signature = (f"{dtype}[::1]",) * 4 + ("int32",) * 3
    return Kernel(f"rnn_step_gradient {dtype}", kernel, signature, THREADS, 4, SIMULATED)


def variants() -> Iterator[Kernel]:
    for dtype in REALS:
        yield from (make(dtype) for make in (recurrence, recurrence_gradient, activated, step_gradient))
