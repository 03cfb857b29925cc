"""np.einsum for CUDA arrays: sums of products as matrix products, two operands at a time."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from minitorch_seg.kernels.cuda.array import CudaArray


def matmul(a: CudaArray, b: CudaArray) -> CudaArray:
    from minitorch_seg.kernels.cuda.matmul import matmul as product

    return product(a, b)


def einsum(subscripts: str, *operands: CudaArray, optimize: Any = True) -> CudaArray:
    """`subscripts` names all letters and the output's; no operand has a letter twice."""
    left, _, output = subscripts.partition("->")
    letters, arrays = left.split(","), list(operands)
    if "->" not in subscripts or any(len(set(part)) < len(part) for part in (*letters, output)):
        raise ValueError(
            f"np.einsum on the GPU needs ->, and no letter twice in a part: found {subscripts!r}"
        )
    while len(arrays) > 1:
        wanted = set(output).union(*letters[2:])
        first, made = _pair(letters[0], arrays[0], letters[1], arrays[1], wanted)
        letters, arrays = [first, *letters[2:]], [made, *arrays[2:]]
    return _arranged(letters[0], arrays[0], output)


def _arranged(letters: str, x: CudaArray, output: str) -> CudaArray:
    """`x` summed over the letters that the output does not have, in the output's order."""
    gone = tuple(d for d, c in enumerate(letters) if c not in output)
    summed = x.sum(axis=gone) if gone else x
    kept = [c for c in letters if c in output]
    return summed.transpose(*(kept.index(c) for c in output)) if kept else summed


def _pair(
    a_letters: str, a: CudaArray, b_letters: str, b: CudaArray, wanted: set[str]
) -> tuple[str, CudaArray]:
    """The product of two operands, summed over what nobody else wants, and its letters."""
    both = [c for c in a_letters if c in b_letters]
    batch, joined = [c for c in both if c in wanted], [c for c in both if c not in wanted]
    rows = [c for c in a_letters if c in wanted and c not in both]
    columns = [c for c in b_letters if c in wanted and c not in both]
    a = _arranged(a_letters, a, "".join(batch + rows + joined))
    b = _arranged(b_letters, b, "".join(batch + joined + columns))
    sizes = dict(zip(batch + rows + joined, a.shape, strict=True))
    sizes.update(zip(batch + joined + columns, b.shape, strict=True))
    n, m, k, p = (_size(sizes, part) for part in (batch, rows, joined, columns))
    a, b = a.reshape((n, m, k)), b.reshape((n, k, p))
    kept = batch + rows + columns
    return "".join(kept), matmul(a, b).reshape([sizes[c] for c in kept])


def _size(sizes: dict[str, int], letters: Sequence[str]) -> int:
    return prod(sizes[c] for c in letters)
