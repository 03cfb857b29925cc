"""A large product in parts, each by NumPy in one thread, on our pool; `reference/matmul.py` is the whole.

    y = a b,  a (n, k), b (k, m)

Rows of a give rows of y, columns of b columns of y; where k is the longest, its parts are terms of the sum
y = Σ_p a[:, p] b[p, :], added in order.  How long a part is depends on the shapes alone.
"""

import numpy as np

from minitorch_seg.kernels import buffers
from minitorch_seg.kernels.openblas import one_thread
from minitorch_seg.kernels.parallel import parallel_for

WORK = 2**25  # multiplications of a part, about: near a millisecond, or packing its operands would show
FEWEST_ROWS = 256  # from which rows are cut though there are more columns: they lie together in memory
MOST = 32  # parts of k, which each need a result of their own


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a (..., n, k), b (..., k, m) -> (..., n, m); leading dimensions are broadcast."""
    with one_thread():
        parts = a.size * b.shape[-1] // WORK
        if a.ndim != 2 or b.ndim != 2 or parts < 2 or a.dtype != b.dtype or a.dtype.kind != "f":
            return np.matmul(a, b)
        (n, k), m = a.shape, b.shape[1]
        if k > max(n, m):
            cut, length = "terms", -(-k // min(parts, MOST))
            chunks = -(-k // length)
            y = buffers.empty((chunks, n, m), a.dtype)
        else:
            cut, count = ("rows", n) if n >= min(m, FEWEST_ROWS) else ("columns", m)
            length = -(-count // parts)
            chunks = -(-count // length)
            y = buffers.empty((n, m), a.dtype)
        parallel_for(_multiply, chunks, a, b, y, cut, length)
        return y.sum(axis=0) if cut == "terms" else y


def _multiply(first: int, last: int, a: np.ndarray, b: np.ndarray, y: np.ndarray, cut: str, length: int):
    with np.errstate(over="ignore", invalid="ignore"):  # each thread has its own setting
        for start in range(first * length, last * length, length):
            some = slice(start, start + length)
            if cut == "rows":
                np.matmul(a[some], b, out=y[some])
            elif cut == "columns":
                np.matmul(a, b[:, some], out=y[:, some])
            else:
                np.matmul(a[:, some], b[some], out=y[start // length])
