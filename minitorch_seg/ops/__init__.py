"""The operators: one file an operator or a small family, formula first.

`functional.py` is the table of contents.

An operator does not ask where its numbers lie, on the CPU or on a GPU.  It calls NumPy's functions, and an
array that lies on a GPU answers them itself (`__array_ufunc__`, `__array_function__`).  What is not computed
from an array would lie on the CPU; so it is made beside one, `np.zeros(shape, dtype, like=x.data)`, and a
kernel is chosen by one, `dispatch.get("conv2d", x.data)`.  A single number often is
`np.asarray(np.sum(a), dtype, like=a)`: NumPy turns an array without dimensions into a scalar of its own, and
this turns it back.

Where a file has to know after all, it asks `x.device == "cpu"`.  A tensor goes elsewhere by `t.to("cuda")`
alone; arguments from both places are refused.
"""
