"""Convolution by further libraries, where they are installed: SciPy, JAX, tinygrad, MyGrad.

Each has its own names and its own way to differentiate, hence an adapter each; SciPy has no gradients, so its
adapter writes them down: the input's by a full convolution, the weight's by a correlation of x with dL/dy.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch_seg.bench.cases import Case

Arrays = dict[str, np.ndarray]
Run = Callable[[], list[Any]]


class Library:
    """A contestant made of a function `prepare(module, case, inputs, cotangent)`; see bench/libraries.py."""

    def __init__(self, name: str, prepare: Callable[..., Run], takes: Callable[[Case], bool]) -> None:
        self.name, self.module, self._prepare, self._takes = (
            name,
            importlib.import_module(name),
            prepare,
            takes,
        )

    def takes(self, case: Case) -> bool:
        return case.operator == "conv2d" and not case.fixed and self._takes(case)

    def prepare(self, case: Case, inputs: Arrays, constants: list[np.ndarray], cotangent: np.ndarray) -> Run:
        return self._prepare(self.module, case, inputs, cotangent)

    def numpy(self, result: Any) -> np.ndarray:
        return result.numpy() if hasattr(result, "numpy") else np.asarray(result)


def scipy(module: Any, case: Case, inputs: Arrays, cotangent: np.ndarray) -> Run:
    """Whole images at a time, stride 1, one group: SciPy sums over all axes, so channels go along."""
    signal = importlib.import_module("scipy.signal")
    x, weight, bias = inputs.values()
    p = case.options["padding"]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))

    def run() -> list[Any]:
        y = np.stack([[signal.correlate(a, w, "valid")[0] for w in weight] for a in padded])
        y += bias[:, None, None]
        dx = np.zeros_like(padded)
        for image, given in zip(dx, cotangent, strict=True):
            for g, w in zip(given, weight, strict=True):
                image += signal.convolve(g[None], w, "full")
        dx = dx[:, :, p : dx.shape[2] - p, p : dx.shape[3] - p]
        images = range(len(x))
        dw = [
            sum(signal.correlate(padded[n], cotangent[n, o][None], "valid") for n in images)
            for o in range(len(weight))
        ]
        return [y, dx, np.stack(dw), cotangent.sum((0, 2, 3))]

    return run


def jax(module: Any, case: Case, inputs: Arrays, cotangent: np.ndarray) -> Run:
    """Compiled by XLA as one function."""
    o = case.options

    def forward(x: Any, weight: Any, bias: Any) -> Any:
        y = module.lax.conv_general_dilated(
            x, weight, (o["stride"],) * 2, [(o["padding"],) * 2] * 2,
            rhs_dilation=(o["dilation"],) * 2, feature_group_count=o["groups"],
        )  # fmt: skip
        return y + bias[:, None, None]

    def both(arrays: Any, given: Any) -> Any:
        y, backward = module.vjp(forward, *arrays)
        return [y, *backward(given)]

    compiled = module.jit(both)
    arrays, given = [module.numpy.asarray(a) for a in inputs.values()], module.numpy.asarray(cotangent)
    return lambda: module.block_until_ready(compiled(arrays, given))


def tinygrad(module: Any, case: Case, inputs: Arrays, cotangent: np.ndarray) -> Run:
    """Captured by TinyJit, so that its scheduling is not counted."""
    o, Tensor = case.options, module.Tensor
    arrays = [Tensor(a).realize() for a in inputs.values()]
    given = Tensor(cotangent).realize()

    def both(x: Any, weight: Any, bias: Any) -> Any:
        y = x.conv2d(weight, bias, o["groups"], o["stride"], o["dilation"], o["padding"])
        gradients = (y * given).sum().gradient(x, weight, bias)
        Tensor.realize(y, *gradients)
        return [y, *gradients]

    compiled = module.TinyJit(both)

    def run() -> list[Any]:
        results = list(compiled(*arrays))
        module.Device[given.device].synchronize()
        return results

    return run


def mygrad(module: Any, case: Case, inputs: Arrays, cotangent: np.ndarray) -> Run:
    """NumPy behind an autograd of its own; no groups."""
    o = case.options
    conv = importlib.import_module("mygrad.nnet.layers").conv_nd

    def run() -> list[Any]:
        x, weight, bias = (module.tensor(a) for a in inputs.values())
        y = conv(x, weight, stride=o["stride"], padding=o["padding"], dilation=o["dilation"])
        y = y + bias.reshape(1, -1, 1, 1)
        y.backward(cotangent)
        return [y.data, x.grad, weight.grad, bias.grad]

    return run


def here() -> list[Library]:
    """Those that are installed."""
    rules: list[tuple[Callable[..., Run], Callable[[Case], bool]]] = [
        (scipy, _is_plain),
        (jax, lambda case: True),
        (tinygrad, lambda case: True),
        (mygrad, _tiles_exactly),
    ]
    return [
        Library(prepare.__name__, prepare, takes)
        for prepare, takes in rules
        if importlib.util.find_spec(prepare.__name__)
    ]


def _is_plain(case: Case) -> bool:
    """SciPy knows no strides, dilations and groups, and takes seconds for larger maps."""
    return all(case.options[name] == 1 for name in ("stride", "dilation", "groups")) and case.flops < 5e8


def _tiles_exactly(case: Case) -> bool:
    """MyGrad refuses a window that leaves columns over at the end."""
    o, side, kernel = case.options, case.inputs["x"][3], case.inputs["weight"][3]
    span = o["dilation"] * (kernel - 1) + 1
    return o["groups"] == 1 and (side + 2 * o["padding"] - span) % o["stride"] == 0
