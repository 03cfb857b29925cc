"""pretrain: an encoder that has seen many images and no label, for a segmentation model to begin with.

    image ── hidden squares (or noise) ──► autoencoder ──► image          loss: mean square of the error
                                            └─ down: the encoder ──► U-Net's `down` (nn.utils.transfer)

No bridges lead past the code, so the encoder must say in few numbers what stands where.  A plain
autoencoder may copy instead; hiding parts of the image asks for what belongs together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from minitorch_seg import functional as F
from minitorch_seg import nn, optim
from minitorch_seg.autograd import manual_seed
from minitorch_seg.data import DataLoader, transforms
from minitorch_seg.errors import UserError, nearest_name
from minitorch_seg.models import ConvAutoencoder, Denoising, Inpainting

TASKS = {"plain": lambda model: model, "denoising": Denoising, "inpainting": Inpainting}


def pretrain(
    dataset: Any,
    in_channels: int,
    *,
    task: str = "inpainting",
    steps: int = 500,
    base_channels: int = 16,
    depth: int = 3,
    batch_size: int = 8,
    lr: float = 0.01,
    transform: transforms.Transform | None = None,
    seed: int = 0,
    on_step: Callable[[int, float], None] | None = None,
) -> ConvAutoencoder:
    """A ConvAutoencoder trained on the images of a data set; its masks are never looked at.

    Args:
        dataset: images of one size, or a `transform` that crops them.
        in_channels: C of its images.
        task: "plain", "denoising" or "inpainting".
        steps, batch_size, lr: of AdamW, along half a cosine to zero.
        base_channels, depth: of the encoder, and of the U-Net that is to begin with it.
        transform: joint transform that normalises; default by each image's own mean, and nothing else.
        seed: of weights, order, holes and noise (it sets the package's generator).
        on_step: gets the number of each step, from 1, and its loss.

    Raises: UserError for an unknown task, or where the loss is no number any more.

    >>> import minitorch_seg as ms
    >>> images = ms.data.load("coins").train
    >>> crop = transforms.Compose([transforms.Normalize(), transforms.RandomCrop(16)])
    >>> type(pretrain(images, 1, steps=1, base_channels=2, depth=1, transform=crop).down).__name__
    'ModuleList'
    """
    if task not in TASKS:
        raise UserError(f"pretrain: there is no task {task!r}{nearest_name(task, TASKS)}")
    manual_seed(seed)
    autoencoder = ConvAutoencoder(in_channels, in_channels, base_channels, depth)
    model: nn.Module = TASKS[task](autoencoder)
    loader = DataLoader(
        dataset, batch_size, shuffle=True, transform=transform or transforms.Normalize(), seed=seed
    )
    optimizer = optim.AdamW(model.parameters(), lr=lr)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    model.train()
    step = 0
    while step < steps:
        for images, _ in loader:
            loss = F.mse_loss(model(images), images)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            step += 1
            if not math.isfinite(loss.item()):
                raise UserError(f"pretrain: the loss of step {step} is {loss.item()}; use a smaller lr")
            if on_step is not None:
                on_step(step, loss.item())
            if step == steps:
                break
    return autoencoder
