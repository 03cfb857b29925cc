"""CodeClusters: k-means on what an autoencoder has learned to say about each place.

    images ── pretrain ──► encoder                                       no mask is looked at
    image (C, H, W) ── encoder ──► code (Z, h, w) ── bilinear ──► (Z, H, W), each channel by its own spread
                    ── k-means over the pixels of all images ──► segments (H, W)

It asks whether a code that suffices to paint the image back also says what stands where.  A code is as
coarse as its map: 2^depth pixels.  k-means on colour, the baseline, has every pixel.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from minitorch_seg.autograd import Tensor
from minitorch_seg.data.transforms import Compose, Normalize, RandomCrop, Transform, channel_statistics
from minitorch_seg.unsupervised.features import code_features
from minitorch_seg.unsupervised.kmeans import as_points
from minitorch_seg.unsupervised.point_clusters import PointClusters
from minitorch_seg.unsupervised.pretrain import pretrain


class CodeClusters(PointClusters):
    """k-means on an autoencoder's code; training masks only name the segments at the end.

    Args:
        segments: how many; default as many as classes.
        task, steps, batch_size, base_channels, depth: of `pretrain`.
        restarts: of k-means; the one with the least sum of squares is kept.
        seed: of all chance (it sets the package's generator).

    Images may have any sizes: where they differ, the autoencoder is trained on windows as large as the
    smallest.
    """

    def __init__(
        self,
        segments: int | None = None,
        task: str = "inpainting",
        steps: int = 300,
        batch_size: int = 8,
        base_channels: int = 8,
        depth: int = 2,
        restarts: int = 3,
        seed: int = 0,
    ) -> None:
        super().__init__(segments, restarts, seed)
        self.training: dict[str, Any] = {
            "task": task,
            "steps": steps,
            "batch_size": batch_size,
            "base_channels": base_channels,
            "depth": depth,
            "seed": seed,
        }

    def fit(self, splits: Any) -> Self:
        train = [splits.train[index] for index in range(len(splits.train))]
        self.normalize = Normalize(*channel_statistics(splits.train))
        sizes = {sample.size for sample in train}
        ways: list[Transform] = [self.normalize]
        if len(sizes) > 1:
            height, width = (min(sides) for sides in zip(*sizes, strict=True))
            ways.append(RandomCrop((height, width)))
        self.autoencoder = pretrain(
            splits.train, splits.in_channels, transform=Compose(ways), **self.training
        )
        return super().fit(splits)

    def points(self, image: np.ndarray) -> np.ndarray:
        x = self.normalize.image(image).transpose(2, 0, 1)[np.newaxis]
        return as_points(code_features(self.autoencoder, Tensor(np.ascontiguousarray(x))))

    def scale(self, points: np.ndarray) -> np.ndarray:
        return points.std(axis=0) + np.float32(1e-6)
