"""vjp, jvp, jacobian, hvp: derivatives of a function f: x ↦ y, with J = ∂y/∂x.

vjp        Jᵀ v          one reverse pass
jvp        J v           two reverse passes: u ↦ Jᵀ u is linear, and its own transposed Jacobian is J
jacobian   J             one reverse pass for each number of y
hvp        H v           the gradient of <∇f, v>, where y is one number and H = ∂²y/∂x²
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minitorch_seg.autograd.backward import gradients_or_zeros
from minitorch_seg.autograd.grad_mode import enable_grad
from minitorch_seg.autograd.tensor import Tensor
from minitorch_seg.errors import ShapeError

Inputs = Tensor | Sequence[Tensor]


def _leaves(inputs: Inputs) -> tuple[list[Tensor], bool]:
    """Fresh leaves that share the inputs' memory, and whether a single tensor was given."""
    single = isinstance(inputs, Tensor)
    tensors = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    return [t.detach().requires_grad_() for t in tensors], single


def _one_output(fn: Callable[..., Tensor], leaves: list[Tensor]) -> Tensor:
    output = fn(*leaves)
    if not isinstance(output, Tensor):
        raise TypeError(f"the function must return one tensor, found {type(output).__name__}")
    return output


def _as_vectors(name: str, vectors: Any, tensors: list[Tensor]) -> list[Tensor]:
    given = [vectors] if isinstance(vectors, Tensor | np.ndarray) else list(vectors)
    result = [v if isinstance(v, Tensor) else Tensor(np.asarray(v)) for v in given]
    if [v.shape for v in result] != [t.shape for t in tensors]:
        found, expected = [v.shape for v in result], [t.shape for t in tensors]
        raise ShapeError(f"{name}: v has shapes {found}, expected {expected}")
    return result


def vjp(fn: Callable[..., Tensor], inputs: Inputs, v: Any = None) -> tuple[Tensor, Any]:
    """(fn(inputs), Jᵀ v): v has the output's shape and may be left out for an output of one element.

    >>> import minitorch_seg as ms
    >>> y, product = vjp(lambda x: x * x, ms.tensor([1.0, 2.0]), ms.tensor([1.0, 10.0]))
    >>> product
    tensor([ 2., 40.])
    """
    leaves, single = _leaves(inputs)
    with enable_grad():
        output = _one_output(fn, leaves)
        u = None if v is None else _as_vectors("vjp", v, [output])[0]
        products = gradients_or_zeros([output], leaves, [u])
    return output.detach(), products[0] if single else tuple(products)


def jvp(fn: Callable[..., Tensor], inputs: Inputs, v: Any) -> tuple[Tensor, Tensor]:
    """(fn(inputs), J v): v has the inputs' shapes.

    >>> import minitorch_seg as ms
    >>> jvp(lambda x: x * x, ms.tensor([1.0, 2.0]), ms.tensor([1.0, 10.0]))[1]
    tensor([ 2., 40.])
    """
    leaves, _ = _leaves(inputs)
    with enable_grad():
        output = _one_output(fn, leaves)
        vectors = _as_vectors("jvp", v, leaves)
        u = Tensor(np.zeros_like(output.data)).requires_grad_()
        pulled = gradients_or_zeros([output], leaves, [u], create_graph=True)
        (product,) = gradients_or_zeros(pulled, [u], vectors)  # Jᵀ u depends on u
    return output.detach(), product


def jacobian(fn: Callable[..., Tensor], inputs: Inputs) -> Any:
    """∂output/∂input, of shape (*output.shape, *input.shape); a tuple of them for several inputs.

    >>> import minitorch_seg as ms
    >>> jacobian(lambda x: x * x, ms.tensor([1.0, 2.0])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    leaves, single = _leaves(inputs)
    with enable_grad():
        output = _one_output(fn, leaves)
        rows = []
        for index in np.ndindex(output.shape):
            u = np.zeros_like(output.data)
            u[index] = 1
            rows.append(gradients_or_zeros([output], leaves, [u]))
    parts = []
    for k, leaf in enumerate(leaves):
        stacked = [row[k].data for row in rows]
        array = np.stack(stacked) if stacked else np.zeros((0, *leaf.shape), output.dtype, like=leaf.data)
        parts.append(Tensor(array.reshape(output.shape + leaf.shape)))
    return parts[0] if single else tuple(parts)


def hvp(fn: Callable[..., Tensor], inputs: Inputs, v: Any) -> tuple[Tensor, Any]:
    """(fn(inputs), H v) for a function with one number as its result; v has the inputs' shapes.

    >>> import minitorch_seg as ms
    >>> hvp(lambda x: (x ** 3).sum(), ms.tensor([1.0, 2.0]), ms.tensor([1.0, 1.0]))[1]
    tensor([ 6., 12.])
    """
    leaves, single = _leaves(inputs)
    with enable_grad():
        output = _one_output(fn, leaves)
        if output.data.size != 1:
            raise ShapeError(f"hvp: the function must return one number, found shape {output.shape}")
        vectors = _as_vectors("hvp", v, leaves)
        slopes = gradients_or_zeros([output], leaves, [None], create_graph=True)
        products = gradients_or_zeros(slopes, leaves, vectors)
    return output.detach(), products[0] if single else tuple(products)
