"""Clustering of one image by a network that learns from its own answers.

    image (1, C, H, W)
      │ 3×3 convolution, relu, batch norm, `layers` times
    (1, F, H, W)
      │ 1×1 convolution, batch norm
    response r (1, F, H, W) ── argmax over F ──► label c (1, H, W)
                            └─ differences of neighbours

    L = CE(r, c) + μ (mean |r(y+1, x) − r(y, x)| + mean |r(y, x+1) − r(y, x)|)

The first term asks for more of what the network answers already, so that alike pixels agree; the second asks
neighbours to agree; the batch norm of the response keeps one label from winning everywhere, since each
channel has mean 0 and variance 1 over the image.  Labels die out one by one; what is left when few are, or
after the last step, is the segmentation.  There is no training set: each image has a network of its own,
and segments of two images have no numbers in common.

This is the form of 2020.  The form of 2018, which lets super-pixels agree instead of neighbours, is left out.
The networks here are smaller than the papers', and the steps fewer.

Kanezaki, "Unsupervised image segmentation by backpropagation", 2018; Kim, Kanezaki and Tanaka, "Unsupervised
learning of image segmentation based on differentiable feature clustering", 2020 (the continuity term).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg import nn, optim
from minitorch_seg.autograd import Tensor, default_generator
from minitorch_seg.errors import DataError, ShapeError
from minitorch_seg.io import to_array
from minitorch_seg.models.blocks import check_sizes


class ResponseNet(nn.Module):
    """(N, in_channels, H, W) → responses (N, channels, H, W), normalised channel by channel.

    >>> import minitorch_seg as ms
    >>> ResponseNet(3, channels=8)(ms.rand(1, 3, 5, 6)).shape
    (1, 8, 5, 6)
    """

    def __init__(self, in_channels: int, channels: int = 32, layers: int = 2):
        super().__init__()
        check_sizes("ResponseNet", in_channels=in_channels, channels=channels, layers=layers)
        body: list[nn.Module] = []
        for layer in range(layers):
            convolution = nn.Conv2d(channels if layer else in_channels, channels, 3, padding=1)
            body += [convolution, nn.ReLU(), nn.BatchNorm2d(channels)]
        self.body = nn.Sequential(*body)
        self.head = nn.Conv2d(channels, channels, 1)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.head(self.body(x)))


def continuity(response: Tensor) -> Tensor:
    """mean |r(y+1, x) − r(y, x)| + mean |r(y, x+1) − r(y, x)|; an image of one row or column has one term.

    >>> import minitorch_seg as ms
    >>> continuity(ms.tensor([[[[0.0, 1.0], [0.0, 3.0]]]])).item()
    3.0
    """
    pairs = (response[:, :, 1:], response[:, :, :-1]), (response[:, :, :, 1:], response[:, :, :, :-1])
    terms = [F.l1_loss(a, b) for a, b in pairs if a.numel()]
    return sum(terms[1:], terms[0]) if terms else response.sum() * 0.0


def cluster_image(
    image: Any,
    *,
    channels: int = 32,
    layers: int = 2,
    steps: int = 100,
    min_labels: int = 3,
    weight: float = 5.0,
    lr: float = 0.1,
    seed: int = 0,
) -> np.ndarray:
    """The segments of one image, int64 (H, W), numbered from 0 by falling size.

    Args:
        image: (C, H, W), normalised; a tensor or an array.
        channels: F, the number of labels at the start.
        layers: how many 3×3 convolutions.
        steps: of gradient descent with momentum 0.9, at most.
        min_labels: stop when no more labels than this are left.
        weight: μ, of the continuity.
        lr: learning rate.
        seed: of the initial weights; the package's generator is left as it was.

    Raises: ShapeError unless the image is (C, H, W) of two pixels or more; DataError for NaN or infinity;
    ValueError for steps or min_labels below 1.

    >>> image = np.zeros((1, 8, 8), np.float32); image[:, 2:6, 2:6] = 1
    >>> cluster_image(image, steps=2, channels=4).shape
    (8, 8)
    """
    x = to_array(image)
    if x.ndim != 3 or x.shape[0] < 1 or x.shape[1] * x.shape[2] < 2:
        raise ShapeError(
            f"cluster_image: the image has shape {x.shape}, expected (C, H, W) of at least two pixels"
        )
    if not np.isfinite(x).all():
        raise DataError("cluster_image: the image holds NaN or infinity; mend it first")
    if min(steps, min_labels) < 1:
        raise ValueError(f"cluster_image: {steps=} and {min_labels=} must be at least 1")
    batch = Tensor(x[np.newaxis].astype(np.float32))
    state = default_generator.get_state()
    default_generator.manual_seed(seed)
    model = ResponseNet(x.shape[0], channels, layers)
    default_generator.set_state(state)
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    for _ in range(steps):
        response = model(batch)
        labels = response.data.argmax(axis=1)
        if len(np.unique(labels)) <= min_labels:
            break
        loss = F.cross_entropy(response, Tensor(labels)) + weight * continuity(response)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    else:
        labels = model(batch).data.argmax(axis=1)
    _, number, sizes = np.unique(labels[0], return_inverse=True, return_counts=True)
    return np.argsort(np.argsort(-sizes, kind="stable"))[number].reshape(x.shape[1:])
