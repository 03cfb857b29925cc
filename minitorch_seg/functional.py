"""Every public operator, by family: the table of contents of `ops/`.

An operator's file, ops/NAME.py or that of its family, reads as a small chapter: formula, derivation, forward
and backward, and the function that you call.  `minitorch-seg show NAME` prints it.

Arguments are those of PyTorch 2.13, in the same order with the same defaults; `inplace`, and what is
deprecated there, is left out.  What PyTorch refuses is refused, by a ValueError or a TypeError.  Some things
are stricter here: the operands of layers and losses are float32 or float64, all of one dtype, and losses do
not broadcast.  Arrays and lists are taken for tensors where PyTorch wants tensors.
"""

from minitorch_seg.ops.activation import (
    elu,
    gelu,
    leaky_relu,
    logsigmoid,
    relu,
    sigmoid,
    silu,
    softplus,
    tanh,
)
from minitorch_seg.ops.avg_pool2d import adaptive_avg_pool2d, avg_pool2d
from minitorch_seg.ops.batch_norm import batch_norm, batch_norm_relu
from minitorch_seg.ops.binary_cross_entropy import binary_cross_entropy, binary_cross_entropy_with_logits
from minitorch_seg.ops.conv2d import conv2d
from minitorch_seg.ops.conv_transpose2d import conv_transpose2d
from minitorch_seg.ops.convolve2d import convolve2d, documented_convolution
from minitorch_seg.ops.cross_entropy import cross_entropy, nll_loss
from minitorch_seg.ops.dice_loss import dice_loss
from minitorch_seg.ops.dropout import dropout, dropout2d
from minitorch_seg.ops.focal_loss import focal_loss
from minitorch_seg.ops.gru import gru, lstm
from minitorch_seg.ops.interpolate import interpolate
from minitorch_seg.ops.l1_loss import huber_loss, l1_loss, smooth_l1_loss
from minitorch_seg.ops.layer_norm import group_norm, instance_norm, layer_norm
from minitorch_seg.ops.lovasz_softmax import lovasz_softmax
from minitorch_seg.ops.matmul import linear
from minitorch_seg.ops.max_pool2d import max_pool2d
from minitorch_seg.ops.max_unpool2d import max_unpool2d
from minitorch_seg.ops.mse_loss import mse_loss, reconstruction_loss
from minitorch_seg.ops.pad import pad
from minitorch_seg.ops.pixel_shuffle import pixel_shuffle, pixel_unshuffle
from minitorch_seg.ops.rnn import rnn
from minitorch_seg.ops.soft_ncut import soft_ncut_loss
from minitorch_seg.ops.softmax import log_softmax, softmax
from minitorch_seg.ops.tversky_loss import jaccard_loss, tversky_loss
from minitorch_seg.ops.unfold import fold, unfold

# fmt: off
__all__ = [  # noqa: RUF022  (by family, not by letter)
    # convolution
    "conv2d", "conv_transpose2d", "convolve2d", "documented_convolution", "unfold", "fold",
    # pooling, resampling, frames
    "max_pool2d", "max_unpool2d", "avg_pool2d", "adaptive_avg_pool2d",
    "interpolate", "pixel_shuffle", "pixel_unshuffle", "pad",
    # normalisation
    "batch_norm", "batch_norm_relu", "layer_norm", "group_norm", "instance_norm", "dropout", "dropout2d",
    # activations
    "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "logsigmoid", "sigmoid", "tanh",
    "softmax", "log_softmax",
    # dense and recurrent
    "linear", "rnn", "gru", "lstm",
    # losses
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "nll_loss", "focal_loss",
    "dice_loss", "jaccard_loss", "tversky_loss", "lovasz_softmax", "soft_ncut_loss",
    "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "reconstruction_loss",
]
