"""Activations other than relu, elementwise, and their gradients: `ops/activation.py` derives them.

A formula takes x, or the gradient g and what was kept of the forward pass: y for Sigmoid and Tanh, x for the
others; behind them the activation's options.
"""

import math
from collections.abc import Callable

import numpy as np


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.absolute(x)))


def normal_cdf(x: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr  # imported where it is used: SciPy is slow to import

    return np.asarray(ndtr(x), x.dtype, like=x)


#: name -> (y, dL/dx)
FORMULAS: dict[str, tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]] = {
    "Sigmoid": (_sigmoid, lambda g, y: g * y * (1 - y)),
    "Tanh": (np.tanh, lambda g, y: g * (1 - y * y)),
    "LeakyRelu": (
        lambda x, slope: np.where(x > 0, x, slope * x),
        lambda g, x, slope: np.where(x > 0, g, slope * g),
    ),
    "Elu": (
        lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
        lambda g, x, alpha: np.where(x > 0, g, g * (alpha * np.exp(np.minimum(x, 0)))),
    ),
    "Softplus": (
        lambda x, beta, threshold: np.where(beta * x > threshold, x, _softplus(beta * x) / beta),
        lambda g, x, beta, threshold: np.where(beta * x > threshold, g, g * _sigmoid(beta * x)),
    ),
    "Silu": (lambda x: x * _sigmoid(x), lambda g, x: g * _sigmoid(x) * (1 + x * _sigmoid(-x))),
    "Gelu": (
        lambda x: x * normal_cdf(x),
        lambda g, x: g * (normal_cdf(x) + x * np.exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))),
    ),
}


def activation(name: str, x: np.ndarray, *options: float) -> np.ndarray:
    """y = f(x), any shape, with the formula of that name."""
    return np.asarray(FORMULAS[name][0](x, *options), like=x)


def activation_gradient(name: str, grad: np.ndarray, seen: np.ndarray, *options: float) -> np.ndarray:
    """dL/dx = grad·f'(x), where `seen` is y = f(x) for Sigmoid and Tanh, x for the others."""
    with np.errstate(all="ignore"):
        return np.asarray(FORMULAS[name][1](grad, seen, *options), like=seen)
