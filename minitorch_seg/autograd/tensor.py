"""Tensor: an array, its gradient, and its place in the recorded graph.  It knows no operator.

`t.data` is always an array: NumPy's, or one on a GPU that answers NumPy's functions.  A tensor is either a
*leaf* (made by the user; its gradient is kept in `t.grad`) or the result of a recorded operation (its
gradient passes through and is not kept, unless `retain_grad()`).  Operators and methods such as `+`,
`t.sum()` or `t.reshape()` are installed by `ops/tensor_methods.py`.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_seg.autograd.dtypes import is_float, to_array
from minitorch_seg.errors import DTypeError
from minitorch_seg.locks import Lock

if TYPE_CHECKING:
    from minitorch_seg.autograd.function import Node

_sequence = itertools.count()
_adding = Lock()  # two threads' gradients may arrive at one leaf at the same time


def next_sequence() -> int:
    """The time of birth of a node: whatever a node uses was born before it."""
    return next(_sequence)


class LeafNode:
    """Where the gradient of a leaf arrives: it is added to `tensor.grad`."""

    def __init__(self, tensor: Tensor):
        self.tensor = tensor
        self.sequence = next_sequence()
        self.hooks: dict[int, list[Callable]] = {}
        self.retained: dict[int, Any] = {}


class HookHandle:
    """What `register_hook` returns; `remove()` takes the hook off again."""

    def __init__(self, hooks: list[Callable], hook: Callable):
        self._hooks, self._hook = hooks, hook

    def remove(self) -> None:
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)


class Tensor:
    """A multi-dimensional array of bool, integer or float numbers that can be differentiated.

    Args:
        data: anything NumPy makes an array of.  An array is taken as it is, not copied (`ms.tensor` copies);
            Python floats become float32.
        requires_grad: record operations on it, so that `backward()` can fill `grad`.

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ("__weakref__", "_leaf", "_node", "_output", "_requires_grad", "_version", "data", "grad")
    # `array + tensor` is handed to Tensor.__radd__, and np.exp(tensor) raises instead of cutting the graph.
    __array_ufunc__ = None

    if TYPE_CHECKING:  # for type checkers: what ops/tensor_methods.py installs

        def __getattr__(self, name: str) -> Callable[..., Any]: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __rfloordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __rmod__(self, other: Any) -> Tensor: ...
        def __divmod__(self, other: Any) -> tuple[Tensor, Tensor]: ...
        def __rdivmod__(self, other: Any) -> tuple[Tensor, Tensor]: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __xor__(self, other: Any) -> Tensor: ...
        def __iadd__(self, other: Any) -> Tensor: ...
        def __isub__(self, other: Any) -> Tensor: ...
        def __imul__(self, other: Any) -> Tensor: ...
        def __itruediv__(self, other: Any) -> Tensor: ...
        def __getitem__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __eq__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: Any) -> Tensor: ...  # type: ignore[override]

    def __init__(self, data: Any, requires_grad: bool = False):
        self.data: np.ndarray = (
            data
            if type(data) is np.ndarray and data.dtype.kind in "fiub" and data.dtype.isnative
            else to_array(data)
        )
        self.grad: Tensor | None = None
        self._node: Node | None = None
        self._output = 0
        self._leaf: Any = None
        self._version = [0]
        self._requires_grad = False
        if requires_grad:
            self.requires_grad = True

    # -- what it is -------------------------------------------------------------------------------------
    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    def size(self, dim: int | None = None) -> Any:
        """The shape, or one size of it."""
        return self.data.shape if dim is None else self.data.shape[dim]

    @property
    def ndim(self) -> int:
        return self.data.ndim

    def dim(self) -> int:
        """The number of dimensions."""
        return self.data.ndim

    def numel(self) -> int:
        """The number of elements."""
        return self.data.size

    @property
    def dtype(self) -> np.dtype:
        return self.data.dtype

    @property
    def device(self) -> str:
        """Where the numbers lie: "cpu", or "cuda" for a GPU."""
        return self.data.device

    @property
    def version(self) -> int:
        """How many times the memory was changed in place; shared by all views of it."""
        return self._version[0]

    def bump_version(self) -> None:
        """Say that the memory was changed in place."""
        self._version[0] += 1

    def share_version(self, other: Tensor) -> None:
        """Count changes together with `other`, of which this tensor is a view."""
        self._version = other._version

    # -- its place in the graph -------------------------------------------------------------------------
    @property
    def requires_grad(self) -> bool:
        """Are operations on this tensor recorded?  Can be set on a leaf of a float type."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if not value and self._node is not None:
            raise RuntimeError("requires_grad of a computed tensor cannot be switched off: use t.detach()")
        if value and not is_float(self.dtype):
            raise DTypeError(
                f"only float tensors can require a gradient, this one is {self.dtype}: use t.float()"
            )
        self._requires_grad = bool(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set requires_grad; returns this tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """True for a tensor that no recorded operation made."""
        return self._node is None

    @property
    def grad_fn(self) -> Node | None:
        """The node of the operation that made this tensor, None for a leaf."""
        return self._node

    def attach(self, node: Node, output: int) -> None:
        """Make this tensor result number `output` of `node`."""
        self._node, self._output, self._requires_grad = node, output, True

    def gradient_edge(self) -> tuple[Node | LeafNode, int]:
        """Where a gradient for this tensor goes: (node, number of the node's output)."""
        if self._node is not None:
            return self._node, self._output
        leaf = self._leaf and self._leaf()
        if leaf is None:
            leaf = LeafNode(self)
            self._leaf = weakref.ref(leaf)  # weak: leaf -> tensor is the strong direction, no circle
        return leaf, 0

    def detach(self) -> Tensor:
        """The same memory, outside the graph."""
        result = Tensor(self.data)
        result._version = self._version
        return result

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> HookHandle:
        """Call `hook(grad)` when this tensor's gradient is complete; what it returns replaces it.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> handle = x.register_hook(lambda grad: 10 * grad)
        >>> (x * x).sum().backward(); x.grad
        tensor([20., 40.])
        """
        if not self._requires_grad:
            raise RuntimeError("a hook needs a tensor that requires a gradient")
        node, output = self.gradient_edge()
        if isinstance(node, LeafNode):
            self._leaf = lambda: node  # from now on the tensor keeps its node, and the hooks with it
        hooks = node.hooks.setdefault(output, [])
        hooks.append(hook)
        return HookHandle(hooks, hook)

    def retain_grad(self) -> None:
        """Keep the gradient of this computed tensor in `grad` (a leaf keeps it anyway)."""
        if self._node is None:
            if not self._requires_grad:
                raise RuntimeError("retain_grad needs a tensor that requires a gradient")
            return
        self._node.retained[self._output] = weakref.ref(self)

    def accumulate_grad(self, grad: Tensor, create_graph: bool) -> None:
        """Add `grad` to `self.grad`: into memory of its own, since one array may be on its way to several
        tensors."""
        if self.grad is not None and self.grad.shape != self.shape:
            raise ValueError(f"grad has shape {self.grad.shape}, its tensor {self.shape}: set it to None")
        if grad.data.device != self.data.device:
            raise TypeError(
                f"a gradient arrived on {grad.device}, its tensor lies on {self.device}: return it from the "
                f"hook or from backward with .to('{self.device}')"
            )
        with _adding:
            if create_graph:
                self.grad = grad.clone() if self.grad is None else self.grad + grad
            elif self.grad is None:
                self.grad = Tensor(np.copy(grad.data))
            elif self.grad.grad_fn is not None:
                self.grad = Tensor(self.grad.data + grad.data)
            else:
                np.add(self.grad.data, grad.data, out=self.grad.data)
                self.grad.bump_version()

    def backward(
        self,
        gradient: Tensor | np.ndarray | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
    ) -> None:
        """Add dL/dleaf to the `grad` of every leaf this tensor was computed from, with dL/dself = `gradient`.

        Args:
            gradient: of this tensor's shape; may be left out for a tensor of one element (then 1).
            retain_graph: keep what was saved, for a second backward; default: the value of create_graph.
            create_graph: record the backward pass itself, so that gradients can be differentiated.
        """
        from minitorch_seg.autograd.backward import backward

        backward([self], [gradient], retain_graph=retain_graph, create_graph=create_graph)

    # -- out of the graph, into Python and NumPy --------------------------------------------------------
    def numpy(self) -> np.ndarray:
        """The array itself (shared memory).  Refused while a gradient is required: detach() first; and on a
        GPU: cpu() first."""
        if self._requires_grad:
            raise RuntimeError(
                "numpy() of a tensor that requires a gradient would cut the graph: use t.detach().numpy()"
            )
        if self.device != "cpu":
            raise TypeError(
                "numpy() of a tensor on the GPU would copy it: say so with t.cpu().numpy(), "
                "or join several tensors there with ms.stack"
            )
        return self.data

    def item(self) -> bool | int | float:
        """The single number this tensor holds."""
        if self.data.size != 1:
            raise ValueError(f"item() needs a tensor of one element, this one has shape {self.shape}")
        return self.data.item()

    def tolist(self) -> Any:
        """The numbers as nested Python lists."""
        return self.data.tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __dlpack__(self, **kwargs: Any) -> Any:
        array = self.numpy()
        if any(stride < 0 for stride in array.strides):
            array = np.ascontiguousarray(array)  # consumers abort on negative strides
        return array.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.numpy().__dlpack_device__()

    def __len__(self) -> int:
        if not self.data.ndim:
            raise TypeError("a 0-d tensor has no length")
        return len(self.data)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.data.ndim:
            raise TypeError("a 0-d tensor cannot be iterated over")
        return (self[i] for i in range(len(self.data)))

    def __bool__(self) -> bool:
        if self.data.size != 1:
            raise ValueError(
                f"the truth of a tensor of shape {self.shape} is ambiguous: use t.any() or t.all()"
            )
        return bool(self.data)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.data.ndim or self.data.dtype.kind not in "iub":
            raise TypeError("only a 0-d integer tensor can be used as an index")
        return int(self.data)

    def __format__(self, spec: str) -> str:
        return format(self.item() if not self.data.ndim else str(self), spec)

    def __repr__(self) -> str:
        digits = np.array2string(self.data, separator=", ", prefix="tensor(", precision=4)
        note = "" if self.device == "cpu" else f", device='{self.device}'"
        note += "" if self.dtype in (np.float32, np.int64, np.bool_) else f", dtype={self.dtype}"
        if self._node is not None:
            note += f", grad_fn=<{self._node.name}>"
        elif self._requires_grad:
            note += ", requires_grad=True"
        return f"tensor({digits}{note})"

    __hash__ = object.__hash__

    def __reduce__(self) -> tuple:
        return Tensor, (self.numpy() if self._node is not None else self.data, self._requires_grad)

    def __deepcopy__(self, memo: dict) -> Tensor:
        if self._node is not None:
            raise RuntimeError("only leaf tensors can be deep-copied: detach() first")
        copied = type(self).__new__(type(self))
        Tensor.__init__(copied, np.copy(self.data), self._requires_grad)
        return copied


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False, device: str | None = None) -> Tensor:
    """A new tensor with a copy of `data`.

    Args:
        data: numbers, nested lists, an array or a tensor.
        dtype: a NumPy dtype or its name; default: an array's own, and for Python numbers bool, int64 or
            float32.
        requires_grad: record operations on it.
        device: "cpu", or "cuda" for a GPU; default: where `data` lies.

    >>> tensor([[1, 2], [3, 4]]).dtype
    dtype('int64')
    >>> tensor([0.5, 1.5])
    tensor([0.5, 1.5])
    """
    if isinstance(data, Tensor):
        data = data.data
    return Tensor(to_array(data, dtype, copy=True)).to(device=device).requires_grad_(requires_grad)


def as_tensors(name: str, result: Any) -> tuple[Tensor, ...]:
    """What the function `name` returned: a tensor, or several."""
    several = tuple(result) if isinstance(result, tuple | list) else (result,)
    if not all(isinstance(r, Tensor) for r in several):
        raise TypeError(f"{name} must return a tensor, or a tuple of tensors, found {result!r:.60}")
    return several
