"""Function, one differentiable operation: its forward and its backward.  Node, one use of it in the graph.

    class Square(Function):                     # y = x²
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.data * x.data

        @staticmethod
        def backward(ctx, grad):                # grad = dL/dy;  dL/dx = 2 x dL/dy
            (x,) = ctx.saved_tensors
            return 2 * x * grad

    y = Square.apply(x)

`forward` computes with arrays (`x.data`) or with operators, which are not recorded inside it.  `backward` is
written in operators on tensors; that is all `create_graph=True` needs to differentiate a gradient again.  It
returns one gradient for each argument of forward, None for those that have none.

A *fused* function computes its gradient by a kernel on arrays.  It names its **twin**, the same formula
composed of simpler operators; when a second derivative is asked for, the twin is replayed and differentiated
instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from minitorch_seg.autograd.dtypes import is_float
from minitorch_seg.autograd.grad_mode import enable_grad, recording
from minitorch_seg.autograd.observe import observed, observers
from minitorch_seg.autograd.tensor import Tensor, next_sequence
from minitorch_seg.errors import explained_sizes, refuse_mixed_devices


class Node:
    """One use of a Function.  It is the `ctx` that forward and backward see.

    edges[i] leads from argument i to where its gradient goes: (the node that made it, which of its results);
    None where no gradient is needed.  `sequence` counts up, so a node's arguments carry smaller numbers.
    """

    def __init__(self, function: type[Function], args: tuple, kwargs: dict, record: bool):
        self.function = function
        self.record = record
        self.needs_input_grad = (False,) * len(args)
        self.outputs: list[tuple[tuple[int, ...], np.dtype]] = []
        self._not_differentiable: tuple = ()
        self._given: list[Any] = []  # what was saved as forward named it, to recognise results among it
        self.freed = False
        # What was saved: the tensor, its version then, and its number if it is a result of this node.
        self._saved: list[tuple[Tensor | None, int, int | None]] = []
        if not record:  # nobody comes back to this node
            return
        self.edges: list[tuple[Any, int] | None] = [
            arg.gradient_edge() if isinstance(arg, Tensor) and arg.requires_grad else None for arg in args
        ]
        self.inputs: list[tuple[tuple[int, ...], np.dtype] | None] = [
            (arg.data.shape, arg.data.dtype) if isinstance(arg, Tensor) else None for arg in args
        ]
        self.sequence = next_sequence()  # after the edges: a leaf's node may be born just above
        self.needs_input_grad = tuple([edge is not None for edge in self.edges])
        self.hooks: dict[int, list[Callable]] = {}
        self.retained: dict[int, Any] = {}  # number of a result -> weak reference to who keeps its gradient
        self._twin_arguments = (args, kwargs) if function.twin is not None else None
        self._twin_versions = [arg.version if isinstance(arg, Tensor) else 0 for arg in args]
        # Integers and bools choose places: a function keeps their array as it is, so it must stay as it is.
        items = [i for arg in args for i in (arg if isinstance(arg, list | tuple) else (arg,))]
        self._choices = [(i, i.version) for i in items if isinstance(i, Tensor) and not is_float(i.dtype)]

    @property
    def name(self) -> str:
        return self.function.__name__

    # -- for forward ------------------------------------------------------------------------------------
    def save_for_backward(self, *tensors: Tensor | np.ndarray | None) -> None:
        """Keep arguments, results or other arrays for the backward pass, with their version of now."""
        if self.record:
            for item in tensors:
                kept = item if item is None or isinstance(item, Tensor) else Tensor(item)
                self._saved.append((kept, 0 if kept is None else kept.version, None))
                self._given.append(item)

    def mark_non_differentiable(self, *results: Any) -> None:
        """Name results of forward (indices, say) that carry no gradient."""
        self._not_differentiable = results

    def wrap(self, output: Any, number: int, sources: list[Tensor]) -> Tensor:
        """Result `number` of forward as a tensor of the graph; `sources` are the tensors it was given."""
        result = output if isinstance(output, Tensor) else Tensor(output)
        is_argument = result is output and any(result is source for source in sources)
        if is_argument:
            result = result.detach()
        elif result.data.base is not None or any([result.data is source.data for source in sources]):
            for source in sources:  # a view changes when its source is changed in place, and the reverse
                if np.may_share_memory(result.data, source.data):
                    result.share_version(source)
        self.outputs.append((result.data.shape, result.data.dtype))
        floats = self.record and result.data.dtype.kind == "f"
        if floats and not any([output is o for o in self._not_differentiable]):
            for i, given in enumerate(self._given):
                if given is output and not is_argument:
                    # A saved result leads back to this node.  Kept attached, it would close a circle
                    # tensor -> node -> tensor; so it is kept detached, and attached when it is read.
                    kept = result.detach()
                    self._saved[i] = (kept, kept.version, number)
            result.attach(self, number)
        return result

    def forget_names(self) -> None:
        """Forward is over: nothing but what was saved is kept alive."""
        self._given, self._not_differentiable = [], ()

    # -- for backward -----------------------------------------------------------------------------------
    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What forward saved.  Refused after it was freed, or if an array was changed in place meanwhile."""
        self._check_not_freed()
        tensors = []
        for i, (tensor, version, number) in enumerate(self._saved):
            self._check_unchanged(i, tensor, version)
            if tensor is not None and number is not None:
                tensor = tensor.detach()
                tensor.attach(self, number)
            tensors.append(tensor)
        return tuple(tensors)

    def _check_unchanged(self, i: int, tensor: Tensor | None, version: int) -> None:
        if tensor is not None and tensor.version != version:
            raise RuntimeError(
                f"{self.name} saved array {i} of shape {tensor.shape} for its backward pass, "
                f"and an in-place operation changed it afterwards (version {version} then, "
                f"{tensor.version} now): run backward before the change, or change a copy"
            )

    def _check_not_freed(self) -> None:
        if self.freed:
            raise RuntimeError(
                f"backward through {self.name} a second time, but what it saved was freed by the first: "
                "call the first backward with retain_graph=True, or compute the result anew"
            )

    def free(self) -> None:
        """Let go of what was saved, arrays that forward kept as attributes of ctx among it.

        A node that saved nothing can be passed again.
        """
        arrays = [name for name, value in vars(self).items() if hasattr(value, "__array_function__")]
        for name in arrays:
            delattr(self, name)
        if self._saved or self._twin_arguments or arrays:
            self._saved, self._choices, self._twin_arguments, self.freed = [], [], None, True

    def run_backward(self, grads: list[Tensor | None], create_graph: bool) -> list[Tensor | None]:
        """The gradients of the arguments from the gradients of the results."""
        self._check_not_freed()
        for number, (tensor, version) in enumerate(self._choices):
            self._check_unchanged(number, tensor, version)
        complete = [self._zeros(i, grads) if grad is None else grad for i, grad in enumerate(grads)]
        if self.function.twin is None:
            results: Any = self.function.backward(self, *complete)
        elif not create_graph:
            with np.errstate(all="ignore"):
                results = self.function.backward(self, *(grad.data for grad in complete))
        else:
            results = self._differentiate_twin(complete)
        results = results if isinstance(results, tuple | list) else (results,)
        if len(results) != len(self.edges):
            raise RuntimeError(
                f"{self.name}.backward returned {len(results)} gradients for the {len(self.edges)} arguments "
                "of forward: return one for each argument, None for those without a gradient"
            )
        return [self._checked(i, grad) for i, grad in enumerate(results)]

    def _zeros(self, number: int, grads: list[Tensor | None]) -> Tensor:
        """The gradient of a result that nothing used; it lies where the others' gradients lie."""
        beside = next(grad.data for grad in grads if grad is not None)
        return Tensor(np.zeros(*self.outputs[number], like=beside))

    def _differentiate_twin(self, grads: list[Tensor]) -> list[Tensor | None]:
        from minitorch_seg.autograd.backward import grad as gradients

        assert self._twin_arguments is not None and self.function.twin is not None
        args, kwargs = self._twin_arguments
        for i, (arg, version) in enumerate(zip(args, self._twin_versions, strict=True)):
            self._check_unchanged(i, arg if isinstance(arg, Tensor) else None, version)
        with enable_grad():
            # Aliases, so that the differentiation of the twin ends here: hooks on the arguments are called
            # once, by the pass that this node belongs to.
            args = tuple(
                Alias.apply(a) if needed else a for a, needed in zip(args, self.needs_input_grad, strict=True)
            )
            outputs = self.function.twin(*args, **kwargs)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            pairs = [(o, g) for o, g in zip(outputs, grads, strict=True) if o.requires_grad]
            wanted = [args[i] for i, needed in enumerate(self.needs_input_grad) if needed]
            found = iter(
                gradients(
                    [o for o, _ in pairs], wanted, [g for _, g in pairs], create_graph=True, allow_unused=True
                )
            )
        return [next(found) if needed else None for needed in self.needs_input_grad]

    def _checked(self, i: int, grad: Any) -> Tensor | None:
        meta = self.inputs[i]
        if grad is None or meta is None or self.edges[i] is None:
            return None
        grad = grad if isinstance(grad, Tensor) else Tensor(grad)
        shape, dtype = meta
        if grad.shape != shape:
            if not self.function.broadcasts:
                raise RuntimeError(
                    f"{self.name}.backward returned a gradient of shape {grad.shape} "
                    f"for argument {i} of shape {shape}"
                )
            # A number that was broadcast feeds several results: their gradients add up.
            grad = grad.sum_to_size(shape)
        return grad if grad.dtype == dtype else grad.to(dtype)


