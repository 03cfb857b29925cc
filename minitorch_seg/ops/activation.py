"""Activations: relu and its relatives, sigmoid and its relatives, all elementwise (g = dL/dy).

    relu        y = max(x, 0)                        dL/dx = g where x > 0, else 0     (0 at the kink)
    leaky_relu  y = x where x > 0, else a x          dL/dx = g where x > 0, else a g
    elu         y = x where x > 0, else a (eˣ − 1)   dL/dx = g where x > 0, else g a eˣ
    sigmoid     y = 1 / (1 + e⁻ˣ)                    dL/dx = g y (1 − y)
    tanh        y = tanh x                           dL/dx = g (1 − y²)
    softplus    y = log(1 + e^{βx}) / β              dL/dx = g sigmoid(βx)
    logsigmoid  y = −softplus(−x), with β = 1        dL/dx = g sigmoid(−x)
    silu        y = x s, s = sigmoid(x)              dL/dx = g s (1 + x (1 − s)),  1 − s = sigmoid(−x)
    gelu        y = x Φ(x)                           dL/dx = g (Φ(x) + x φ(x))

Φ is the distribution function of the normal distribution and φ = Φ' its density; a is `negative_slope` for
leaky_relu and `alpha` for elu.

Sigmoid of a very negative x overflows in e⁻ˣ, to ∞, and 1/(1 + ∞) = 0 is the right answer.  (½ (1 +
tanh(x/2)) never overflows, but in float32 it is 0 already at x = −20, where the logarithm still matters.)
Softplus is computed as max(x, 0) + log(1 + e^{−|x|}), because there an overflow would stay; where βx >
threshold it is x itself.

Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010 (relu); Maas, Hannun
and Ng, "Rectifier nonlinearities improve neural network acoustic models", 2013 (leaky relu); Clevert,
Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential linear units", 2016 (elu);
Dugas et al., "Incorporating second-order functional knowledge for better option pricing", 2001 (softplus);
Hendrycks and Gimpel, "Gaussian error linear units", 2016 (gelu, silu).
"""

from __future__ import annotations

import math
from typing import Any

from minitorch_seg.autograd import Function, Tensor, is_grad_enabled
from minitorch_seg.kernels import dispatch
from minitorch_seg.kernels.reference.activation import normal_cdf
from minitorch_seg.ops.cast import as_tensor, float_tensor, refuse_bool, to_float
from minitorch_seg.ops.selection import where
from minitorch_seg.ops.typed import typed


class Relu(Function):
    @staticmethod
    def forward(ctx, x):
        y = dispatch.get("relu", x.data).relu(x.data)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return ReluGradient.apply(grad, y.detach())


class ReluGradient(Function):
    """g where y > 0, else 0.  Linear in g and its own adjoint; y only chooses, and has the gradient 0."""

    @staticmethod
    def forward(ctx, grad, y):
        ctx.save_for_backward(y)
        return dispatch.get("relu", y.data).relu_gradient(grad.data, y.data)

    @staticmethod
    def backward(ctx, v):
        (y,) = ctx.saved_tensors
        return ReluGradient.apply(v, y), None


class Activation(Function):
    """y = f(x) and dL/dx, one kernel each: kernels/reference/activation.py has both formulas under the name
    of the class.  The gradient of a gradient needs dL/dx in operators: `gradient`, of y for Sigmoid and Tanh,
    of x for the others.
    """

    @staticmethod
    def forward(ctx, x, *options):
        ctx.options = options
        y = dispatch.get("activation", x.data).activation(ctx.name, x.data, *options)
        ctx.save_for_backward(y if ctx.name in ("Sigmoid", "Tanh") else x)
        return y

    @staticmethod
    def backward(ctx, grad):
        (seen,) = ctx.saved_tensors
        if is_grad_enabled():
            dx = ctx.function.gradient(grad, seen, *ctx.options)
        else:
            kernel = dispatch.get("activation", grad.data)
            dx = kernel.activation_gradient(ctx.name, grad.data, seen.data, *ctx.options)
        return dx, *[None] * len(ctx.options)


class Sigmoid(Activation):
    @staticmethod
    def gradient(grad, y):
        return grad * y * (1 - y)


class Tanh(Activation):
    @staticmethod
    def gradient(grad, y):
        return grad * (1 - y * y)


class LeakyRelu(Activation):
    @staticmethod
    def gradient(grad, x, slope):
        return where(x > 0, grad, grad * slope)


class Elu(Activation):
    """Both branches take e^min(x, 0): e^x of a large x, which is not chosen, would overflow."""

    @staticmethod
    def gradient(grad, x, alpha):
        return where(x > 0, grad, grad * (alpha * x.clamp(max=0).exp()))


class Softplus(Activation):
    """log(1 + e^{βx})/β, and x itself where βx is larger than the threshold."""

    @staticmethod
    def gradient(grad, x, beta, threshold):
        return where(x * beta > threshold, grad, grad * sigmoid(x * beta))


