"""What a model costs.  Parameters and products follow from shapes; time and memory are measured."""

from __future__ import annotations

import contextlib
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import ndimage

import minitorch_seg as ms
from minitorch_seg import functional as F
from minitorch_seg.train.inference import predict_logits

#: Gates of a recurrent step: each is one product with the input and one with the state.
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
SIZES = (16, 64, 256)


@contextlib.contextmanager
def counted() -> Iterator[list[int]]:
    """Inside, every convolution, dense layer and recurrent step adds its products (MACs) to the list.

    convolution  outputs · C/groups · kh · kw        transposed  inputs · O/groups · kh · kw
    dense        outputs · inputs a row              recurrent   T · N · gates · H · (C + H)
    """
    found: list[int] = []
    names = ("conv2d", "conv_transpose2d", "linear", *GATES)
    kept = {name: getattr(F, name) for name in names}

    def watching(name: str) -> Any:
        def call(x: Any, *arguments: Any, **options: Any) -> Any:
            y = kept[name](x, *arguments, **options)
            if name in GATES:
                states = y[0] if isinstance(y, tuple) else y
                steps, width = states.numel() // states.shape[-1], states.shape[-1]
                found.append(GATES[name] * steps * width * (x.shape[-1] + width))
            else:
                weight = arguments[0] if arguments else options["weight"]
                each = int(np.prod(weight.shape[1:]))
                found.append(each * (x if name == "conv_transpose2d" else y).numel())
            return y

        return call

    for name in names:
        setattr(F, name, watching(name))
    try:
        yield found
    finally:
        for name, function in kept.items():
            setattr(F, name, function)


def macs(model: Any, shape: tuple[int, ...]) -> int:
    """Products of one prediction for an image (C, H, W), each output computed once."""
    model.eval()
    run = getattr(model, "fully_convolutional", model)
    with counted() as found, ms.no_grad():
        run(ms.zeros(1, *shape))
    return sum(found)


def costs(name: str, options: dict[str, Any], in_channels: int, classes: int, shape: list[int]) -> dict:
    """Milliseconds of processor time a step (8 images) and an image, MiB at the peak; for a fresh process."""
    ms.manual_seed(0)
    model = ms.models.build(name, in_channels, classes, **options)
    optimizer = ms.optim.AdamW(model.parameters(), lr=1e-4)
    facts = ms.models.facts_of(name)
    side = [options.get("size", 32)] * 2 if facts.patchwise else shape
    x = ms.randn(128 if facts.patchwise else 8, in_channels, *side)
    target = ms.zeros(x.shape[0], *([] if facts.patchwise else shape), dtype="int64")

    def step() -> None:
        y = model(x)
        loss = model.objective(y, x) if facts.unlabelled else F.cross_entropy(y, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    image = ms.randn(1, in_channels, *shape)
    step_time = _median(step, 5)
    model.eval()
    image_time = _median(lambda: predict_logits(model, image), 7)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
    return {
        "ms_step": 1000 * step_time,
        "ms_image": 1000 * image_time,
        "peak_mib": peak / (1024 if sys.platform == "darwin" else 1),
        "parameters": sum(p.numel() for p in model.parameters()),
        "macs": macs(model, (in_channels, *shape)),
    }


def _median(call: Any, times: int) -> float:
    call()  # compiles
    taken = []
    for _ in range(times):
        begun = time.process_time()
        call()
        taken.append(time.process_time() - begun)
    return statistics.median(taken)


class BySize:
    """Share of the pixels of each true object that were found, by the object's size: objects of SIZES pixels.

    An object is a connected region of one class other than 0.
    """

    def __init__(self) -> None:
        self.found: list[list[float]] = [[] for _ in range(len(SIZES) + 1)]

    def add(self, sample: Any, prediction: np.ndarray) -> None:
        for k in np.unique(sample.mask[sample.mask > 0]):
            labels, count = ndimage.label(sample.mask == k, structure=np.ones((3, 3)))
            for number in range(1, count + 1):
                inside = labels == number
                self.found[int(np.searchsorted(SIZES, inside.sum()))].append((prediction[inside] == k).mean())

    def report(self) -> dict[str, dict[str, float]]:
        names = [f"up to {size}" for size in SIZES] + [f"above {SIZES[-1]}"]
        return {
            name: {"objects": len(shares), "found": float(np.mean(shares)) if shares else float("nan")}
            for name, shares in zip(names, self.found, strict=True)
        }


class Fluorescence:
    """Dice of all classes but 0 together, over the images that are grey and dark: bright nuclei on black.

    Of the set nuclei these are 55 of the 79 test images; the others are stained tissue.
    """

    def __init__(self) -> None:
        self.images = self.both = self.either = 0

    def add(self, sample: Any, prediction: np.ndarray) -> None:
        pixels = sample.image.astype(int)
        if np.ptp(pixels, axis=2).max() > 8 or pixels.mean() >= 90:
            return
        found, truth = prediction > 0, sample.mask > 0
        self.images += 1
        self.both += int((found & truth).sum())
        self.either += int(found.sum() + truth.sum())

    def report(self) -> dict[str, float]:
        return {"images": self.images, "dice": 2 * self.both / max(self.either, 1)}
