"""PatchCNN: convolution → pooling → dense says what a patch's centre is; slid over an image, it segments.

    patch (N, C, S, S)
      │ convolution 3×3, relu
    (N, B, S-2, S-2)
      │ max-pool 2
    (N, B, P, P)                   P = (S-2)//2
      │ convolution 3×3, relu
    (N, 2B, P-2, P-2)
      │ max-pool 2
    (N, 2B, k, k)                  k = (P-2)//2
      │ flatten, dense, relu
    (N, D)
      │ dense
    logits (N, K)

(B = base_channels = 32, D = hidden = 1024.)  With S = 224, C = 3 and K = 1 this is the documented network:
of its 191 million parameters all but 20 thousand belong to the first dense layer, which has one weight for
each place of the last map.  One number for a whole image is a classification.  It becomes a segmentation
when it is asked for each pixel: cut out the patch around it, and let the network say what the pixel in the
middle is (Ciresan et al., 2012). The pixel in the middle of S is number S//2, and an image is continued by
repeating its border.

Nobody builds it so any more.  At 224 × 224 × 3 the weights take 0.8 GB, and with gradients and Adam's two
averages 3 GB; a training step of 32 images peaks at 5.5 GiB and takes 9 s on one thread of a busy machine
(forward 0.7, backward 2.7, Adam 5.5), more than half of it for moving weights, whatever the batch.  A U-Net
has a four-hundredth of the weights.  To segment, a transform of the dense layer is kept besides: at this size
2 GB for an image of 128 × 128 pixels, 5 GB for a large one.

To ask patch by patch is `sliding_window`; it computes nearly everything S·S times over, since neighbouring
patches overlap.  `fully_convolutional` computes each number once.  Its layers have the same weights, and
give the same numbers:

    patch by patch             the whole image at once
    convolution 3×3            the same
    max-pool 2, stride 2       max-pool 2, stride 1: the maxima of all patches, of odd and even ones
    convolution 3×3            with dilation 2: neighbours within a patch now stand 2 apart
    max-pool 2, stride 2       with dilation 2, stride 1
    flatten, dense             convolution k×k with dilation 4
    dense                      convolution 1×1

Training shows every class as often as any other (data.PatchLoader), so what the network learns is
p(k | patch) as if all classes were equally frequent.  By Bayes' rule, with the true shares π_k of the pixels,

    log p_π(k | patch) = logit_k + log π_k + constant

Patches keep the plain logits; the three ways to segment add log π (`set_prior`; zero to begin with).  Without
it rare classes are seen everywhere.  Ciresan et al. calibrate their network's answers for the same reason.

`segment` is the same without gradients: there the k×k convolution, nearly all of the work that is left,
goes through Fourier transforms (fourier.py).

Flattening: PyTorch flattens (N, 2B, k, k) channel by channel, Keras (N, k, k, 2B) pixel by pixel, so the
columns of the dense layer's weight come in another order.  flatten="CHW" is PyTorch's, flatten="HWC"
Keras's.  From one to the other: weight.reshape(D, 2B, k, k).transpose(0, 2, 3, 1).reshape(D, -1); a Keras
kernel is the transpose of this.

Ciresan, Giusti, Gambardella and Schmidhuber, "Deep neural networks segment neuronal membranes in electron
microscopy images", 2012; Sermanet et al., "OverFeat", 2014; Giusti et al., "Fast image scanning with deep
max-pooling convolutional neural networks", 2013 (by shift-and-stitch; dilation needs none).
"""

from __future__ import annotations

import zlib

import numpy as np

from minitorch_seg import functional as F
from minitorch_seg import nn
from minitorch_seg.autograd import Tensor, no_grad
from minitorch_seg.errors import ShapeError
from minitorch_seg.io import to_array
from minitorch_seg.models.blocks import check_images, check_sizes
from minitorch_seg.models.fourier import FourierWeight

#: Below this a k×k convolution is as quick without Fourier transforms.
SMALLEST_FOR_FOURIER = 4
#: The tile of the Fourier transforms is at most so large, or 5/2 of the kernel.
LARGEST_TILE = 32


