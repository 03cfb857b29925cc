"""einsum: sums of products, written with letters (Einstein's convention).

    y = einsum("ij,jk->ik", a, b):      y_ik = Σ_j a_ij b_jk

A letter that is missing on the right is summed over.  An operand in which a letter stands twice gives its
diagonal first: "ii->i".  "..." stands for the dimensions without a letter, aligned from the right; a size of
1 is broadcast.  Without "->" the output is "...", then the letters that occur once, in alphabetic order.

Backward, with g = dL/dy.  y is linear in each operand, so dL/da is the sum, over everything but a's letters,
of g times the other operands.  That is an einsum again, with the letters of y and of the other operands on
the left and a's on the right:

    dL/da = einsum("ik,jk->ij", g, b)      dL/db = einsum("ik,ij->jk", g, a)

A letter of a that stands nowhere else was summed away alone, and its gradient is repeated along it.

Einstein, "Die Grundlage der allgemeinen Relativitätstheorie", 1916 (the convention).
"""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from minitorch_seg.autograd import Function, Tensor
from minitorch_seg.errors import DTypeError, ShapeError
from minitorch_seg.ops.cast import as_tensor, refuse_bool


class Einsum(Function):
    @staticmethod
    def forward(ctx, letters, output, *operands):
        ctx.letters, ctx.output = letters, output
        ctx.save_for_backward(*operands)
        y = np.einsum(",".join(letters) + "->" + output, *(o.data for o in operands), optimize=True)
        return np.copy(y) if len(operands) == 1 else y  # of one operand it can be a view

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

    Args:
        equation: such as "bij,bjk->bik": a term of letters for each operand, "->" and the output's letters.
        operands: tensors of one dtype, each with as many dimensions as its term has letters.

    Returns: a tensor with one dimension for each letter of the output.

    Raises: ValueError for an equation that cannot be read or names another number of operands; ShapeError
        where letters and sizes do not fit; DTypeError for unlike dtypes.

    >>> import minitorch_seg as ms
    >>> a = ms.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> ms.einsum("ij,kj->ik", a, a).tolist()
    [[5.0, 11.0], [11.0, 25.0]]
    >>> ms.einsum("ii", a), ms.einsum("...j->...", a)
    (tensor(5.), tensor([3., 7.]))
    """
    left, arrow, output = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    tensors = [refuse_bool("einsum", as_tensor(o)) for o in operands]
    if len(terms) != len(tensors):
        raise ValueError(f"einsum: {equation!r} names {len(terms)} operands, found {len(tensors)}")
    if len({t.dtype for t in tensors}) > 1:
        found = ", ".join(str(t.dtype) for t in tensors)
        raise DTypeError(f"einsum: operands of one dtype expected, found {found}: convert with .to(dtype)")
    if not arrow:
        once = sorted(c for c in set(left) if c.isalpha() and left.count(c) == 1)
        output = "..." * ("..." in left) + "".join(once)
    terms, output = _name_ellipsis(equation, terms, output, tensors)
    for k, (term, t) in enumerate(zip(terms, tensors, strict=True)):
        terms[k], tensors[k] = _diagonal(equation, term, t)
    sizes: dict[str, int] = {}
    for term, t in zip(terms, tensors, strict=True):
        for letter, n in zip(term, t.shape, strict=True):
            known = sizes.get(letter, 1)
            if n != known and 1 not in (n, known):
                raise ShapeError(
                    f"einsum: letter {letter!r} in {equation!r} stands for sizes {known} and {n}"
                )
            sizes[letter] = n if known == 1 else known
    if len(set(output)) != len(output) or not set(output) <= set(sizes):
        raise ValueError(
            f"einsum: the output {output!r} of {equation!r} must use each letter once, from the operands"
        )
    for k, (term, t) in enumerate(zip(terms, tensors, strict=True)):
        ones = [d for d, (c, n) in enumerate(zip(term, t.shape, strict=True)) if n == 1 and sizes[c] != 1]
        # broadcast: no letter, no dimension
        terms[k] = "".join(c for d, c in enumerate(term) if d not in ones)
        tensors[k] = t.reshape([n for d, n in enumerate(t.shape) if d not in ones]) if ones else t
    return Einsum.apply(terms, output, *tensors)


def _name_ellipsis(
    equation: str, terms: list[str], output: str, tensors: list[Tensor]
) -> tuple[list[str], str]:
    """Letters of their own for the dimensions that "..." stands for, the last dimension first."""
    free = [c for c in string.ascii_letters if c not in equation][::-1]
    named, longest = [], 0
    for term, t in zip(terms, tensors, strict=True):
        written = term.replace("...", "", 1)
        if written and not (written.isascii() and written.isalpha()):
            raise ValueError(f"einsum: {term!r} in {equation!r}: only letters and one '...' expected")
        extra = t.ndim - len(written)
        if extra < 0 or (extra and "..." not in term) or extra > len(free):
            raise ShapeError(
                f"einsum: {term!r} in {equation!r} has {len(written)} letters for a tensor of shape {t.shape}"
            )
        longest = max(longest, extra)
        named.append(term.replace("...", "".join(free[:extra][::-1])))
    return named, output.replace("...", "".join(free[:longest][::-1]))


def _diagonal(equation: str, term: str, t: Tensor) -> tuple[str, Tensor]:
    """A letter that stands twice in one term: the elements where both indices are equal."""
    for letter in sorted(set(term)):
        while term.count(letter) > 1:
            i, j = term.index(letter), term.rindex(letter)
            n, m = t.shape[i], t.shape[j]
            if n != m:
                raise ShapeError(f"einsum: letter {letter!r} in {equation!r} stands for sizes {n} and {m}")
            others = [d for d in range(t.ndim) if d not in (i, j)]
            t = t.permute(i, j, *others)[np.arange(n), np.arange(n)]
            term = letter + "".join(term[d] for d in others)
    return term, t
