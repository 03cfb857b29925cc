"""Layers: modules with parameters around the operators, with PyTorch's names, arguments and state_dict."""

from minitorch_seg.nn import init, utils
from minitorch_seg.nn.activation import Dropout, Dropout2d, LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from minitorch_seg.nn.batch_norm import BatchNorm2d
from minitorch_seg.nn.containers import ModuleList, Sequential
from minitorch_seg.nn.conv import Conv2d, ConvTranspose2d
from minitorch_seg.nn.linear import Flatten, Identity, Linear
from minitorch_seg.nn.loss import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, DiceLoss, MSELoss, NLLLoss
from minitorch_seg.nn.module import Module, Parameter
from minitorch_seg.nn.pooling import MaxPool2d, Upsample
from minitorch_seg.nn.rnn import RNN

# fmt: off
__all__ = [  # noqa: RUF022
    "Module", "Parameter", "Sequential", "ModuleList",
    "Conv2d", "ConvTranspose2d", "Linear", "Flatten", "Identity", "RNN", "BatchNorm2d", "MaxPool2d",
    "Upsample", "Dropout", "Dropout2d",
    "ReLU", "Sigmoid", "Tanh", "Softmax", "LogSoftmax",
    "CrossEntropyLoss", "NLLLoss", "BCELoss", "BCEWithLogitsLoss", "MSELoss", "DiceLoss",
    "init", "utils",
]
