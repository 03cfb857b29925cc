"""Gradients of gradients of gradients: composed functions to third order, through the twins of fused
operators.
"""

import numpy as np
import pytest

import minitorch_seg as ms
from tests.helpers import OURS, close, theirs


def normal(seed, *shape):
    return 0.5 * np.random.default_rng(seed).standard_normal(shape)


def convolutional(L, x, w, g, b):
    """Convolution, batch norm, a smooth activation, mean pooling, cross-entropy."""
    y = L.batch_norm(L.conv2d(x, w, padding=1), None, None, g, b, training=True, eps=0.1)
    return L.cross_entropy(L.avg_pool2d(L.silu(y), 2), L.tensor([[[0, 1]]]))


def recurrent(L, x, h, w_xh, w_hh):
    """A recurrence, layer norm, softmax."""
    if L is OURS:
        states = L.rnn(x, h, w_xh, w_hh)
    else:
        steps = []
        for step in x:
            h = L.tanh(step @ w_xh.T + h @ w_hh.T)
            steps.append(h)
        states = L.stack(steps)
    return L.softmax(L.layer_norm(states, (2,), eps=0.1), 2) * states


def dense(L, x, w, v):
    """Products, a smooth activation, log-softmax, a standard deviation, logsumexp."""
    hidden = L.gelu(L.linear(x, w))
    return L.log_softmax(hidden @ v, 1).std(0) + hidden.logsumexp(1).sum()


def resampled(L, x):
    """Bilinear resizing, pixels from channels, a power."""
    return L.pixel_shuffle(L.interpolate(x, (3, 2), mode="bilinear").tanh(), 2) ** 3


CASES = {
    convolutional: [(1, 1, 2, 4), (2, 1, 3, 3), (2,), (2,)],
    recurrent: [(2, 1, 2), (1, 2), (2, 2), (2, 2)],
    dense: [(3, 2), (3, 2), (3, 2)],
    resampled: [(1, 4, 2, 2)],
}
EACH = pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)


@EACH
def test_central_differences_of_the_second_gradient(function):
    arrays = [normal(k, *shape) for k, shape in enumerate(CASES[function])]
    report = ms.gradcheck(
        lambda *t: function(OURS, *t), arrays, order=3, max_jacobian=0, directions=2, name=function.__name__
    )
    assert report.compared >= 6


#: PyTorch 2.13's third derivative of a batch or layer norm is wrong: it differs from central differences of
#: its own second one, which are ours.
COMPARABLE = {convolutional: 2, recurrent: 2, dense: 3, resampled: 3}


@EACH
def test_pytorch(function):
    """f, <f', u>, <f'', u, v> and <f''', u, v, w> for random directions."""
    library = theirs()
    torch = library.modules[1]
    arrays = [normal(k, *shape) for k, shape in enumerate(CASES[function])]

    def derivatives(L, engine, make):
        tensors = [make(a) for a in arrays]
        for t in tensors:
            t.requires_grad = True
        value = (function(L, *tensors) ** 2).sum()
        found = [value.item()]
        for order in range(1, COMPARABLE[function] + 1):
            grads = engine(value, tensors, create_graph=True)
            value = sum((g * make(normal(9 * order + k, *g.shape))).sum() for k, g in enumerate(grads))
            found.append(value.item())
        return found

    ours = derivatives(OURS, ms.grad, ms.tensor)
    close(ours, derivatives(library, torch.autograd.grad, torch.tensor), tolerance=1e-9)


def test_a_mistake_that_only_the_third_order_shows_is_caught():
    """First and second derivative of x⁴ are right; the second one is cut off from x."""

    class Fourth(ms.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.data**4

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return Slope.apply(x, grad)

    class Slope(ms.Function):
        @staticmethod
        def forward(ctx, x, grad):
            ctx.save_for_backward(x, grad)
            return 4 * x.data**3 * grad.data

        @staticmethod
        def backward(ctx, v):
            x, grad = ctx.saved_tensors
            return v * grad * ms.from_numpy(12 * x.data**2), v * 4 * x**3

    x = normal(0, 3)
    ms.gradcheck(Fourth.apply, x, order=2)
    with pytest.raises(ms.GradcheckError, match="gradient of gradient of Fourth"):
        ms.gradcheck(Fourth.apply, x, order=3)
