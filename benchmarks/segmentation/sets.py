"""Synthetic sets for claim 7: three classes that one cue, or two, tell apart.

    colour                red, green or blue shapes; every shape and every texture in every colour
    texture               stripes across, stripes down, or dots; any shape, any colour
    shape                 disc, square or cross; any colour, any texture
    colour_and_shape      class k has colour k and shape k; swapped: colour k with shape k + 1
    texture_and_shape     the same with texture

Class 0 is the ground; so a model sees four classes.  What follows the first cue in the swapped images took
the first cue while it learned.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from minitorch_seg.data import ArrayDataset, Sample
from minitorch_seg.io import write_png

SIZE = 64
COLOURS = np.array([[200, 70, 70], [70, 190, 70], [70, 90, 210]], float)
CLASSES = ["ground", "first", "second", "third"]
COUNTS = {"train": 60, "val": 12, "test": 30}


def image(cue: str, rng: np.random.Generator, swap: bool = False, name: str = "made") -> Sample:
    """One image with three objects; swap: of two cues the first says the class, the second another one."""
    y, x = np.mgrid[:SIZE, :SIZE]
    pixels = np.full((SIZE, SIZE, 3), 128.0) + rng.normal(0, 12, (SIZE, SIZE, 1))
    mask = np.zeros((SIZE, SIZE), np.int64)
    cues = cue.split("_and_")
    for k in range(3):
        cy, cx = rng.uniform(10, SIZE - 10, 2)
        radius = rng.uniform(7, 12)
        says = {kind: int(rng.integers(3)) for kind in ("colour", "texture", "shape")}
        says[cues[0]] = k
        if len(cues) == 2:
            says[cues[1]] = (k + 1) % 3 if swap else k
        inside = _shape(says["shape"], y - cy, x - cx, radius)
        wave = _texture(says["texture"], y, x)
        colour = COLOURS[says["colour"]] + rng.normal(0, 10, 3)
        pixels[inside] = (colour + 45 * wave[..., np.newaxis] + rng.normal(0, 8, pixels.shape))[inside]
        mask[inside] = k + 1
    return Sample(pixels.clip(0, 255).astype(np.uint8), mask, name)


def _shape(kind: int, y: np.ndarray, x: np.ndarray, radius: float) -> np.ndarray:
    """Disc, square or cross, of about one area."""
    if kind == 0:
        return y**2 + x**2 <= radius**2
    if kind == 1:
        return np.maximum(abs(y), abs(x)) <= 0.88 * radius
    arm, width = 1.25 * radius, 0.42 * radius
    return ((abs(y) <= arm) & (abs(x) <= width)) | ((abs(x) <= arm) & (abs(y) <= width))


def _texture(kind: int, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    waves = np.sin(np.pi * y / 2.5), np.sin(np.pi * x / 2.5)
    return (waves[0], waves[1], waves[0] * waves[1] * 1.4)[kind]


def write(folder: Path, cue: str, seed: int = 0) -> Path:
    """A data folder as `train --data` takes it; what lies there already is kept."""
    if (folder / "manifest.json").exists():
        return folder
    split = {}
    for number, (part, count) in enumerate(COUNTS.items()):
        rng = np.random.default_rng([seed, number])
        split[part] = [f"{part}{index:03d}" for index in range(count)]
        for name in split[part]:
            sample = image(cue, rng, name=name)
            for kind, pixels in (("images", sample.image), ("masks", sample.mask.astype(np.uint8))):
                (folder / kind).mkdir(parents=True, exist_ok=True)
                write_png(folder / kind / f"{name}.png", pixels)
    (folder / "split.json").write_text(json.dumps(split))
    facts = {"classes": CLASSES, "symmetry": "mirror", "normalize": "dataset"}
    (folder / "manifest.json").write_text(json.dumps(facts))
    return folder


def swapped(cue: str, seed: int = 0) -> ArrayDataset:
    """Test images in which the second cue contradicts the first; the masks follow the first."""
    rng = np.random.default_rng([seed, 9])
    return ArrayDataset([image(cue, rng, swap=True, name=f"swapped{index}") for index in range(30)])
