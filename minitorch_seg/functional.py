"""Every public operator, by family.  Each name's file, ops/NAME.py or its family's, reads as a small
chapter."""

from minitorch_seg.ops.activation import logsigmoid, relu, sigmoid, softplus, tanh
from minitorch_seg.ops.batch_norm import batch_norm
from minitorch_seg.ops.binary_cross_entropy import binary_cross_entropy, binary_cross_entropy_with_logits
from minitorch_seg.ops.conv2d import conv2d
from minitorch_seg.ops.conv_transpose2d import conv_transpose2d
from minitorch_seg.ops.convolve2d import convolve2d, documented_convolution
from minitorch_seg.ops.cross_entropy import cross_entropy, nll_loss
from minitorch_seg.ops.dice_loss import dice_loss
from minitorch_seg.ops.dropout import dropout, dropout2d
from minitorch_seg.ops.interpolate import interpolate
from minitorch_seg.ops.matmul import linear
from minitorch_seg.ops.max_pool2d import max_pool2d
from minitorch_seg.ops.mse_loss import mse_loss, reconstruction_loss
from minitorch_seg.ops.pad import pad
from minitorch_seg.ops.rnn import rnn
from minitorch_seg.ops.softmax import log_softmax, softmax

# fmt: off
__all__ = [  # noqa: RUF022  (by family, not by letter)
    # convolution
    "conv2d", "conv_transpose2d", "convolve2d", "documented_convolution",
    # pooling, resampling, frames
    "max_pool2d", "interpolate", "pad",
    # normalisation
    "batch_norm", "dropout", "dropout2d",
    # activations
    "relu", "sigmoid", "tanh", "softplus", "logsigmoid", "softmax", "log_softmax",
    # dense and recurrent
    "linear", "rnn",
    # losses
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "nll_loss",
    "dice_loss", "mse_loss",
    "reconstruction_loss",
]