class Silu(Activation):
    @staticmethod
    def gradient(grad, x):
        return grad * sigmoid(x) * (1 + x * sigmoid(-x))


class Gelu(Activation):
    """x Φ(x); its derivative Φ(x) + x φ(x), with φ(x) = e^{−x²/2} / √(2π)."""

    @staticmethod
    def gradient(grad, x):
        return grad * (NormalCdf.apply(x) + x * _normal_density(x))


class NormalCdf(Function):
    """Φ(x), whose derivative is φ(x): it gives gelu its second derivative."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return normal_cdf(x.data)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * _normal_density(x)


def _normal_density(x: Tensor) -> Tensor:
    return (x * x * -0.5).exp() * (1 / math.sqrt(2 * math.pi))


def relu(input: Any) -> Tensor:
    """max(input, 0), elementwise (Nair and Hinton, 2010).

    Returns: the input's shape and dtype.  A NaN stays a NaN.

    Raises: DTypeError for bools.

    >>> import minitorch_seg as ms
    >>> ms.functional.relu(ms.tensor([-1.0, 0.0, 2.0]))
    tensor([0., 0., 2.])
    """
    return Relu.apply(refuse_bool("relu", as_tensor(input)))


def sigmoid(input: Any) -> Tensor:
    """1 / (1 + e^−input), elementwise: a logit becomes a probability.

    Returns: the input's shape and float type; float32 for integers and bools.

    >>> import minitorch_seg as ms
    >>> ms.tensor([-1000.0, 0.0, 1000.0]).sigmoid()
    tensor([0. , 0.5, 1. ])
    """
    return Sigmoid.apply(to_float(input))


def tanh(input: Any) -> Tensor:
    """The hyperbolic tangent, elementwise.

    Returns: the input's shape and float type; float32 for integers and bools.

    >>> import minitorch_seg as ms
    >>> ms.tensor([-1000.0, 0.0, 1000.0]).tanh()
    tensor([-1.,  0.,  1.])
    """
    return Tanh.apply(to_float(input))


@typed
def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(beta · input)) / beta, elementwise: a smooth relu (Dugas et al., 2001).

    Where beta · input > threshold it is the input itself.

    Returns: the input's shape and dtype.

    Raises: DTypeError unless the input is float32 or float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.softplus(ms.tensor([0.0, 100.0]))
    tensor([  0.6931, 100.    ])
    """
    return Softplus.apply(float_tensor("softplus", input), float(beta), float(threshold))


def logsigmoid(input: Any) -> Tensor:
    """log sigmoid(input), elementwise, without underflow.

    Returns: the input's shape and dtype.

    Raises: DTypeError unless the input is float32 or float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.logsigmoid(ms.tensor([-200.0, 0.0]))
    tensor([-200.    ,   -0.6931])
    """
    return -Softplus.apply(-float_tensor("logsigmoid", input), 1.0, math.inf)


@typed
def leaky_relu(input: Any, negative_slope: float = 0.01) -> Tensor:
    """input where it is positive, negative_slope · input elsewhere (Maas, Hannun and Ng, 2013).

    Returns: the input's shape and dtype.

    Raises: DTypeError unless the input is float32 or float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.leaky_relu(ms.tensor([-1.0, 2.0]), 0.1)
    tensor([-0.1,  2. ])
    """
    return LeakyRelu.apply(float_tensor("leaky_relu", input), float(negative_slope))


@typed
def elu(input: Any, alpha: float = 1.0) -> Tensor:
    """input where it is positive, alpha · (e^input − 1) elsewhere (Clevert et al., 2016).

    Returns: the input's shape and dtype.

    Raises: DTypeError unless the input is float32 or float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.elu(ms.tensor([-100.0, 0.0, 2.0]))
    tensor([-1.,  0.,  2.])
    """
    return Elu.apply(float_tensor("elu", input), float(alpha))


def silu(input: Any) -> Tensor:
    """input · sigmoid(input), elementwise (Hendrycks and Gimpel, 2016; also called swish).

    Returns: the input's shape and dtype.

    Raises: DTypeError unless the input is float32 or float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.silu(ms.tensor([-100.0, 0.0, 100.0]))
    tensor([ -0.,   0., 100.])
    """
    return Silu.apply(float_tensor("silu", input))


@typed
def gelu(input: Any, approximate: str = "none") -> Tensor:
    """input · Φ(input), elementwise, Φ the normal distribution function (Hendrycks and Gimpel, 2016).

    Args:
        approximate: "none", or "tanh" for  x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))).

    Returns: the input's shape and dtype.

    Raises: ValueError for another `approximate`; DTypeError unless the input is float32 or float64.

    >>> import minitorch_seg as ms
    >>> ms.functional.gelu(ms.tensor([-100.0, 0.0, 100.0]))
    tensor([ -0.,   0., 100.])
    """
    x = float_tensor("gelu", input)
    if approximate == "none":
        return Gelu.apply(x)
    if approximate != "tanh":
        raise ValueError(f"gelu: approximate {approximate!r} is unknown: use 'none' or 'tanh'")
    return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