class PatchCNN(nn.Module):
    """The documented network: patches (N, in_channels, size, size) → logits (N, num_classes).

    Args:
        in_channels: C, of the image.
        num_classes: K; 1 for one logit of foreground against background, as in the documented example.
        size: S, the side of a patch, at least 10.  The documented example has 224.
        base_channels: B, the channels of the first convolution; the second has twice as many.
        hidden: D, the width of the first dense layer.
        flatten: "CHW", PyTorch's order, or "HWC", Keras's.

    All weights begin as He et al. (2015) derived for relu, biases at zero.

    The documented call, where x_train has shape (n, 3, 224, 224) and y_train (n, 1), zeros and ones:

        model = ms.models.PatchCNN(3, 1, size=224)
        trainer = ms.Trainer(model, "binary_cross_entropy_with_logits", "adam", metrics=["accuracy"])
        trainer.fit(x_train, y_train, batch_size=32, epochs=10, validation_data=(x_test, y_test))

    >>> import minitorch_seg as ms
    >>> model = ms.models.PatchCNN(3, 2, size=12, base_channels=2, hidden=8)
    >>> model(ms.zeros(5, 3, 12, 12)).shape, model.segment(ms.zeros(1, 3, 30, 21)).shape
    ((5, 2), (1, 2, 30, 21))
    """

    smallest = 10  # side of a patch that leaves one pixel of the last map

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 1,
        size: int = 32,
        base_channels: int = 32,
        hidden: int = 1024,
        flatten: str = "CHW",
    ):
        super().__init__()
        widths = {"in_channels": in_channels, "num_classes": num_classes, "base_channels": base_channels}
        check_sizes("PatchCNN", **widths, hidden=hidden)
        if size < self.smallest:
            raise ShapeError(f"PatchCNN: size must be at least {self.smallest}, found {size}")
        if flatten not in ("CHW", "HWC"):
            raise ValueError(f"PatchCNN: flatten must be 'CHW' or 'HWC', found {flatten!r}")
        self.in_channels, self.size, self.flatten = in_channels, size, flatten
        self.side = ((size - 2) // 2 - 2) // 2
        self.conv1 = nn.Conv2d(in_channels, base_channels, 3)
        self.conv2 = nn.Conv2d(base_channels, 2 * base_channels, 3)
        self.dense = nn.Linear(2 * base_channels * self.side**2, hidden)
        self.head = nn.Linear(hidden, num_classes)
        for layer in (self.conv1, self.conv2, self.dense, self.head):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        self.register_buffer("log_prior", Tensor(np.zeros(num_classes, np.float32)))
        self._prepared: tuple[tuple, FourierWeight] | None = None

    def set_prior(self, pixels: np.ndarray) -> None:
        """Let segmentations count with the true shares of the classes: pixels (K,), how many each has.

        A class without pixels is taken to have one.  Of a single logit (K = 1) `pixels` holds background and
        foreground, and the logit gets log π_1 − log π_0.
        """
        share = np.maximum(np.asarray(pixels, np.float64), 1)
        logs = np.log(share / share.sum())
        known = self.log_prior.shape[0]
        if len(logs) != max(known, 2):
            raise ShapeError(
                f"PatchCNN: {known} logits need a prior of {max(known, 2)} classes, not {len(logs)}"
            )
        logs = logs[1:] - logs[:1] if known == 1 else logs
        self.log_prior.data[...] = logs
        self.log_prior.bump_version()

    def forward(self, x: Tensor) -> Tensor:
        check_images("PatchCNN", x, self.in_channels)
        if x.shape[2:] != (self.size, self.size):
            raise ShapeError(
                f"PatchCNN: input has shape {x.shape}, expected patches (N, {self.in_channels}, {self.size}, "
                f"{self.size}); segment(images) takes images of any size"
            )
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x if self.flatten == "CHW" else x.permute(0, 2, 3, 1)
        return self.head(F.relu(self.dense(x.flatten(1))))

    def sliding_window(self, images: Tensor, batch_size: int = 64) -> Tensor:
        """Images (N, C, H, W) → logits (N, K, H, W), a patch for each pixel: slow, and plainly right."""
        framed = to_array(self._framed(images))
        n, _, height, width = images.shape
        patches = np.lib.stride_tricks.sliding_window_view(framed, (self.size, self.size), axis=(2, 3))
        logits = []
        with no_grad():
            places = np.stack(np.unravel_index(np.arange(n * height * width), (n, height, width)), axis=1)
            for first in range(0, len(places), batch_size):
                image, row, column = places[first : first + batch_size].T
                batch = Tensor(np.ascontiguousarray(patches[image, :, row, column])).to(images.device)
                logits.append(to_array(self(batch) + self.log_prior))
        maps = np.concatenate(logits).reshape(n, height, width, -1).transpose(0, 3, 1, 2)
        return Tensor(maps).to(images.device)

    def fully_convolutional(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) → logits (N, K, H, W): the same numbers, each computed once, with gradients."""
        x = self._maps(images)
        x = F.relu(F.conv2d(x, self._dense_kernel(), self.dense.bias, dilation=4))
        bias = self.head.bias + self.log_prior
        return F.conv2d(x, self.head.weight.reshape(*self.head.weight.shape, 1, 1), bias)

    def segment(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) → logits (N, K, H, W): the same numbers, without gradients.

        The transform of the dense layer's weights is kept until they change.  On a GPU, and for small k, it
        is `fully_convolutional`.
        """
        with no_grad():
            if self.side < SMALLEST_FOR_FOURIER or images.device != "cpu":
                return self.fully_convolutional(images)
            maps = self._maps(images).data.transpose(0, 2, 3, 1)
        n, _, height, width = images.shape
        # What stands 4 apart belongs together: 16 maps of a quarter of the height and width.
        rows, columns = -(-height // 4) + self.side - 1, -(-width // 4) + self.side - 1
        phases = np.zeros((n, 4, 4, rows, columns, maps.shape[3]), maps.dtype)
        for i in range(4):
            for j in range(4):
                part = maps[:, i::4, j::4]
                phases[:, i, j, : part.shape[1], : part.shape[2]] = part
        bias, head = self.dense.bias.data, np.ascontiguousarray(self.head.weight.data.T)
        logits = np.zeros((n * 16, -(-height // 4), -(-width // 4), head.shape[1]), maps.dtype)
        kernel = self._fourier(max(rows, columns))
        for places, results, sums in kernel.correlate(phases.reshape(n * 16, rows, columns, -1)):
            sums += bias[results]
            scores = np.maximum(sums, 0, out=sums) @ head[results]
            for number, (image, top, left) in enumerate(places):
                part = logits[image, top : top + scores.shape[0], left : left + scores.shape[1]]
                part += scores[: part.shape[0], : part.shape[1], number]
        logits = logits.reshape(n, 4, 4, *logits.shape[1:]).transpose(0, 5, 3, 1, 4, 2)
        merged = logits.reshape(n, head.shape[1], 4 * logits.shape[2], 4 * logits.shape[4])
        bias = self.head.bias.data + self.log_prior.data
        return Tensor(merged[:, :, :height, :width] + bias[:, np.newaxis, np.newaxis])

    def _maps(self, images: Tensor) -> Tensor:
        """What the dense layer is given, for all patches at once; neighbours of a patch stand 4 apart."""
        x = F.max_pool2d(F.relu(self.conv1(self._framed(images))), 2, stride=1)
        x = F.relu(F.conv2d(x, self.conv2.weight, self.conv2.bias, dilation=2))
        x = F.max_pool2d(x, 2, stride=1, dilation=2)
        needed = [side + 4 * (self.side - 1) for side in images.shape[2:]]
        return x[:, :, : needed[0], : needed[1]]

    def _dense_kernel(self) -> Tensor:
        """The first dense layer's weight as that of a convolution, (D, 2B, k, k)."""
        side, channels = self.side, self.conv2.weight.shape[0]
        if self.flatten == "CHW":
            return self.dense.weight.reshape(-1, channels, side, side)
        return self.dense.weight.reshape(-1, side, side, channels).permute(0, 3, 1, 2)

    def _fourier(self, length: int) -> FourierWeight:
        """The transformed weight for maps of `length` pixels; tiles in steps of 8 serve many sizes."""
        tile = min(length + -length % 8, max(LARGEST_TILE, 5 * self.side // 2))
        # A checksum, since whoever writes into weight.data changes no version; it costs little beside maps.
        key = (tile, zlib.crc32(np.ascontiguousarray(self.dense.weight.data).data.cast("B")))
        if self._prepared is None or self._prepared[0] != key:
            self._prepared = key, FourierWeight(self._dense_kernel().data, tile)
        return self._prepared[1]

    def _framed(self, images: Tensor) -> Tensor:
        check_images("PatchCNN", images, self.in_channels)
        before, after = self.size // 2, self.size - 1 - self.size // 2
        return F.pad(images, (before, after, before, after), mode="replicate")
