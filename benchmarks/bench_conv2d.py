"""Convolution against PyTorch: forward, input gradient and weight gradient, one thread, float32.

    python benchmarks/bench_conv2d.py [repeats]

Results are compared with a float64 convolution before anything is timed.  Ours and PyTorch's (in both of its
memory formats) run in turn, so that a busy machine troubles all alike; medians of
processor time are printed.  GF: 10⁹ useful
floating-point operations a second; ratio: the time of PyTorch's faster format divided by ours (above 1 we are
faster).
"""

# ruff: noqa: E402   threads are pinned before NumPy, Numba and PyTorch are imported

import os
import statistics
import sys
import time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
import torch

from minitorch_seg.kernels import dispatch
from minitorch_seg.kernels.layout import as_map

# name, N, C, side, O, kernel, stride, padding: the layers of a U-Net on 128×128 images, and a few others
LAYERS = [
    ("first 3x3", 8, 3, 128, 16, 3, 1, 1),
    ("3x3", 8, 16, 128, 16, 3, 1, 1),
    ("3x3", 8, 32, 64, 32, 3, 1, 1),
    ("3x3", 8, 64, 32, 64, 3, 1, 1),
    ("3x3", 8, 128, 16, 128, 3, 1, 1),
    ("3x3 stride 2", 8, 32, 64, 64, 3, 2, 1),
    ("2x2 stride 2", 8, 16, 128, 32, 2, 2, 0),
    ("1x1", 8, 64, 32, 64, 1, 1, 0),
    ("head 1x1", 8, 16, 128, 3, 1, 1, 0),
]


def medians(contestants: dict, repeats: int) -> dict:
    """Median seconds of processor time of each, run in turn."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for function in contestants.values():
        function()
    for _ in range(repeats):
        for name, function in contestants.items():
            start = time.process_time()
            function()
            times[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def check(name: str, found: np.ndarray, exact: torch.Tensor) -> None:
    error = np.abs(found - exact.numpy()).max() / exact.abs().max().item()
    if not error < 2e-5:
        raise SystemExit(
            f"{name}: the result is wrong (relative error {error:.1e}), so its time means nothing."
        )


def layer(name, n, c, side, o, kernel, stride, padding, repeats) -> None:
    """Checks and times the three products of one layer, and prints one line for each."""
    rng = np.random.default_rng(0)
    x = as_map(rng.standard_normal((n, c, side, side)).astype("float32"))
    weight = rng.standard_normal((o, c, kernel, kernel)).astype("float32")
    window = ((stride,) * 2, (padding,) * 2, (1, 1), 1)
    ours, transposed = dispatch.get("conv2d"), dispatch.get("conv_transpose2d")
    grad = as_map(rng.standard_normal(ours.conv2d(x, weight, None, *window).shape).astype("float32"))

    formats = {}
    for key, memory_format in (("nchw", torch.contiguous_format), ("nhwc", torch.channels_last)):
        formats[key] = [
            torch.from_numpy(a).contiguous(memory_format=memory_format) for a in (x, weight, grad)
        ]
    exact = [t.double() for t in formats["nchw"]]

    def forward(x, weight, grad):
        return torch.nn.functional.conv2d(x, weight, None, stride, padding)

    def backward(mask):
        def run(x, weight, grad):
            return torch.ops.aten.convolution_backward(
                grad, x, weight, None, *map(list, window[:3]), False, [0, 0], 1, mask
            )[mask.index(True)]

        return run

    products = {
        "forward": (lambda: ours.conv2d(x, weight, None, *window), forward),
        "input gradient": (
            lambda: transposed.conv_transpose2d(grad, weight, None, (side, side), *window),
            backward([True, False, False]),
        ),
        "weight gradient": (
            lambda: ours.conv2d_weight_gradient(x, grad, (kernel, kernel), *window),
            backward([False, True, False]),
        ),
    }
    operations = 2 * grad.size * c * kernel * kernel / 1e9
    for product, (mine, theirs) in products.items():
        check(f"{name}, {product}", mine(), theirs(*exact))
        contestants = {"ours": mine}
        for key, tensors in formats.items():
            contestants[key] = lambda theirs=theirs, tensors=tensors: theirs(*tensors)
        seconds = medians(contestants, repeats)
        rates = " ".join(f"{operations / s:8.1f}" for s in seconds.values())
        ratio = min(seconds["nchw"], seconds["nhwc"]) / seconds["ours"]
        print(f"{name:14s} {c:4d} -> {o:<4d} side {side:<4d} {product:16s} {rates} {ratio:8.2f}", flush=True)


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    torch.set_num_threads(1)
    print(
        dispatch.why("conv2d"),
        f"PyTorch {torch.__version__}, NumPy {np.__version__}, one thread, float32",
    )
    print(f"{'GF:':<57s}{'ours':>9s}{'torch':>9s}{'torch cl':>9s}{'ratio':>9s}")
    for arguments in LAYERS:
        layer(*arguments, repeats)


if __name__ == "__main__":
    main()
