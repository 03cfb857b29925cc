"""The reverse pass: from the gradient of the results to the gradient of everything they were computed from.

Let L be the number to be differentiated.  For y = f(x) the chain rule reads

    dL/dx = (dy/dx)ᵀ dL/dy

and every node knows this product for its own function.  dL/dy is called the cotangent of y.  A node may run
only when the gradients of all its results are complete, that is after every node that uses them.  A user is
always born after what it uses, so it is enough to take waiting nodes from the youngest to the oldest: a heap
ordered by birth gives a topological order, without recursion and without counting.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from minitorch_seg.autograd.function import Node
from minitorch_seg.autograd.grad_mode import set_grad_enabled
from minitorch_seg.autograd.observe import observed
from minitorch_seg.autograd.tensor import LeafNode, Tensor
from minitorch_seg.errors import ShapeError

AnyNode = Node | LeafNode
Edge = tuple[AnyNode, int]


def backward(
    tensors: Sequence[Tensor],
    gradients: Sequence[Any] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """Add the gradient of Σ <tensor, gradient> to `grad` of every leaf it was computed from.

    Args:
        tensors: what to differentiate.
        gradients: the cotangent dL/dtensor of each, or None for a tensor of one element (then 1).
        retain_graph, create_graph: as in Tensor.backward, which does this for one tensor.

    >>> import minitorch_seg as ms
    >>> x = ms.tensor(3.0, requires_grad=True)
    >>> ms.backward([x * x, 10 * x])
    >>> x.grad.item()
    16.0
    """
    roots = _roots(tensors, gradients)
    _run(roots, create_graph if retain_graph is None else retain_graph, create_graph, wanted=None)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    """The gradients of Σ <output, grad_output> with respect to `inputs`, as a tuple; no `grad` is touched.

    Args:
        outputs, inputs: a tensor or a sequence of them; inputs may be leaves or computed tensors.
        grad_outputs: cotangents of the outputs' shapes; may be left out for outputs of one element.
        retain_graph: keep what was saved; default: the value of create_graph.
        create_graph: record the computation of the gradients, so that they can be differentiated.
        allow_unused: give None for an input the outputs do not depend on, instead of an error.

    >>> import minitorch_seg as ms
    >>> x = ms.tensor(3.0, requires_grad=True)
    >>> (dy,) = ms.grad(x ** 3, x, create_graph=True)
    >>> (ddy,) = ms.grad(dy, x)
    >>> dy.item(), ddy.item()
    (27.0, 18.0)
    """
    outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if isinstance(grad_outputs, Tensor | np.ndarray):
        grad_outputs = [grad_outputs]
    for number, tensor in enumerate(inputs):
        if not tensor.requires_grad:
            raise RuntimeError(
                f"input {number} of grad() does not require a gradient: "
                "set requires_grad=True before using it"
            )
    edges = [tensor.gradient_edge() for tensor in inputs]
    found = _run(
        _roots(outputs, grad_outputs),
        create_graph if retain_graph is None else retain_graph,
        create_graph,
        wanted=edges,
    )
    unused = [number for number, gradient in enumerate(found) if gradient is None]
    if unused and not allow_unused:
        raise RuntimeError(
            f"the outputs do not depend on input {unused[0]}: pass allow_unused=True to get None for it"
        )
    return tuple(found)


def gradients_or_zeros(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    cotangents: Sequence[Any],
    create_graph: bool = False,
) -> list[Tensor]:
    """As grad, with zeros for an input that no output depends on; the graph is kept."""
    pairs = [(o, u) for o, u in zip(outputs, cotangents, strict=True) if o.requires_grad]
    found = grad([o for o, _ in pairs], inputs, [u for _, u in pairs], True, create_graph, allow_unused=True)
    return [Tensor(np.zeros_like(x.data)) if g is None else g for g, x in zip(found, inputs, strict=True)]


def gradients_at(output: Tensor, edges: Sequence[Edge]) -> list[Tensor | None]:
    """The gradient of the sum of `output` at each edge (node, number of its result); the graph is kept."""
    return _run(_roots([output], [np.ones_like(output.data)]), True, False, wanted=list(edges))


def gradients_before_hooks(
    outputs: Sequence[Tensor], grad_outputs: Sequence[Tensor], inputs: Sequence[Tensor]
) -> list[Tensor | None]:
    """As grad, for a part of a reverse pass: the hooks of `inputs` are left to the pass it belongs to."""
    edges = [tensor.gradient_edge() for tensor in inputs]
    return _run(_roots(outputs, grad_outputs), False, False, wanted=edges, hook_wanted=False)


def _roots(tensors: Sequence[Tensor], gradients: Sequence[Any] | None) -> list[tuple[Edge, Tensor]]:
    gradients = [None] * len(tensors) if gradients is None else list(gradients)
    if len(gradients) != len(tensors):
        raise ValueError(f"{len(tensors)} tensors need as many gradients, found {len(gradients)}")
    roots = []
    for tensor, gradient in zip(tensors, gradients, strict=True):
        if not tensor.requires_grad:
            raise RuntimeError(
                "backward() of a tensor that does not require a gradient: "
                "nothing it was computed from has requires_grad=True, or it was computed under no_grad()"
            )
        if gradient is None:
            if tensor.data.size != 1:
                raise RuntimeError(
                    f"backward() of a tensor of shape {tensor.shape} needs a gradient of that shape; "
                    "without one only a tensor of one element can be differentiated: reduce it first, "
                    "with .sum() or .mean()"
                )
            gradient = np.ones_like(tensor.data)
        gradient = (
            gradient if isinstance(gradient, Tensor) else Tensor(np.asarray(gradient, like=tensor.data))
        )
        gradient = gradient.to(dtype=tensor.dtype, device=tensor.device)
        if gradient.shape != tensor.shape:
            raise ShapeError(
                f"backward: gradient of shape {gradient.shape} for a tensor of shape {tensor.shape}"
            )
        roots.append((tensor.gradient_edge(), gradient))
    return roots


def _run(
    roots: list[tuple[Edge, Tensor]],
    retain_graph: bool,
    create_graph: bool,
    wanted: list[Edge] | None,
    hook_wanted: bool = True,
) -> list[Tensor | None]:
    """The reverse pass.  With `wanted` those gradients alone are returned; without, leaves collect theirs."""
    useful = (
        None
        if wanted is None
        else _leading_to({node for node, _ in wanted}, [node for (node, _), _ in roots])
    )
    found: dict[Edge, Tensor] = {}
    pending: dict[AnyNode, list[Tensor | None]] = {}
    heap: list[tuple[int, AnyNode]] = []

    def send(edge: Edge, gradient: Tensor) -> None:
        node, number = edge
        if useful is not None and node not in useful:
            return
        if node not in pending:
            pending[node] = [None] * (len(node.outputs) if isinstance(node, Node) else 1)
            heapq.heappush(heap, (-node.sequence, node))
        waiting = pending[node][number]
        pending[node][number] = gradient if waiting is None else waiting + gradient

    with set_grad_enabled(create_graph):
        for edge, gradient in roots:
            send(edge, gradient)
        while heap:
            _, node = heapq.heappop(heap)
            gradients = pending.pop(node)
            for number, hooks in node.hooks.items():
                for hook in list(hooks) if hook_wanted or (node, number) not in (wanted or []) else []:
                    complete = gradients[number]
                    if complete is not None:
                        gradients[number] = _hooked(complete, hook(complete))
            for number, tensor_ref in node.retained.items():
                tensor, kept = tensor_ref(), gradients[number]
                if wanted is None and tensor is not None and kept is not None:
                    tensor.accumulate_grad(kept, create_graph)
            if wanted is not None:
                found.update(
                    {(node, i): g for i, g in enumerate(gradients) if g is not None and (node, i) in wanted}
                )
            if isinstance(node, LeafNode):
                if wanted is None and gradients[0] is not None and node.tensor.requires_grad:
                    node.tensor.accumulate_grad(gradients[0], create_graph)
                continue
            everything = node.needs_input_grad
            if useful is not None:  # a node asks this to skip gradients that nobody wants
                node.needs_input_grad = tuple(edge is not None and edge[0] in useful for edge in node.edges)
                if not any(node.needs_input_grad):
                    node.needs_input_grad = everything
                    continue
            try:
                run = partial(node.run_backward, gradients, create_graph)
                results = observed("backward", node, run, gradients)
            finally:
                node.needs_input_grad = everything
            del gradients
            if not retain_graph:
                node.free()
            for target, result in zip(node.edges, results, strict=True):
                if target is not None and result is not None:
                    send(target, result)
    return [found.get(edge) for edge in wanted or []]


def _hooked(gradient: Tensor, replaced: Any) -> Tensor:
    """What a hook makes of a gradient: None leaves it, a tensor of its shape takes its place."""
    if replaced is None:
        return gradient
    if not isinstance(replaced, Tensor):
        raise TypeError(f"a hook must return None or a tensor, found {type(replaced).__name__}")
    if replaced.shape != gradient.shape:
        raise ShapeError(f"a hook returned a gradient of shape {replaced.shape}, expected {gradient.shape}")
    return replaced.to(gradient.dtype)


def _leading_to(targets: set[AnyNode], roots: list[AnyNode]) -> set[AnyNode]:
    """Those nodes below `roots` from which a target can be reached, the targets among them."""
    reachable = reachable_from(roots)
    useful = reachable & targets
    # Oldest first: what a node uses is decided before the node itself.
    for node in sorted(reachable, key=lambda n: n.sequence):
        if any(edge is not None and edge[0] in useful for edge in getattr(node, "edges", ())):
            useful.add(node)
    return useful


def reachable_from(roots: list[AnyNode]) -> set[AnyNode]:
    """`roots` and all nodes that their gradients can reach."""
    reachable: set[AnyNode] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node not in reachable:
            reachable.add(node)
            stack += [edge[0] for edge in getattr(node, "edges", ()) if edge is not None]
    return reachable
