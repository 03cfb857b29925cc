"""checkpoint: compute a part of a network again in the backward pass instead of keeping what it saved.

    y = checkpoint(block, x)            in place of          y = block(x)

The forward pass records nothing inside `block` and keeps only x; the backward pass runs `block` once more,
recording, and differentiates that.  A network of L equal blocks then keeps L inputs and the inside of one
block, instead of the inside of all; the price is a second forward pass.  Random numbers drawn inside
(dropout) are the same both times.

Chen et al., "Training deep nets with sublinear memory cost", 2016.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minitorch_seg.autograd.backward import backward
from minitorch_seg.autograd.function import Function
from minitorch_seg.autograd.generator import default_generator
from minitorch_seg.autograd.grad_mode import enable_grad, is_grad_enabled
from minitorch_seg.autograd.tensor import Tensor


class Checkpoint(Function):
    @staticmethod
    def forward(ctx, fn, *args):
        ctx.fn, ctx.args = fn, tuple(None if isinstance(a, Tensor) else a for a in args)
        ctx.random_state = default_generator.get_state()
        ctx.save_for_backward(*(a if isinstance(a, Tensor) else None for a in args))
        return fn(*args)

    @staticmethod
    def backward(ctx, *grads):
        if is_grad_enabled():
            raise RuntimeError(
                "checkpoint: create_graph=True is not possible through a checkpoint: call the block directly"
            )
        saved = ctx.saved_tensors
        args = [
            a if t is None else t.detach().requires_grad_(t.requires_grad)
            for t, a in zip(saved, ctx.args, strict=True)
        ]
        now = default_generator.get_state()
        default_generator.set_state(ctx.random_state)
        try:
            with enable_grad():
                outputs = ctx.fn(*args)
        finally:
            default_generator.set_state(now)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        pairs = [(o, g) for o, g in zip(outputs, grads, strict=True) if o.requires_grad]
        backward([o for o, _ in pairs], [g for _, g in pairs])  # parameters inside collect theirs here
        return None, *(a.grad if isinstance(a, Tensor) else None for a in args)


def checkpoint(fn: Callable[..., Any], *args: Any) -> Any:
    """fn(*args), computed again in the backward pass.

    Args:
        fn: takes and returns tensors (one, or a tuple); called twice, it must give the same both times.
        args: at least one tensor among them must require a gradient, or nothing inside is differentiated.

    Gradients of parameters used inside `fn` arrive in their `grad` (backward(), not ms.grad).  Batch norm
    inside moves its running statistics twice.

    >>> import minitorch_seg as ms
    >>> x = ms.tensor([1.0, 2.0], requires_grad=True)
    >>> checkpoint(lambda t: (t * t).exp().log(), x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """
    return Checkpoint.apply(fn, *args)
