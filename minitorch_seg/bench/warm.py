"""Compiles every kernel in advance, by calling all that the benchmarks call, on tiny arrays.

Covered are all operators' kernels (fast and plain, forward and backward) and the optimisers', in float32 and
in float64 (but for those that are made for float32 alone), in evaluation too.  `uncompiled` looks whether one
was forgotten.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import numpy as np

import minitorch_seg as ms
from minitorch_seg import functional as F
from minitorch_seg.bench.cases import GROUPS, operators
from minitorch_seg.bench.libraries import ours
from minitorch_seg.kernels import dispatch
from minitorch_seg.kernels.layout import as_map

TINY = 16  # batch and sides are divided by it


def compile_all(dtype: str) -> None:
    """Calls every kernel in this dtype."""
    groups = {group for found in operators().values() for group in found}
    for contestant in ours():
        for case in (case for group in sorted(groups) for case in GROUPS[group](TINY)):
            if contestant.takes(case):
                inputs, constants = case.arrays(dtype)
                y = case.call(contestant, *map(ms.Tensor, inputs.values()), *map(ms.Tensor, constants))
                contestant.prepare(case, inputs, constants, np.ones_like(y.data))()
    large = ms.zeros(1, 4, 128, 128, dtype=dtype).data  # smaller maps are left to NumPy
    dispatch.get("add").add(as_map(large), as_map(large))
    dispatch.get("copy").copy(as_map(large))
    dispatch.get("cat").cat([as_map(large)] * 3, 1)
    for activation in (F.leaky_relu, F.elu, F.sigmoid, F.tanh, F.softplus, F.silu, F.gelu):
        activation(ms.Tensor(large, True)).sum().backward()
    x = ms.zeros(1, 3, 16, 16, dtype=dtype)
    for optimizer in (ms.optim.SGD, ms.optim.Adam, ms.optim.RMSprop):
        model = ms.models.UNet(3, 2, base_channels=8, depth=1).to(dtype)
        step = optimizer(model.parameters(), lr=0.01)
        F.cross_entropy(model(x), ms.zeros(1, 16, 16, dtype="int64")).backward()
        step.step()
        with ms.no_grad():
            model.eval()(x)


def kernels() -> Iterator[tuple[str, Any]]:
    """(file and name, Numba's dispatcher) of every kernel that Python calls.

    Those that only other kernels call are compiled within them.
    """
    own: dict[str, Any] = {}
    for room in ("cpu", "fast"):
        try:
            package = importlib.import_module(f"minitorch_seg.kernels.{room}")
        except ImportError:  # kernels/fast may be removed
            continue
        for file in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{file.name}")
            for name, value in vars(module).items():
                if hasattr(value, "signatures") and value.py_func.__module__ == module.__name__:
                    own[f"{room}/{file.name}.{name}"] = value
    called = {name for value in own.values() for name in value.py_func.__code__.co_names}
    for name, value in own.items():
        if name.partition(".")[2] not in called and value.targetoptions.get("inline") != "always":
            yield name, value


def uncompiled() -> list[str]:
    """Kernels that have not been compiled, for any dtype."""
    return [name for name, dispatcher in kernels() if not dispatcher.signatures]
