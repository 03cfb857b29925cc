"""Applied: the base class of modules without parameters, an operator together with its options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from minitorch_seg.nn.module import Module


class Applied(Module):
    """y = operator(input, …, **options); a subclass names the operator and hands its options on by name.

    An option stands as an attribute of the module and is read at each call.  `inplace`, which PyTorch's
    activations take, is accepted and changes nothing: an input stays as it was, the result is the same.

    >>> import minitorch_seg as ms
    >>> class Scale(Applied):
    ...     operator = staticmethod(ms.mul)
    >>> scale = Scale(other=2.0)
    >>> scale, scale(ms.tensor([1.0]))
    (Scale(other=2.0), tensor([2.]))
    """

    operator: ClassVar[Callable[..., Any]]

    def __init__(self, **options: Any):
        super().__init__()
        self._names = [name for name in options if name != "inplace"]
        for name, value in options.items():
            if name.endswith("weight"):  # weights of losses are saved with the parameters
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def options(self) -> dict[str, Any]:
        """The options by name, as they are now."""
        return {name: getattr(self, name) for name in self._names}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.operator(*args, **kwargs, **self.options())

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.options().items())
