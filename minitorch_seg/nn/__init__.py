"""Layers: modules with parameters around the operators, with PyTorch's names, arguments and state_dict."""

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
    Softplus,
    Tanh,
)
from minitorch_seg.nn.batch_norm import BatchNorm2d
from minitorch_seg.nn.containers import ModuleList, Sequential
from minitorch_seg.nn.conv import Conv2d, ConvTranspose2d
from minitorch_seg.nn.layer_norm import GroupNorm, InstanceNorm2d, LayerNorm
from minitorch_seg.nn.linear import Flatten, Identity, Linear
from minitorch_seg.nn.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    DiceLoss,
    HuberLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
)
from minitorch_seg.nn.module import Module, Parameter
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
)
from minitorch_seg.nn.rnn import GRU, LSTM, RNN

# fmt: off
__all__ = [  # noqa: RUF022
    "Module", "Parameter", "Sequential", "ModuleList",
    "Conv2d", "ConvTranspose2d", "Unfold", "Fold", "Linear", "Flatten", "Identity", "RNN", "GRU", "LSTM",
    "BatchNorm2d", "LayerNorm", "GroupNorm", "InstanceNorm2d", "Dropout", "Dropout2d",
    "MaxPool2d", "MaxUnpool2d", "AvgPool2d", "AdaptiveAvgPool2d", "Upsample", "PixelShuffle",
    "PixelUnshuffle",
    "ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Softplus", "LogSigmoid", "Sigmoid", "Tanh", "Softmax",
    "LogSoftmax",
    "CrossEntropyLoss", "NLLLoss", "BCELoss", "BCEWithLogitsLoss", "MSELoss", "L1Loss", "SmoothL1Loss",
    "HuberLoss",
    "DiceLoss",
    "init", "utils",
]
