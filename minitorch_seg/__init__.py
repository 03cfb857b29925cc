"""minitorch_seg: a deep-learning framework for image segmentation, small enough to be read in a weekend.

    import minitorch_seg as ms

    x = ms.tensor([[1.0, 2.0]], requires_grad=True)
    (x ** 2).sum().backward()
    x.grad                                      # tensor([[2., 4.]])

Rooms: `kernels` (arrays in, arrays out), `autograd` (the engine), `ops` (the operators; `functional` lists
them), `nn`, `optim`, `io`, `models`, `metrics`, `data`, `plot`, `train`, `bench`, `cli`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as _np

from minitorch_seg import functional, nn, optim
from minitorch_seg.autograd import (
    Function,
    Generator,
    Tensor,
    backward,
    checkpoint,
    default_generator,
    detect_anomaly,
    enable_grad,
    grad,
    gradcheck,
    hvp,
    is_grad_enabled,
    jacobian,
    jvp,
    manual_seed,
    no_grad,
    result_type,
    set_grad_enabled,
    tensor,
    vjp,
)
from minitorch_seg.errors import (
    DataError,
    DTypeError,
    GradcheckError,
    MinitorchSegError,
    ShapeError,
    UserError,
)
from minitorch_seg.kernels.buffers import release_memory
from minitorch_seg.kernels.dispatch import set_conv_algorithm, set_kernels
from minitorch_seg.kernels.parallel import get_num_threads, set_num_threads
from minitorch_seg.ops import tensor_methods as _tensor_methods
from minitorch_seg.ops.arithmetic import abs, add, div, floor_divide, mul, neg, pow, remainder, sub
from minitorch_seg.ops.cast import as_tensor
from minitorch_seg.ops.cat import cat, chunk, split, stack
from minitorch_seg.ops.comparison import (
    all,
    any,
    eq,
    ge,
    gt,
    isfinite,
    isnan,
    le,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    ne,
)
from minitorch_seg.ops.creation import (
    arange,
    eye,
    from_numpy,
    full,
    full_like,
    ones,
    ones_like,
    rand,
    randn,
    zeros,
    zeros_like,
)
from minitorch_seg.ops.einsum import einsum
from minitorch_seg.ops.exponential import exp, log, log1p, sqrt
from minitorch_seg.ops.indexing import gather, index_select
from minitorch_seg.ops.matmul import matmul
from minitorch_seg.ops.reduction import amax, amin, argmax, argmin, cumsum, logsumexp, mean, std, sum, var
from minitorch_seg.ops.selection import clamp, masked_fill, maximum, minimum, where
from minitorch_seg.ops.shape import (
    broadcast_to,
    flatten,
    flip,
    permute,
    reshape,
    roll,
    squeeze,
    transpose,
    unsqueeze,
)
from minitorch_seg.ops.softmax import log_softmax, softmax
from minitorch_seg.profiling import profile

_tensor_methods.install()

__version__ = "0.1.0"

float32, float64 = _np.dtype(_np.float32), _np.dtype(_np.float64)
int32, int64, uint8 = _np.dtype(_np.int32), _np.dtype(_np.int64), _np.dtype(_np.uint8)
bool = _np.dtype(_np.bool_)

relu, sigmoid, tanh = functional.relu, functional.sigmoid, functional.tanh

# Imported when first used: they need more libraries than arithmetic does.
_LAZY_MODULES = (
    "baselines", "data", "io", "kernels", "metrics", "models", "plot", "train", "unsupervised"
)  # fmt: skip
_LAZY_NAMES = {"Trainer": "minitorch_seg.train", "History": "minitorch_seg.train"}

if TYPE_CHECKING:
    from minitorch_seg import baselines, data, io, kernels, metrics, models, plot, train, unsupervised
    from minitorch_seg.train import History, Trainer


def __getattr__(name: str) -> Any:
    if name in _LAZY_MODULES:
        return importlib.import_module(f"minitorch_seg.{name}")
    if name in _LAZY_NAMES:
        return getattr(importlib.import_module(_LAZY_NAMES[name]), name)
    raise AttributeError(f"module 'minitorch_seg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY_MODULES, *_LAZY_NAMES])


# fmt: off
__all__ = [  # noqa: RUF022  (by room, not by letter)
    "Tensor", "tensor", "Function", "no_grad", "enable_grad", "set_grad_enabled", "is_grad_enabled",
    "backward", "grad", "gradcheck", "vjp", "jvp", "jacobian", "hvp", "checkpoint",
    "detect_anomaly", "profile",
    "Generator", "default_generator", "manual_seed", "result_type", "float32", "float64", "int32",
    "int64", "uint8", "bool",
    "functional", "nn", "optim", "models", "unsupervised", "baselines", "metrics", "data", "plot", "io",
    "train", "kernels",
    "Trainer", "History",
    "set_kernels", "set_conv_algorithm", "set_num_threads", "get_num_threads",
    "release_memory",
    "DataError", "DTypeError", "GradcheckError", "MinitorchSegError", "ShapeError", "UserError",
    "abs", "add", "sub", "mul", "div", "floor_divide", "remainder", "neg", "pow", "exp", "log", "log1p",
    "sqrt", "relu", "sigmoid", "tanh", "softmax", "log_softmax",
    "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor", "logical_not",
    "isnan", "isfinite", "any", "all",
    "where", "masked_fill", "clamp", "maximum", "minimum",
    "sum", "mean", "var", "std", "amax", "amin", "argmax", "argmin", "logsumexp", "cumsum",
    "reshape", "flatten", "permute", "transpose", "squeeze", "unsqueeze", "broadcast_to", "flip", "roll",
    "gather", "index_select", "cat", "stack", "split", "chunk", "matmul", "einsum",
    "zeros", "ones", "full", "zeros_like", "ones_like", "full_like", "arange", "eye", "rand", "randn",
    "from_numpy", "as_tensor",
]
