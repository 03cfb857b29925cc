"""The training that lessons share: a small U-Net on the coins, with whatever operators are in use.

Everything is looked up when it is called (`functional.conv2d`, `optim.Adam`), so that `learn.using` can put a
student's code in its place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg import optim
from minitorch_seg.autograd import Tensor, manual_seed, no_grad

__all__ = ["coin_arrays", "coin_iou", "train_on_coins"]


def coin_arrays(split: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """The crops of a split of `coins`: images (N, 1, 64, 64) in 0..1, masks (N, 64, 64).

    >>> images, masks = coin_arrays("test")
    >>> images.shape, masks.shape
    ((4, 1, 64, 64), (4, 64, 64))
    """
    from minitorch_seg.data import load

    samples = list(getattr(load("coins"), split))
    images = np.stack([s.image[..., 0] for s in samples])[:, None].astype(np.float32) / 255
    return images, np.stack([s.mask for s in samples])


def coin_iou(model: Any, split: str = "test") -> float:
    """The coins' IoU of a model's predictions on a split."""
    images, masks = coin_arrays(split)
    model.eval()
    with no_grad():
        coin = model(Tensor(images - 0.5)).data.argmax(axis=1) == 1
    model.train()
    return float((coin & (masks == 1)).sum() / (coin | (masks == 1)).sum())


def train_on_coins(
    steps: int = 30, lr: float = 0.01, batch_size: int = 8, base_channels: int = 4, seed: int = 0
) -> tuple[Any, list[float]]:
    """Train a U-Net of depth 2 from random weights; return it, and the loss of each step.

    >>> model, losses = train_on_coins(steps=0, base_channels=2)
    >>> len(losses), model.depth
    (0, 2)
    """
    from minitorch_seg.models import UNet

    images, masks = coin_arrays("train")
    manual_seed(seed)
    order = np.random.default_rng(seed)
    model = UNet(1, 2, base_channels=base_channels, depth=2)
    optimizer = optim.Adam(model.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        chosen = order.choice(len(images), batch_size, replace=False)
        loss = F.cross_entropy(model(Tensor(images[chosen] - np.float32(0.5))), Tensor(masks[chosen]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model, losses
