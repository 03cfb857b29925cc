"""The same numbers in new memory on the GPU (elementwise.py)."""

from minitorch_seg.kernels.cuda.array import CudaArray


def copy(x: CudaArray) -> CudaArray:
    """x in memory of its own, without gaps, its dimensions in the order that they have in x's memory."""
    return x.copy()
