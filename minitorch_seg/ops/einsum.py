"""einsum: sums of products, written with letters (Einstein's convention).

    y = einsum("ij,jk->ik", a, b):      y_ik = Σ_j a_ij b_jk

Backward.  y is linear in each operand, so  dL/da = Σ over everything but a's letters of g times the other
operands: again an einsum,
with the letters of y and of the others on the left and a's on the right.  A letter of a that stands nowhere
else was summed away alone, and its gradient is repeated along it.

Only letters, and an output after "->" or the alphabetic order of the letters that occur once, as in NumPy; no
repeated letter within one operand.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import ShapeError
from minitorch_seg.ops.cast import promote


class Einsum(Function):
    @staticmethod
    def forward(ctx, letters, output, *operands):
        ctx.letters, ctx.output = letters, output
        ctx.save_for_backward(*operands)
        return np.einsum(",".join(letters) + "->" + output, *(o.data for o in operands), optimize=True)

    @staticmethod
    def backward(ctx, grad):
        operands = ctx.saved_tensors
        gradients: list[Tensor | None] = []
        for k, own in enumerate(ctx.letters):
            if not ctx.needs_input_grad[k + 2]:
                gradients.append(None)
                continue
            others = [o for j, o in enumerate(operands) if j != k]
            letters = [ctx.output, *(s for j, s in enumerate(ctx.letters) if j != k)]
            known = set("".join(letters))
            result = Einsum.apply(letters, "".join(c for c in own if c in known), grad, *others)
            shape = operands[k].shape
            kept = [n if c in known else 1 for c, n in zip(own, shape, strict=True)]
            gradients.append(result.reshape(kept).expand(shape))
        return None, None, *gradients


def einsum(equation: str, *operands: Any) -> Tensor:
    """The sum of products that `equation` describes.

    >>> import minitorch_seg as ms
    >>> a = ms.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> ms.einsum("ij,kj->ik", a, a).tolist()
    [[5.0, 11.0], [11.0, 25.0]]
    """
    left, arrow, output = equation.replace(" ", "").partition("->")
    letters = left.split(",")
    if not arrow:
        output = "".join(sorted(c for c in set(left) - {","} if left.count(c) == 1))
    tensors = promote(*operands)
    if len(letters) != len(tensors):
        raise ValueError(f"einsum: {equation!r} names {len(letters)} operands, found {len(tensors)}")
    sizes: dict[str, int] = {}
    for term, t in zip(letters, tensors, strict=True):
        if not (term.isalpha() or term == "") or len(set(term)) != len(term):
            raise ValueError(f"einsum: {term!r} in {equation!r}: only letters, each once within an operand")
        if len(term) != t.ndim:
            raise ShapeError(
                f"einsum: {term!r} in {equation!r} has {len(term)} letters for a tensor of shape {t.shape}"
            )
        for letter, n in zip(term, t.shape, strict=True):
            if sizes.setdefault(letter, n) != n:
                raise ShapeError(
                    f"einsum: letter {letter!r} in {equation!r} stands for sizes {sizes[letter]} and {n}"
                )
    if len(set(output)) != len(output) or not set(output) <= set(sizes):
        raise ValueError(
            f"einsum: the output {output!r} of {equation!r} must use each letter once, from the operands"
        )
    return Einsum.apply(letters, output, *tensors)
