"""FilterBank: what was done before features were learned: filters by hand, and a classifier of pixels.

image ─► for each channel, at scales σ = 1, 2, 4:  Gaussian, Sobel (length of the gradient), Laplacian
      ─► of grey, at four angles:                  Gabor, |cosine + i sine|
      ─► a small dense network at each pixel       p(class | features of the pixel)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg import nn, optim
from minitorch_seg.autograd import Tensor, manual_seed, no_grad

SCALES = (1.0, 2.0, 4.0)
ANGLES = 4
WAVELENGTH = 6.0
#: Training pixels, every class as often as any other as far as it has them.
PIXELS = 40_000


def filter_responses(image: np.ndarray) -> np.ndarray:
    """uint8 (H, W, C) → float32 (H, W, 3 · 3 · C + C + 4): the channels themselves come first.

    >>> filter_responses(np.zeros((8, 9, 3), np.uint8)).shape
    (8, 9, 34)
    """
    from scipy import ndimage

    maps = image.astype(np.float32).transpose(2, 0, 1) / 255
    found = list(maps)
    for channel in maps:
        for sigma in SCALES:
            soft = ndimage.gaussian_filter(channel, sigma)
            gradient = np.hypot(ndimage.sobel(soft, 0), ndimage.sobel(soft, 1))
            found += [soft, gradient, ndimage.gaussian_laplace(channel, sigma)]
    grey = maps.mean(axis=0)
    reach = np.arange(-8, 9)
    y, x = np.meshgrid(reach, reach, indexing="ij")
    window = np.exp(-(x**2 + y**2) / (2 * 3.0**2))
    for angle in np.pi * np.arange(ANGLES) / ANGLES:
        wave = np.exp(2j * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / WAVELENGTH)
        kernel = window * (wave - (window * wave).sum() / window.sum())  # blind to the mean brightness
        parts = [ndimage.convolve(grey, part, mode="reflect") for part in (kernel.real, kernel.imag)]
        found.append(np.hypot(*parts))
    return np.stack(found, axis=-1).astype(np.float32)


class FilterBank:
    """A small dense network on `filter_responses`, pixel by pixel: nothing is learned about neighbours.

        p(k | pixel) = softmax(W₂ relu(W₁ f + b₁) + b₂ + log π)

    It is trained on balanced pixels; the true shares π of the classes are put in afterwards, as in PatchCNN.

    Args:
        hidden: units.
        steps: of Adam, 256 pixels each.
        seed: of pixels and weights (it sets the package's generator).
    """

    def __init__(self, hidden: int = 64, steps: int = 2000, seed: int = 0) -> None:
        self.hidden, self.steps, self.seed = hidden, steps, seed

    def fit(self, splits: Any) -> FilterBank:
        rng, classes = np.random.default_rng(self.seed), len(splits.classes)
        each = max(1, PIXELS // (len(splits.train) * classes))
        points, labels, totals = [], [], np.zeros(classes)
        for index in range(len(splits.train)):
            sample = splits.train[index]
            responses = filter_responses(sample.image).reshape(sample.mask.size, -1)
            for k in range(classes):
                places = np.flatnonzero(sample.mask.ravel() == k)
                totals[k] += len(places)
                chosen = rng.choice(places, min(each, len(places)), replace=False)
                points.append(responses[chosen])
                labels.append(np.full(len(chosen), k))
        features, target = np.concatenate(points), np.concatenate(labels)
        self.mean, self.std = features.mean(axis=0), features.std(axis=0) + np.float32(1e-6)
        used = np.maximum(np.bincount(target, minlength=classes), 1)
        self.log_prior = np.log(np.maximum(totals, 1) / totals.sum() * len(target) / used)
        self._train((features - self.mean) / self.std, target, classes, rng)
        return self

    def _train(self, x: np.ndarray, target: np.ndarray, classes: int, rng: np.random.Generator) -> None:
        manual_seed(self.seed)
        self.model = nn.Sequential(
            nn.Linear(x.shape[1], self.hidden), nn.ReLU(), nn.Linear(self.hidden, classes)
        )
        optimizer = optim.Adam(self.model.parameters(), lr=0.003)
        for _ in range(self.steps):
            chosen = rng.integers(len(x), size=256)
            loss = F.cross_entropy(self.model(Tensor(x[chosen])), Tensor(target[chosen]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def predict(self, image: np.ndarray) -> np.ndarray:
        responses = filter_responses(image)
        x = (responses.reshape(-1, responses.shape[-1]) - self.mean) / self.std
        with no_grad():
            logits = self.model(Tensor(x)).numpy() + self.log_prior
        return logits.argmax(axis=1).reshape(image.shape[:2])
