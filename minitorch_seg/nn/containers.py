"""Sequential and ModuleList: modules in a row."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

from minitorch_seg.nn.module import Module


class _Row(Module):
    """A length, and the modules in order: what both classes have."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())


class ModuleList(_Row):
    """A list of modules, whose parameters are found by `parameters()` (those in a Python list are not).

    >>> import minitorch_seg as ms
    >>> layers = ms.nn.ModuleList(ms.nn.Linear(2, 2) for _ in range(3))
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)
    """

    def __init__(self, modules: Iterable[Module] | None = None):
        super().__init__()
        for module in modules or ():
            self.append(module)

    def append(self, module: Module) -> ModuleList:
        self.add_module(str(len(self._modules)), module)
        return self

    def __getitem__(self, index: int) -> Module:
        return list(self._modules.values())[index]


class Sequential(_Row):
    """Modules applied one after the other.

    >>> import minitorch_seg as ms
    >>> net = ms.nn.Sequential(ms.nn.Linear(4, 3), ms.nn.ReLU(), ms.nn.Linear(3, 2))
    >>> net(ms.zeros(5, 4)).shape
    (5, 2)
    """

    def __init__(self, *args: Any):
        super().__init__()
        named = args[0].items() if len(args) == 1 and isinstance(args[0], OrderedDict) else enumerate(args)
        for name, module in named:
            self.add_module(str(name), module)

    def forward(self, input: Any) -> Any:
        for module in self.children():
            input = module(input)
        return input

    def __getitem__(self, index: Any) -> Module:
        chosen = list(self._modules.values())[index]
        return Sequential(*chosen) if isinstance(index, slice) else chosen
