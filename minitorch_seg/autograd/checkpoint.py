"""checkpoint: compute a part of a network again in the backward pass instead of keeping what it saved.

    y = checkpoint(block, x)            in place of          y = block(x)

The forward pass lets go of everything inside `block` and keeps only x; the backward pass runs `block` once
more, recording, and differentiates that.  A network of L equal blocks then keeps L inputs and the inside of
one block, instead of the inside of all; the price is a second forward pass.  Random numbers drawn inside
(dropout) are the same both times.

The parameters that `block` uses are found by following the graph of the first run back to its leaves.  They
become inputs of the one node that stands for the block, so their gradients go the engine's usual way.

Chen et al., "Training deep nets with sublinear memory cost", 2016.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minitorch_seg.autograd.backward import gradients_before_hooks, reachable_from
from minitorch_seg.autograd.function import Function
from minitorch_seg.autograd.generator import default_generator
from minitorch_seg.autograd.grad_mode import enable_grad, is_grad_enabled
from minitorch_seg.autograd.tensor import LeafNode, Tensor, as_tensors, next_sequence


class Checkpoint(Function):
    """forward is given what `fn` returned; backward runs `fn` again and differentiates it."""

    replays = True

    @staticmethod
    def forward(ctx, fn, random_state, results, count, *inputs):
        ctx.fn, ctx.random_state, ctx.count = fn, random_state, count
        ctx.args = [None if isinstance(a, Tensor) else a for a in inputs]
        ctx.save_for_backward(*(a if isinstance(a, Tensor) else None for a in inputs))
        return results

    @staticmethod
    def backward(ctx, *grads):
        if is_grad_enabled():
            raise RuntimeError(
                "checkpoint: create_graph=True is not possible through a checkpoint: call the block directly"
            )
        given = [a if t is None else t for t, a in zip(ctx.saved_tensors, ctx.args, strict=True)]
        args, parameters = _outside_the_graph(given[: ctx.count]), given[ctx.count :]
        now = default_generator.get_state()
        default_generator.set_state(ctx.random_state)
        try:
            with enable_grad():
                outputs = as_tensors("the function of a checkpoint", ctx.fn(*args))
        finally:
            default_generator.set_state(now)
        pairs = [(o, g) for o, g in zip(outputs, grads, strict=True) if o.requires_grad]
        needed = ctx.needs_input_grad[4:]
        wanted = [t for t, need in zip([*args, *parameters], needed, strict=True) if need]
        found = iter(gradients_before_hooks([o for o, _ in pairs], [g for _, g in pairs], wanted))
        return None, None, None, None, *(next(found) if need else None for need in needed)


def _outside_the_graph(args: Sequence[Any]) -> list[Any]:
    """The arguments of `fn`, each tensor as a fresh leaf with the same memory."""
    return [a.detach().requires_grad_(a.requires_grad) if isinstance(a, Tensor) else a for a in args]


def checkpoint(fn: Callable[..., Any], *args: Any) -> Any:
    """fn(*args), computed again in the backward pass.

    Args:
        fn: takes and returns tensors (one, or a tuple); called twice, it must give the same both times.  It
            may use parameters; a computed tensor must come as an argument.

    Batch norm inside moves its running statistics twice.

    Raises: TypeError where `fn` returns anything but tensors; RuntimeError where `fn` uses a computed tensor
        that is no argument; and in a backward pass with create_graph=True.

    >>> import minitorch_seg as ms
    >>> x = ms.tensor([1.0, 2.0], requires_grad=True)
    >>> checkpoint(lambda t: (t * t).exp().log(), x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """
    if not is_grad_enabled():
        return fn(*args)
    random_state, start, inner = default_generator.get_state(), next_sequence(), _outside_the_graph(args)
    outputs = fn(*inner)
    results = as_tensors("the function of a checkpoint", outputs)
    reached = reachable_from([o.gradient_edge()[0] for o in results if o.requires_grad])
    if any(node.sequence < start and not isinstance(node, LeafNode) for node in reached):
        raise RuntimeError("checkpoint: fn uses a computed tensor from outside: pass it as an argument")
    leaves = [n.tensor for n in sorted(reached, key=lambda n: n.sequence) if isinstance(n, LeafNode)]
    parameters = [leaf for leaf in leaves if not any(leaf is a for a in inner)]
    arrays = tuple(o.data for o in results) if isinstance(outputs, tuple | list) else outputs.data
    made = Checkpoint.apply(fn, random_state, arrays, len(args), *args, *parameters)
    return list(made) if isinstance(outputs, list) else made
