"""The documented network segments an image: patch by patch, and as one convolution with the same numbers.

    python -m benchmarks.bench_patch_cnn [--size 32] [--image 96] [--base 32] [--hidden 1024]

Four ways to the logits of every pixel, checked against each other first, then timed in turn on one thread
(processor time, medians):

    one patch       the sliding window as one writes it down: cut out a patch, ask the network, go on
    64 patches      the same, 64 patches a call
    convolution     `fully_convolutional`: dense → convolution, dilation in place of stride
    Fourier         `segment`: the same, its large convolution by Fourier transforms; the weight's transform,
                    made once and kept, is timed apart

The sliding windows are timed on a part of the pixels, since every patch costs the same.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import minitorch_seg as ms
from minitorch_seg.models import PatchCNN


def measure(
    size: int, image: int, base: int, hidden: int, patches: int = 128, turns: int = 3
) -> dict[str, Any]:
    """Seconds a pixel of each way, and the largest difference from the sliding window, relative."""
    ms.set_num_threads(1)
    ms.manual_seed(0)
    model = PatchCNN(3, 2, size=size, base_channels=base, hidden=hidden).eval()
    x = ms.tensor(np.random.default_rng(0).standard_normal((1, 3, image, image)).astype(np.float32))
    # The image's upper left corner, framed by hand as the model frames it: its patches are the image's first.
    side = max(2, round(patches**0.5))
    framed = ms.functional.pad(x, (size // 2, size, size // 2, size), mode="replicate").data
    windows = np.lib.stride_tricks.sliding_window_view(framed, (size, size), axis=(2, 3))
    chosen = [ms.tensor(windows[:1, :, i, j]) for i in range(side) for j in range(side)]
    batches = [ms.cat(chosen[k : k + 64]) for k in range(0, len(chosen), 64)]
    ways: dict[str, tuple[Callable[[], Any], int]] = {
        "one patch": (lambda: np.concatenate([model(p).data for p in chosen]), len(chosen)),
        "64 patches": (lambda: np.concatenate([model(b).data for b in batches]), len(chosen)),
        "convolution": (lambda: model.fully_convolutional(x).data, image * image),
        "Fourier": (lambda: model.segment(x).data, image * image),
    }
    result: dict[str, Any] = {"size": size, "image": image, "base": base, "hidden": hidden, "seconds": {}}
    with ms.no_grad():
        start = time.process_time()
        model.segment(x)
        first = time.process_time() - start
        found = {name: way() for name, (way, _) in ways.items()}
        expected = found["one patch"]
        for name in ("convolution", "Fourier"):
            corner = found[name][0, :, :side, :side].reshape(2, -1).T
            result[f"error of {name}"] = float(np.abs(corner - expected).max() / np.abs(expected).max())
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(turns):
            for name, (way, pixels) in ways.items():
                start = time.process_time()
                way()
                times[name].append((time.process_time() - start) / pixels)
    result["seconds"] = {name: statistics.median(values) for name, values in times.items()}
    result["first call"] = first
    return result


def table(result: dict[str, Any]) -> str:
    """Microseconds a pixel, and how many times as fast as both sliding windows."""
    seconds = result["seconds"]
    lines = [
        f"patches of {result['size']}, image {result['image']} × {result['image']}, "
        f"{result['base']} and {2 * result['base']} channels, {result['hidden']} hidden, one thread",
        f"{'':14}{'µs a pixel':>12}{'× one patch':>14}{'× 64 patches':>14}",
    ]
    for name, value in seconds.items():
        ratios = [seconds[slow] / value for slow in ("one patch", "64 patches")]
        lines.append(f"{name:14}{1e6 * value:12.1f}{ratios[0]:14.1f}{ratios[1]:14.1f}")
    errors = ", ".join(f"{name} {result[f'error of {name}']:.1e}" for name in ("convolution", "Fourier"))
    lines.append(f"largest difference from the patches, relative: {errors}")
    lines.append(f"first call of segment, with the transform of the weights: {result['first call']:.2f} s")
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> int:
    """Measures and prints; 1 where the ways disagree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=32, help="side of a patch")
    parser.add_argument("--image", type=int, default=96, help="side of the image")
    parser.add_argument("--base", type=int, default=32, help="channels of the first convolution")
    parser.add_argument("--hidden", type=int, default=1024, help="width of the dense layer")
    parser.add_argument("--patches", type=int, default=128, help="how many patches are timed, about")
    parser.add_argument("--turns", type=int, default=3, help="how often each way is timed")
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    chosen = parser.parse_args(words)
    result = measure(chosen.size, chosen.image, chosen.base, chosen.hidden, chosen.patches, chosen.turns)
    print(json.dumps(result) if chosen.json else table(result))
    return int(max(result["error of convolution"], result["error of Fourier"]) > 1e-5)


if __name__ == "__main__":
    sys.exit(main())
