"""Module: something with parameters that maps tensors to tensors, and may be made of other modules.

Names are PyTorch's, also those of `state_dict()`: a checkpoint of the same architecture from there can be
loaded here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from minitorch_seg.autograd import Tensor
from minitorch_seg.autograd.dtypes import as_dtype
from minitorch_seg.errors import DTypeError, ShapeError
from minitorch_seg.ops.tensor_methods import destination


class Parameter(Tensor):
    """A tensor that a module learns: it requires a gradient and is found by `parameters()`.

    >>> import minitorch_seg as ms
    >>> ms.nn.Parameter(ms.tensor([1.0])).requires_grad, ms.tensor([1.0]).requires_grad
    (True, False)
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True):
        super().__init__(data.data if isinstance(data, Tensor) else data, requires_grad)

    def __reduce__(self) -> tuple:
        return Parameter, (self.data, self.requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class Module:
    """Base class of layers and models: assign parameters and sub-modules as attributes, define `forward`.

    >>> import minitorch_seg as ms
    >>> class Line(ms.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.slope = ms.nn.Parameter([2.0])
    ...     def forward(self, x):
    ...         return self.slope * x
    >>> line = Line()
    >>> line(ms.tensor([3.0])).item(), list(line.state_dict())
    (6.0, ['slope'])
    """

    training: bool

    def __init__(self) -> None:
        for name in ("_parameters", "_buffers", "_modules"):
            object.__setattr__(self, name, {})
        object.__setattr__(self, "training", True)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no forward(...)")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    # -- attributes -------------------------------------------------------------------------------------
    def __setattr__(self, name: str, value: Any) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"call super().__init__() before setting {type(self).__name__}.{name}")
        if isinstance(value, Parameter | Module):
            for table in (self._parameters, self._buffers, self._modules):
                table.pop(name, None)
            self.__dict__.pop(name, None)
            (self._parameters if isinstance(value, Parameter) else self._modules)[name] = value
        elif name in self._parameters and value is not None:
            raise TypeError(f"{type(self).__name__}.{name} is a parameter: assign an nn.Parameter (or None)")
        elif name in self._parameters:
            self._parameters[name] = None
        elif name in self._modules:
            if value is not None:
                raise TypeError(f"{type(self).__name__}.{name} is a module: assign an nn.Module (or None)")
            self._modules[name] = None
        elif name in self._buffers:
            self._buffers[name] = value
        else:
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        for table in ("_parameters", "_buffers", "_modules"):
            if name in (named := self.__dict__.get(table, ())):
                return named[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for table in (self._parameters, self._buffers, self._modules):
            if name in table:
                del table[name]
                return
        object.__delattr__(self, name)

    def register_buffer(self, name: str, tensor: Tensor | None) -> None:
        """Keep a tensor that is saved with the parameters but not learned (running statistics, say)."""
        self._buffers[name] = tensor

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Keep a parameter, or None for one that this layer does without."""
        self._parameters[name] = parameter

    def add_module(self, name: str, module: Module) -> None:
        """Keep a sub-module under a name."""
        self._modules[name] = module

    # -- walking ----------------------------------------------------------------------------------------
    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all below it, parents first; a shared one once."""
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield name, module
            children = [
                (f"{name}.{n}" if name else n, m) for n, m in module._modules.items() if m is not None
            ]
            stack += children[::-1]

    def modules(self) -> Iterator[Module]:
        return (module for _, module in self.named_modules())

    def children(self) -> Iterator[Module]:
        return (m for m in self._modules.values() if m is not None)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        return ((n, m) for n, m in self._modules.items() if m is not None)

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """All parameters with their dotted names; a shared one once."""
        return self._named("_parameters")

    def parameters(self) -> Iterator[Parameter]:
        return (p for _, p in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        return self._named("_buffers")

    def buffers(self) -> Iterator[Tensor]:
        return (b for _, b in self.named_buffers())

    def _named(self, table: str) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        for prefix, module in self.named_modules():
            for name, value in module.__dict__[table].items():
                if value is not None and id(value) not in seen:
                    seen.add(id(value))
                    yield (f"{prefix}.{name}" if prefix else name), value

    def apply(self, fn: Callable[[Module], Any]) -> Module:
        """Call `fn` on every module, children first."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # -- modes ------------------------------------------------------------------------------------------
    def train(self, mode: bool = True) -> Module:
        """Training mode for this module and all below it (batch statistics, dropout)."""
        for module in self.modules():
            object.__setattr__(module, "training", mode)
        return self

    def eval(self) -> Module:
        """Evaluation mode: running statistics, no dropout."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        for p in self.parameters():
            p.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters; with set_to_none=False fill them with zeros instead."""
        for p in self.parameters():
            p.grad = None if set_to_none or p.grad is None else Tensor(np.zeros_like(p.grad.data))

    def to(self, *targets: Any, dtype: Any = None, device: str | None = None) -> Module:
        """Convert parameters and buffers, in place: to("float64") those of a float type; to("cuda") moves
        all.  Gradients of what is changed are forgotten.

        Nothing is changed where one of them cannot be (a GPU may be full).
        """
        dtype, device = destination(targets, dtype, device)
        if dtype is not None and as_dtype(dtype).kind != "f":
            raise DTypeError(
                f"Module.to: parameters are floats, {dtype!r} is none: use 'float32' or 'float64'"
            )
        moved = [
            (t, t.detach().to(dtype=dtype if t.dtype.kind == "f" else None, device=device))
            for t in (*self.parameters(), *self.buffers())
        ]
        for t, new in moved:
            if new.data is not t.data:
                t.data, t.grad = new.data, None
                t.bump_version()
        return self

    def cpu(self) -> Module:
        return self.to("cpu")

    def cuda(self) -> Module:
        return self.to("cuda")

    def float(self) -> Module:
        return self.to(np.float32)

    def double(self) -> Module:
        return self.to(np.float64)

    # -- saving -----------------------------------------------------------------------------------------
    def state_dict(self) -> OrderedDict[str, Tensor]:
        """All parameters and buffers by dotted name; they share memory with the module."""
        state: OrderedDict[str, Tensor] = OrderedDict()
        self._collect(state, "")
        return state

    def _collect(self, state: OrderedDict[str, Tensor], prefix: str) -> None:
        for table in (self._parameters, self._buffers):
            for name, tensor in table.items():
                if tensor is not None:
                    state[prefix + name] = tensor.detach()
        for name, module in self.named_children():
            module._collect(state, f"{prefix}{name}.")

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> None:
        """Copy values (tensors, arrays or PyTorch tensors) into the parameters and buffers of the same names.

        Nothing is changed unless every shape fits and, with `strict`, the names are the same.
        """
        own = self.state_dict()
        missing = [k for k in own if k not in state_dict]
        unexpected = [k for k in state_dict if k not in own]
        if strict and (missing or unexpected):
            parts = [
                f"{word} {', '.join(names)}"
                for word, names in (("missing:", missing), ("unexpected:", unexpected))
                if names
            ]
            raise KeyError(f"{type(self).__name__}.load_state_dict: the names differ; {'; '.join(parts)}")
        new = {k: _as_array(state_dict[k]) for k in own if k in state_dict}
        wrong = [
            f"{k} {v.shape} (expected {own[k].shape})" for k, v in new.items() if v.shape != own[k].shape
        ]
        if wrong:
            raise ShapeError(f"{type(self).__name__}.load_state_dict: shapes differ: {', '.join(wrong)}")
        for name, value in new.items():
            np.copyto(own[name].data, value, casting="unsafe")
            own[name].bump_version()

    # -- looking ----------------------------------------------------------------------------------------
    def extra_repr(self) -> str:
        """What a layer prints of itself between its brackets."""
        return ""

    def __repr__(self) -> str:
        lines = [self.extra_repr()] if self.extra_repr() else []
        lines += [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.named_children()]
        if not self._modules:
            return f"{type(self).__name__}({', '.join(lines)})"
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"


def _as_array(value: Any) -> np.ndarray:
    if hasattr(value, "detach"):  # a tensor, also PyTorch's
        value = value.detach().cpu().numpy()
    return np.asarray(value)
