"""Who takes part: our own kernels, one contestant for each way to compute, and PyTorch in both of its memory
formats.

A contestant has a `name`, and `prepare(case, inputs, constants, cotangent)` gives a function that computes
y and the gradients of all inputs that have one; `numpy` turns its results into arrays.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

import minitorch_seg as ms
from minitorch_seg import functional as F
from minitorch_seg.bench.cases import Case
from minitorch_seg.kernels import dispatch
from minitorch_seg.kernels.layout import as_map

Run = Callable[[], list[Any]]
Arrays = dict[str, np.ndarray]


class Ours:
    """Our kernels: "auto" is what a user gets, the others are steps of the way to it."""

    F = F
    cat = staticmethod(ms.cat)

    def __init__(self, name: str = "auto") -> None:
        self.name = name
        room = {"plain": "cpu", "reference": "reference"}.get(name, "auto")
        self.settings = room, name if name in ("direct", "winograd") else "auto"

    def rnn(self, x: Any, W_xh: Any, W_hh: Any, b_h: Any) -> Any:
        return F.rnn(x, None, W_xh, W_hh, b_h)

    def batch_norm_relu(self, x: Any, weight: Any, bias: Any) -> Any:
        return F.batch_norm_relu(x, None, None, weight, bias, training=True)

    def takes(self, case: Case) -> bool:
        """False where this would be the same computation as "auto" under another name."""
        if self.name == "winograd":
            o = case.options
            fits = case.operator == "conv2d" and case.inputs["weight"][2:] in ((3, 3), (5, 5))
            return fits and (o["stride"], o["dilation"], o["groups"]) == (1, 1, 1)
        return self.name != "direct" or case.operator in dispatch.CONVOLUTIONS

    def prepare(self, case: Case, inputs: Arrays, constants: list[np.ndarray], cotangent: np.ndarray) -> Run:
        tensors = [
            ms.Tensor(as_map(a) if _is_map(name, a) else a, name not in case.fixed)
            for name, a in inputs.items()
        ]
        fixed = [ms.Tensor(c) for c in constants]
        wanted = [t for t in tensors if t.requires_grad]
        given = ms.Tensor(as_map(cotangent) if cotangent.ndim == 4 else cotangent)

        def run() -> list[Any]:
            room, algorithm = self.settings
            before = dispatch.conv_algorithm()
            with dispatch.use(room):
                ms.set_conv_algorithm(algorithm)
                try:
                    y = case.call(self, *tensors, *fixed)
                    return [y, *ms.grad([y], wanted, [given])]
                finally:
                    ms.set_conv_algorithm(before)

        return run

    def numpy(self, result: Any) -> np.ndarray:
        return result.data


class Torch:
    """PyTorch; `channels_last` is the format that it calls so."""

    def __init__(self, torch: Any, channels_last: bool) -> None:
        self.name = "torch channels-last" if channels_last else "torch"
        self.torch, self.F, self.cat = torch, torch.nn.functional, torch.cat
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.channels_last = channels_last

    def rnn(self, x: Any, W_xh: Any, W_hh: Any, b_h: Any) -> Any:
        h0 = x.new_zeros(1, x.shape[1], W_hh.shape[0])
        weights = [W_xh, W_hh, b_h, self.torch.zeros_like(b_h)]
        return self.torch.rnn_tanh(x, h0, weights, True, 1, 0.0, True, False, False)[0]

    def batch_norm_relu(self, x: Any, weight: Any, bias: Any) -> Any:
        return self.F.relu(self.F.batch_norm(x, None, None, weight, bias, training=True))

    def takes(self, case: Case) -> bool:
        return not self.channels_last or len(case.inputs["x"]) == 4

    def prepare(self, case: Case, inputs: Arrays, constants: list[np.ndarray], cotangent: np.ndarray) -> Run:
        tensors = [self.tensor(a).requires_grad_(name not in case.fixed) for name, a in inputs.items()]
        fixed = [self.torch.from_numpy(c) for c in constants]
        wanted = [t for t in tensors if t.requires_grad]
        given = self.tensor(cotangent)

        def run() -> list[Any]:
            y = case.call(self, *tensors, *fixed)
            return [y, *self.torch.autograd.grad(y, wanted, given)]

        return run

    def tensor(self, array: np.ndarray) -> Any:
        """A tensor in this format (a 4-D weight too, as `module.to(memory_format=...)` does)."""
        tensor = self.torch.from_numpy(np.array(array, order="C"))
        return tensor.contiguous(memory_format=self.format) if array.ndim == 4 else tensor

    def numpy(self, result: Any) -> np.ndarray:
        return result.detach().numpy()


def ours() -> list[Ours]:
    """Our contestants: those that this installation has."""
    fast = dispatch.why("conv2d").startswith("conv2d: kernels/fast")
    numba = fast or "kernels/cpu" in dispatch.why("conv2d")
    here = {"winograd": fast, "direct": fast, "plain": numba}
    names = ("auto", "winograd", "direct", "plain", "reference")
    return [Ours(name) for name in names if here.get(name, True)]


def torches(threads: int) -> list[Torch]:
    """PyTorch's two contestants; none where it is not installed."""
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return []
    torch.set_num_threads(threads)
    return [Torch(torch, False), Torch(torch, True)]


def _is_map(name: str, array: np.ndarray) -> bool:
    return array.ndim == 4 and name in ("x", "z")
