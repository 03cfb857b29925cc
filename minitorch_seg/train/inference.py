"""From images of any size to class maps: normalise, batch, tile when large.

An image larger than a tile is cut into tiles that overlap by a margin on each side; each tile is predicted
alone, and only its inner part is kept.  Every kept pixel has then seen its true neighbourhood as far as the
margin reaches, so where the network looks no further than that, the result equals that of the whole image.
Tiles begin at multiples of `ALIGNMENT`, so that the pooling grids of tile and image coincide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minitorch_seg.autograd import Tensor, no_grad
from minitorch_seg.data.transforms import Normalize
from minitorch_seg.io import to_array

__all__ = ["Preparation", "predict_logits", "predict_samples", "symmetries"]

ALIGNMENT = 32
TILE = 512
MARGIN = 64


PER_IMAGE = Normalize()


@dataclass(frozen=True)
class Preparation:
    """What a run does to images before its network, and over what it averages the answers.

    normalize: by each image's own mean, or by a data set's.
    symmetry: "none", "mirror" or "square", see `symmetries`.
    """

    normalize: Normalize = PER_IMAGE
    symmetry: str = "none"

    @classmethod
    def of(cls, config: dict[str, Any]) -> Preparation:
        """As config.json says ("normalize", "average"); an older one without a word on it: image by image."""
        found = config.get("normalize", "image")
        by = PER_IMAGE if found == "image" else Normalize(tuple(found["mean"]), tuple(found["std"]))
        return cls(by, config.get("average", "none"))

    def as_input(self, images: Sequence[np.ndarray]) -> Tensor:
        """Normalised batch of equally large uint8 images (H, W, C): float32 (N, C, H, W), channels-last."""
        return Tensor(np.stack([self.normalize.image(image) for image in images]).transpose(0, 3, 1, 2))


def symmetries(name: str) -> list[tuple[int, bool]]:
    """(quarter turns, mirrored) of each way to look at an image: itself; and its mirror image; all eight.

    >>> symmetries("mirror")
    [(0, False), (0, True)]
    """
    turns = range(4 if name == "square" else 1)
    return [
        (turn, mirrored) for mirrored in ((False,) if name == "none" else (False, True)) for turn in turns
    ]


def predict_logits(
    model: Any, batch: Tensor, tile: int = TILE, margin: int = MARGIN, symmetry: str = "none"
) -> np.ndarray:
    """Logits (N, K, H, W) of a batch (N, C, H, W), computed tile by tile where it is larger than `tile`.

    tile, margin: pixels, multiples of 32; the model is expected in eval mode.
    symmetry: the model is asked for the batch in each way of `symmetries`, and the answers, turned back, are
    averaged as probabilities: the result is the logarithm of their mean.
    """
    if symmetry == "none":
        return _tiled_logits(model, batch, tile, margin)
    pixels, total = to_array(batch), np.zeros((), batch.dtype)
    ways = symmetries(symmetry)
    for turns, mirrored in ways:
        seen = np.rot90(pixels[..., ::-1] if mirrored else pixels, turns, (2, 3))
        logits = _tiled_logits(model, Tensor(np.ascontiguousarray(seen)), tile, margin)
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        back = np.rot90(e / e.sum(axis=1, keepdims=True), -turns, (2, 3))
        total = total + (back[..., ::-1] if mirrored else back)
    return np.log(np.maximum(total / len(ways), np.finfo(total.dtype).tiny))


def _tiled_logits(model: Any, batch: Tensor, tile: int, margin: int) -> np.ndarray:
    if tile % ALIGNMENT or margin % ALIGNMENT or tile <= 2 * margin:
        raise ValueError(
            f"tile ({tile}) and margin ({margin}) must be multiples of {ALIGNMENT}, tile > 2 * margin"
        )
    height, width = batch.shape[-2:]
    device = next((p.device for p in getattr(model, "parameters", tuple)()), "cpu")
    with no_grad():
        model = getattr(model, "segment", model)  # of a classifier of patches: its answer for each pixel
        if height <= tile and width <= tile:
            return to_array(model(batch.to(device)))
        pixels = to_array(batch)
        result: np.ndarray | None = None
        for y0, y1, top, bottom in _windows(height, tile, margin):
            for x0, x1, left, right in _windows(width, tile, margin):
                logits = to_array(model(Tensor(pixels[..., y0:y1, x0:x1]).to(device)))
                if result is None:
                    result = np.empty((*logits.shape[:2], height, width), logits.dtype)
                result[..., top:bottom, left:right] = logits[
                    ..., top - y0 : bottom - y0, left - x0 : right - x0
                ]
    assert result is not None
    return result


def predict_samples(
    model: Any, dataset: Any, batch_size: int = 8, prepare: Preparation | None = None
) -> Iterator[tuple[list[Any], np.ndarray]]:
    """(samples, their logits (N, K, H, W)) of a data set, in order; neighbours of one size share a batch.

    prepare: default, each image normalised by itself, and nothing averaged.
    """
    prepare = prepare or Preparation()
    model.eval()
    for batch in _runs_of_one_size((dataset[i] for i in range(len(dataset))), batch_size):
        images = prepare.as_input([sample.image for sample in batch])
        yield batch, predict_logits(model, images, symmetry=prepare.symmetry)


def _runs_of_one_size(samples: Iterable[Any], batch_size: int) -> Iterator[list[Any]]:
    """Successive samples of one shape, at most `batch_size` of them, one alone when it is large."""
    batch: list[Any] = []
    for sample in samples:
        limit = batch_size if max(sample.mask.shape) <= 256 else 1
        if batch and (sample.image.shape != batch[0].image.shape or len(batch) >= limit):
            yield batch
            batch = []
        batch.append(sample)
    if batch:
        yield batch


def _windows(size: int, tile: int, margin: int) -> Iterator[tuple[int, int, int, int]]:
    """(start, stop) of each tile along one axis, and (start, stop) of the part of it that is kept.

    >>> list(_windows(1000, 512, 64))
    [(0, 512, 0, 448), (384, 896, 448, 832), (768, 1000, 832, 1000)]
    """
    start, kept = 0, 0
    while kept < size:
        stop = min(start + tile, size)
        end = size if stop == size else stop - margin
        yield start, stop, kept, end
        kept, start = end, start + tile - 2 * margin
