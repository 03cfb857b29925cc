"""The same numbers in new memory on the GPU, by the copying kernels of elementwise.py.

No operation for 8 bytes a number: limited by memory, 4.2·10¹¹ numbers/s on an H100 (3.35 TB/s), 3.2·10¹⁰ on
an RTX 4060 laptop (0.256 TB/s).
"""

from minitorch_seg.kernels.cuda.array import CudaArray


def copy(x: CudaArray) -> CudaArray:
    """x in memory of its own, without gaps, its dimensions in the order that they have in x's memory."""
    return x.copy()
