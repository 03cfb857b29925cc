"""Kernels: NumPy arrays in, NumPy arrays out.  No Tensor, no graph, no user's types.

`dispatch.get("conv2d")` gives the module that computes an operator: `reference/conv2d.py` is the formula as
plainly as it can be written, `cpu/conv2d.py` the same functions as Numba loops, `fast/conv2d.py` again the
same by register tiles and Winograd's algorithm.  `layout.py` says how a feature map lies in memory,
`parallel.py` how chunks of work are spread over threads, and `jit.py` is the only file that imports numba
(beside `fast/tile_ir.py`, which builds vector instructions).  `with explain() as calls:` writes down every
kernel call: which file and algorithm served which shapes, and why.
"""

from minitorch_seg.kernels.dispatch import explain

__all__ = ["explain"]
