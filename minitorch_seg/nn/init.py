"""Initialisation: numbers to begin with, drawn so that signals neither fade nor explode from layer to layer.

For a sum y = Σ w x of fan_in terms, with independent w and x and w of mean 0:

    Var y = fan_in · Var w · E x²

* Xavier (Glorot and Bengio, 2010): Var w = 2 / (fan_in + fan_out), a compromise that keeps the variance of
  signals forwards and of gradients backwards where the activation is nearly linear.
* He (He et al., 2015): relu halves E x², so Var w = 2 / fan_in.

A uniform distribution on [−a, a] has variance a²/3.  A function whose name ends in _ changes its argument in
place and returns it.

Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010; He et
al., "Delving deep into rectifiers", 2015.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minitorch_seg.autograd import Generator, Tensor, default_generator

GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2.0)}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much the standard deviation of the weights grows to make up for an activation.

    >>> calculate_gain("relu") == math.sqrt(2)
    True
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in GAINS:
        raise ValueError(
            f"calculate_gain: nonlinearity {nonlinearity!r} is unknown: "
            f"use {', '.join([*GAINS, 'leaky_relu'])}"
        )
    return GAINS[nonlinearity]


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (out, in, kh, kw): how many terms a sum has forwards and backwards.

    >>> fans((8, 3, 5, 5))
    (75, 200)
    """
    if len(shape) < 2:
        raise ValueError(f"fan_in and fan_out need a weight of at least two dimensions, found {shape}")
    kernel = math.prod(shape[2:])
    return shape[1] * kernel, shape[0] * kernel


def _fill(tensor: Tensor, values: Any) -> Tensor:
    tensor.data[...] = values
    tensor.bump_version()
    return tensor


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one number, in place."""
    return _fill(tensor, val)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0, in place."""
    return _fill(tensor, 0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1, in place."""
    return _fill(tensor, 1)


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform on [a, b), in place."""
    return _fill(tensor, (generator or default_generator).uniform(tensor.shape, a, b, np.float64))


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Normal with this mean and standard deviation, in place."""
    return _fill(tensor, (generator or default_generator).normal(tensor.shape, mean, std, np.float64))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform on ±gain·√(6 / (fan_in + fan_out)), in place (Glorot and Bengio, 2010)."""
    bound = gain * math.sqrt(6 / sum(fans(tensor.shape)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with standard deviation gain·√(2 / (fan_in + fan_out)), in place (Glorot and Bengio, 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor.shape))), generator)


def _fan(tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode {mode!r} is unknown: use 'fan_in' or 'fan_out'")
    return fans(tensor.shape)[mode == "fan_out"]


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform on ±gain·√(3 / fan), in place (He et al., 2015).

    Args:
        tensor: a weight (out, in, …).
        a: leaky_relu's slope; 0 is relu.
        mode: "fan_in" keeps the variance of signals, "fan_out" that of gradients.
        nonlinearity: the activation that follows, for the gain; see calculate_gain.
        generator: where the random numbers come from; default: the one that ms.manual_seed seeds.

    >>> import minitorch_seg as ms
    >>> w = ms.nn.init.kaiming_uniform_(ms.zeros(64, 6), nonlinearity="relu")
    >>> bool(w.abs().max().item() <= 1), bool(w.abs().max().item() > 0.9)
    (True, True)
    """
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / _fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal with standard deviation gain / √fan, in place; arguments as kaiming_uniform_."""
    return normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)), generator)


def default_uniform_(tensor: Tensor, fan_in: int) -> Tensor:
    """What PyTorch's layers begin with: uniform on ±1/√fan_in."""
    bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
    return uniform_(tensor, -bound, bound)
