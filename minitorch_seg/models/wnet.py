"""W-Net: a U-Net that cuts an image into segments, and one that paints the image from the segments alone.

    image x (N, C, H, W)                                        x̂ (N, C, H, W)
      │ U-Net                                                      ▲ U-Net
    logits (N, K, H, W) ── softmax ──► p (N, K, H, W) ─────────────┘
                                       │
                                       └──► soft normalised cut of x by p

    L = J(p) + λ · mean (x − x̂)²                                 no labels

J (ops/soft_ncut.py) wants alike neighbours in one segment; the reconstruction wants the segments to tell
what is in the image.  The paper takes a step for J and a step for both in turn; here they are one sum.  In
the words of the source text's objective min_Q Σ ‖x − Q(y)‖², y is the segmentation and Q paints it.

Segments have numbers but no names.  `matching` says which segment is which class, once somebody has compared
them with labels (metrics.match_segments); it is saved with the weights and changes the order of the logits.

Xia and Kulis, "W-Net: a deep model for fully unsupervised image segmentation", 2017 (its post-processing, a
conditional random field and merging, is left out; so are its separable convolutions, its dropout, and its
K = 64 segments: here K is the number of classes, so the cut must hold all by itself).

A finding.  J as the mean over images punishes a class that an image lacks: of an aerial image with four of
the five classes the true segmentation costs 1.16, k-means .85, five vertical stripes .28.  With the batch as
one graph (reduction="batch") truth costs .48 over 16 images, k-means .52, stripes .26, and one segment an
image nothing.  What tells them apart is the reconstruction, so λ should be large.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg import nn
from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import UserError
from minitorch_seg.models.unet import UNet
from minitorch_seg.ops.indexing import index_select
from minitorch_seg.ops.soft_ncut import soft_ncut_loss


class WNet(nn.Module):
    """Images (N, in_channels, H, W) of any size → logits (N, num_classes, H, W) of segments.

    Args:
        in_channels: C, of the image.
        num_classes: K, the number of segments.
        base_channels, depth: of both U-Nets.
        reconstruction_weight: λ.
        affinity: radius, color_scale, distance_scale, reduction of functional.soft_ncut_loss; images are
            expected normalised, by the data set where colour says what a thing is.

    Train it by `objective`; as Trainer knows it, with the images for targets:
    Trainer(model, model.objective, …).fit(x, x).

    >>> import minitorch_seg as ms
    >>> model = ms.models.WNet(1, 3, base_channels=2, depth=1)
    >>> x = ms.rand(1, 1, 6, 8)
    >>> model(x).shape, model.reconstruct(model(x)).shape, model.objective(model(x), x).shape
    ((1, 3, 6, 8), (1, 1, 6, 8), ())
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        base_channels: int = 16,
        depth: int = 3,
        reconstruction_weight: float = 1.0,
        affinity: dict[str, Any] | None = None,
    ):
        super().__init__()
        self.encoder = UNet(in_channels, num_classes, base_channels, depth)
        self.decoder = UNet(num_classes, in_channels, base_channels, depth)
        self.reconstruction_weight, self.affinity = reconstruction_weight, dict(affinity or {})
        self.register_buffer("matching", Tensor(np.arange(num_classes)))

    def forward(self, x: Tensor) -> Tensor:
        return index_select(self.encoder(x), 1, self.matching)

    def reconstruct(self, logits: Tensor) -> Tensor:
        """x̂ of the logits that a call gave."""
        segments = index_select(logits, 1, Tensor(np.argsort(self.matching.data)))
        return self.decoder(F.softmax(segments, 1))

    def objective(self, logits: Tensor, images: Tensor) -> Tensor:
        """L = J(softmax(logits)) + λ · mean (x − x̂)²."""
        error = F.mse_loss(self.reconstruct(logits), images)
        return (
            soft_ncut_loss(F.softmax(logits, 1), images, **self.affinity) + self.reconstruction_weight * error
        )

    def name_segments(self, class_of_segment: np.ndarray) -> None:
        """From now on logit k is that of class k.

        class_of_segment: (K,), as `metrics.match_segments` found it from the logits as they are now.
        Raises: UserError unless each class has one segment.
        """
        found = np.asarray(class_of_segment)
        if sorted(found.tolist()) != list(range(len(self.matching))):
            raise UserError(
                f"WNet: {found.tolist()} does not give each of the {len(self.matching)} segments a class of "
                "its own; match as many classes as there are segments"
            )
        self.matching.data = self.matching.data[np.argsort(found)]
