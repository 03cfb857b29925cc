"""Layers: modules with parameters around the operators, with PyTorch's names, arguments and state_dict.

A constructor takes the arguments of PyTorch 2.13 in the same order with the same defaults, without `device`
and `dtype`, and without `size_average` and `reduce`, which are deprecated; what stands behind one of these is
given by name.  `inplace` is accepted, and every input stays as it was.
"""

from minitorch_seg.nn import init, utils
from minitorch_seg.nn.activation import (
    ELU,
    GELU,
    Dropout,
    Dropout2d,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softmax2d,
    Softplus,
    Tanh,
)
from minitorch_seg.nn.batch_norm import BatchNorm1d, BatchNorm2d
from minitorch_seg.nn.containers import ModuleList, Sequential
from minitorch_seg.nn.conv import Conv2d, ConvTranspose2d
from minitorch_seg.nn.layer_norm import GroupNorm, InstanceNorm1d, InstanceNorm2d, LayerNorm
from minitorch_seg.nn.linear import Flatten, Identity, Linear
from minitorch_seg.nn.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    HuberLoss,
    JaccardLoss,
    L1Loss,
    LovaszSoftmaxLoss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
    TverskyLoss,
)
from minitorch_seg.nn.module import Module, Parameter
from minitorch_seg.nn.padding import (
    CircularPad2d,
    ConstantPad2d,
    ReflectionPad2d,
    ReplicationPad2d,
    ZeroPad2d,
)
from minitorch_seg.nn.pooling import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    Fold,
    MaxPool2d,
    MaxUnpool2d,
    PixelShuffle,
    PixelUnshuffle,
    Unfold,
    Upsample,
    UpsamplingBilinear2d,
    UpsamplingNearest2d,
)
from minitorch_seg.nn.rnn import GRU, LSTM, RNN

# fmt: off
__all__ = [  # noqa: RUF022
    "Module", "Parameter", "Sequential", "ModuleList",
    "Conv2d", "ConvTranspose2d", "Unfold", "Fold", "Linear", "Flatten", "Identity", "RNN", "GRU", "LSTM",
    "BatchNorm1d", "BatchNorm2d", "LayerNorm", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d",
    "Dropout", "Dropout2d",
    "MaxPool2d", "MaxUnpool2d", "AvgPool2d", "AdaptiveAvgPool2d", "PixelShuffle", "PixelUnshuffle",
    "Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d",
    "ZeroPad2d", "ConstantPad2d", "ReflectionPad2d", "ReplicationPad2d", "CircularPad2d",
    "ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Softplus", "LogSigmoid", "Sigmoid", "Tanh", "Softmax",
    "Softmax2d", "LogSoftmax",
    "CrossEntropyLoss", "NLLLoss", "BCELoss", "BCEWithLogitsLoss", "MSELoss", "L1Loss", "SmoothL1Loss",
    "HuberLoss",
    "DiceLoss", "JaccardLoss", "TverskyLoss", "LovaszSoftmaxLoss", "FocalLoss",
    "init", "utils",
]