class Function:
    """Base class of differentiable operations; the text at the head of this file shows one.

    Class attributes:
        twin: the same formula composed of simpler operators; then backward works on arrays.
        broadcasts: the arguments are broadcast; the engine sums each gradient to its argument's shape.
        replays: backward is a computation of its own, whose operators detect_anomaly looks at one by one.

    >>> import minitorch_seg as ms
    >>> class Cube(ms.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x.data ** 3
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return 3 * x * x * grad
    >>> x = ms.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward(); x.grad
    tensor(12.)
    """

    twin: ClassVar[Callable | None] = None
    broadcasts: ClassVar[bool] = False
    replays: ClassVar[bool] = False

    @staticmethod
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("a Function defines forward(ctx, ...)")

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise NotImplementedError("a Function defines backward(ctx, grad, ...) to be differentiated")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run forward and, where an argument requires a gradient, record this use in the graph."""
        enabled = recording.enabled
        sources = [arg for arg in args if isinstance(arg, Tensor)]
        record = enabled and any([source.requires_grad for source in sources])
        if enabled and (kwargs or not record):
            _refuse_hidden_tensors(cls.__name__, args, kwargs)
        node = Node(cls, args, kwargs, record)
        recording.enabled = False
        try:
            # 1/0 = ∞ and 0/0 = NaN are answers, not warnings
            with np.errstate(divide="ignore", over="ignore", invalid="ignore"), explained_sizes(cls.__name__):
                if observers.active:
                    outputs = observed("forward", node, lambda: cls.forward(node, *args, **kwargs), args)
                else:
                    outputs = cls.forward(node, *args, **kwargs)
        except (TypeError, AttributeError):  # what arrays of two devices raise
            refuse_mixed_devices(cls.__name__, args)
            raise
        finally:
            recording.enabled = enabled
        results = outputs if isinstance(outputs, tuple) else (outputs,)
        tensors = tuple([node.wrap(output, number, sources) for number, output in enumerate(results)])
        node.forget_names()
        return tensors if isinstance(outputs, tuple) else tensors[0]


class Alias(Function):
    """y = x, the same memory under another name in the graph."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> np.ndarray:
        return x.data

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad


def _refuse_hidden_tensors(name: str, args: tuple, kwargs: dict) -> None:
    """Only positional tensors are recorded; one that is hidden elsewhere would be cut off from the graph."""
    inside = [item for arg in args if isinstance(arg, list | tuple) for item in arg]
    for value in (*inside, *kwargs.values()):
        if isinstance(value, Tensor) and value.requires_grad:
            raise TypeError(
                f"{name}.apply: a tensor that requires a gradient was given by keyword or inside a list, "
                "where it would not be recorded: pass it as a positional argument"
            )
