"""Mistakes for the CUDA kernels themselves: one line of the real source, as a tired author might write it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass

from tests.ptx.nvvm import device_functions


@dataclass(frozen=True)
class Mistake:
    title: str
    kernel: str
    case: str  # of cases.operators
    old: str
    new: str
    count: int = 1  # how often `old` stands in the kernel, and which of them is changed
    which: int = 0
    inside: str = ""  # the device function that is changed, where it is not the kernel itself


SMALL = "conv2d, 3 channels"
#: The call that is run for each kernel with barriers, by the kernel's name.
CASE_OF = {
    "batch_norm": "batch_norm",
    "sum_rows": "channel_sum",
    "conv2d": SMALL,
    "matmul": "matmul, 5 columns",
    "rnn": "rnn",
}
BARRIER = "cuda.syncthreads()"


def barriers() -> Iterator[Mistake]:
    """Each barrier of each kernel, and of what it calls, left out; in the first variant where there are
    several."""
    from minitorch_seg.kernels.cuda.catalogue import variants

    seen = set()
    for kernel in variants():
        code = kernel.function.__code__
        place = code.co_filename, code.co_firstlineno
        if place in seen or code.co_filename.startswith("<") or not kernel.name.endswith("float32"):
            continue
        seen.add(place)
        for inside, function in {"": kernel.function, **device_functions(kernel.function)}.items():
            count = inspect.getsource(function).count(BARRIER)
            for which in range(count):
                case = next(case for start, case in CASE_OF.items() if kernel.name.startswith(start))
                title = f"{kernel.name}, {inside or 'kernel'}: barrier {which + 1} of {count} left out"
                yield Mistake(title, kernel.name, case, BARRIER, "pass", count, which, inside)


CONV, PRODUCT, POOL = "conv2d 64x8 float32", "matmul 64x8 float32", "max_pool2d float32 int8"
MATMUL = "matmul, 5 columns"

MISTAKES = [
    Mistake("conv2d: a column beside the image", CONV, SMALL, "ix < width", "ix <= width"),
    Mistake("conv2d: a term too many", CONV, SMALL, "if r < rows and", "if r <= rows and", inside="fetch_b"),
    Mistake("conv2d: the table too small", CONV, SMALL, "array(table_size,", "array(tile_rows,"),
    Mistake("conv2d: both steps in one buffer", CONV, SMALL, "store_a(a, step & 1", "store_a(a, 0"),
    Mistake("conv2d_pack: one too many", "conv2d_pack float32", SMALL, "if i < count", "if i <= count"),
    Mistake("conv2d_weight: beside the image", "conv2d_weight 64x8 float32", SMALL,
            "ix < width", "ix <= width"),
    Mistake("matmul: a row too many", PRODUCT, MATMUL,
            "if r < rows and", "if r <= rows and", inside="fetch_a"),
    Mistake("matmul: a column too many is written", PRODUCT, MATMUL,
            "and column < columns:", "and column <= columns:", inside="write"),
    Mistake("sum_rows: a column too many", "sum_rows float32", "channel_sum",
            "if column < columns:\n", "if column <= columns:\n"),
    Mistake("sum_rows: all lines write", "sum_rows float32", "channel_sum",
            "if line == 0 and", "if line >= 0 and"),
    Mistake("sum_rows: one line too many", "sum_rows float32", "channel_sum",
            "if line < half", "if line <= half", inside="add_lines"),
    Mistake("max_pool2d: a row too many", POOL, "max_pool2d", "iy < height", "iy <= height"),
    Mistake("max_pool2d_gradient: a window too many", "max_pool2d_gradient float32 int8", "max_pool2d",
            "v < columns", "v <= columns"),
    Mistake("softmax: a class too many", "softmax float32", "softmax",
            "range(length)", "range(length + 1)", 2, 0, "largest_and_total"),
    Mistake("softmax: a line too many", "softmax float32", "softmax", "if i < lines", "if i <= lines"),
    Mistake("cross_entropy: another class is ignored", "cross_entropy of logits float32", "cross_entropy",
            "if t == ignore_index:", "if t == ignore_index + 1:"),
    Mistake("interpolate: the row below", "interpolate_nearest float32", "interpolate",
            "read_rows[u32(u)],", "read_rows[u32(u)] + 1,"),
    Mistake("rnn: a sequence too many", "rnn float32", "rnn",
            "if first + s < batch", "if first + s <= batch", 2, 1),
    Mistake("rnn: one buffer for both steps", "rnn float32", "rnn",
            "((t + 1) & 1) * STATES", "(t & 1) * STATES"),
    Mistake("rnn_gradient: the carries not set", "rnn_gradient float32", "rnn",
            "carries[u32(j * SEQUENCES + s)] = zero", "pass"),
    # -- in the device functions that several kernels share
    Mistake("tile_at: the second result begins behind the first one's rows", PRODUCT, MATMUL,
            "(line - result * row_tiles)", "line", inside="tile_at"),
    Mistake("store_a: another distance from k to k than is read", PRODUCT, MATMUL,
            "* pitch +", "* (pitch - 4) +", inside="store_a"),
    Mistake("multiply: the buffer that is being filled", PRODUCT, MATMUL,
            "u32(half * b_size", "u32((1 - half) * b_size", inside="multiply"),
    Mistake("fetch_b: a column too many", "conv2d_weight 64x8 float32", SMALL,
            "and c < columns", "and c <= columns", inside="fetch_b"),
    Mistake("next_stretch: a row too many in an image", "conv2d_weight 64x8 float32", SMALL,
            "if u == rows", "if u > rows", inside="next_stretch"),
    Mistake("tap_at: the tap is not brought back to its row", "conv2d_weight 64x8 float32", SMALL,
            "tap - tap_y * taps_across", "tap", inside="tap_at"),
    Mistake("number_at: the next channel", "avg_pool2d float32", "avg_pool2d",
            "i - pixel * channels", "i - pixel * channels + 1", inside="number_at"),
    Mistake("standing: a line too few", "sum_rows float32", "channel_sum",
            "u32(cuda.blockDim.x) // u32(width))", "u32(cuda.blockDim.x) // u32(width) - u32(1))",
            inside="standing"),
    Mistake("affine: the weight for the bias", "batch_norm_normalize float32", "batch_norm",
            "bias[u32(channel)]", "weight[u32(channel)]", inside="affine"),
    Mistake("first_of: lines that overlap", "softmax float32", "softmax",
            "outer * length * inner", "outer * inner", inside="first_of"),
    Mistake("rnn: the next sequence's state", "rnn float32", "rnn",
            "i * SEQUENCES + s)", "i * SEQUENCES + s + 1)", inside="multiply"),
    Mistake("rnn_gradient: another slope", "rnn_gradient float32", "rnn",
            "one - h * h", "one - h", inside="times_slope"),
]  # fmt: skip
