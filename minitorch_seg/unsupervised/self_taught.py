"""SelfTaught: a network that learns from clusters of colour, and then from its own answers.

    round 0    labels = k-means on blurred colours                              no mask is looked at
    round r    a few small U-Nets are trained on the labels of all images;
               labels = the mean of their answers, over the symmetries of each image as well

    L = CE(r, label) + μ · continuity(r)                    continuity as in cluster_image.py

Images may have any sizes: where they differ, a step takes windows of them, as large as the smallest image.

Clusters of colour are spotted; a network that has to give the same answer for alike surroundings, over many
images, smooths them and uses texture where it helps.  Nothing keeps it from drifting but the labels that it
begins with: of aerial images a second round is worse than the first, and single networks differ from seed to
seed by more than they gain, hence several.

Caron et al., "Deep clustering for unsupervised learning of visual features", 2018, for whole images.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg import optim
from minitorch_seg.autograd import Tensor, manual_seed, no_grad
from minitorch_seg.data.transforms import Normalize, channel_statistics
from minitorch_seg.io import to_array
from minitorch_seg.metrics import match_images
from minitorch_seg.models import UNet
from minitorch_seg.unsupervised.cluster_image import continuity
from minitorch_seg.unsupervised.features import blurred
from minitorch_seg.unsupervised.kmeans import as_points, kmeans, nearest


class SelfTaught:
    """`fit(splits)`, then `predict(image)`; training masks only name the segments at the end.

    Args:
        segments: how many; default as many as classes.
        sigma: of the blur before k-means.
        rounds: of training, from the labels of the round before.
        networks: whose answers are averaged.
        steps: of AdamW a round, of `batch_size` images each.
        weight: μ.
        base_channels, depth: of the U-Net.
        seed: of all chance (it sets the package's generator).
    """

    def __init__(
        self,
        segments: int | None = None,
        sigma: float = 3.0,
        rounds: int = 1,
        networks: int = 3,
        steps: int = 300,
        batch_size: int = 8,
        weight: float = 0.5,
        base_channels: int = 8,
        depth: int = 2,
        seed: int = 0,
    ) -> None:
        self.segments, self.sigma, self.rounds, self.steps = segments, sigma, rounds, steps
        self.networks = networks
        self.batch_size, self.weight, self.seed = batch_size, weight, seed
        self.base_channels, self.depth = base_channels, depth

    def fit(self, splits: Any) -> SelfTaught:
        train = [splits.train[index] for index in range(len(splits.train))]
        self.normalize = Normalize(*channel_statistics(splits.train))
        images = [self.normalize.image(sample.image).transpose(2, 0, 1) for sample in train]
        k, rng = self.segments or len(splits.classes), np.random.default_rng(self.seed)
        features = [as_points(blurred(image[np.newaxis], self.sigma)) for image in images]
        points = np.concatenate(features)
        some = points[rng.integers(len(points), size=min(len(points), 100_000))]
        centres = kmeans(some, k, self.seed)
        labels = [
            nearest(feature, centres).reshape(image.shape[1:])
            for feature, image in zip(features, images, strict=True)
        ]
        manual_seed(self.seed)
        for _ in range(self.rounds):
            self.models = [
                UNet(splits.in_channels, k, self.base_channels, self.depth) for _ in range(self.networks)
            ]
            for model in self.models:
                self._train(model, images, labels, rng)
            labels = [self._segments(image) for image in images]
        segmented = ((found, sample.mask) for found, sample in zip(labels, train, strict=True))
        self.classes = match_images(segmented, k, len(splits.classes), splits.ignore_index)
        return self

    def predict(self, image: np.ndarray) -> np.ndarray:
        return self.classes[self._segments(self.normalize.image(image).transpose(2, 0, 1))]

    def _train(
        self, model: UNet, images: list[np.ndarray], labels: list[np.ndarray], rng: np.random.Generator
    ) -> None:
        optimizer = optim.AdamW(model.parameters(), lr=0.01)
        schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=self.steps)
        height, width = np.min([label.shape for label in labels], axis=0)
        model.train()
        for _ in range(self.steps):
            chosen = rng.integers(len(images), size=self.batch_size)
            turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
            windows = [_window(labels[index].shape, height, width, rng) for index in chosen]
            x, y = (
                _seen(
                    np.stack([maps[i][..., *at] for i, at in zip(chosen, windows, strict=True)]),
                    turns,
                    mirrored,
                )
                for maps in (images, labels)
            )
            response = model(Tensor(x))
            loss = F.cross_entropy(response, Tensor(y)) + self.weight * continuity(F.softmax(response, 1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()

    def _segments(self, image: np.ndarray) -> np.ndarray:
        """Of one normalised image (C, H, W): the mean of all networks' answers, looked at in eight ways."""
        total = np.zeros(())
        with no_grad():
            for model, turns, mirrored in itertools.product(self.models, range(4), (False, True)):
                x = _seen(image[np.newaxis], turns, mirrored)
                p = to_array(F.softmax(model.eval()(Tensor(x)), 1))
                p = p[..., ::-1] if mirrored else p
                total = total + np.rot90(p, -turns, (-2, -1))
        return total[0].argmax(axis=0)


def _window(size: tuple[int, ...], height: int, width: int, rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a random window; the whole image where it has that size, without a draw.

    >>> _window((4, 6), 4, 6, np.random.default_rng(0))
    (slice(0, 4, None), slice(0, 6, None))
    """
    free = size[0] - height, size[1] - width
    top, left = (int(rng.integers(n + 1)) if n else 0 for n in free)
    return slice(top, top + height), slice(left, left + width)


def _seen(maps: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    """Maps (…, H, W) turned by quarters, then mirrored."""
    turned = np.rot90(maps, turns, (-2, -1))
    return np.ascontiguousarray(turned[..., ::-1] if mirrored else turned)
