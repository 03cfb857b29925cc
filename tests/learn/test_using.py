"""learn.using: a student's operators compute the training, agree with ours, and are gone afterwards."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg import functional as F
from minitorch_seg import learn
from minitorch_seg.errors import UserError
from minitorch_seg.kernels.reference.conv2d import conv2d, conv2d_weight_gradient
from minitorch_seg.kernels.reference.conv_transpose2d import conv_transpose2d


def own_conv2d(x, w, b, s, p):
    CALLS.append("forward")
    return conv2d(x, w, b, (s, s), (p, p), (1, 1), 1)


def own_conv2d_backward(g, x, w, s, p):
    CALLS.append("backward")
    options = (s, s), (p, p), (1, 1), 1
    dx = conv_transpose2d(g, w, None, x.shape[2:], *options)
    return dx, conv2d_weight_gradient(x, g, w.shape[2:], *options), g.sum((0, 2, 3))


def own_max_pool2d(x, k, s):
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), (2, 3))[:, :, ::s, ::s]
    return windows.max((-1, -2))


def own_max_pool2d_backward(g, x, k, s):
    dx = np.zeros_like(x)
    for n, c, Y, X in np.ndindex(g.shape):
        window = x[n, c, s * Y : s * Y + k, s * X : s * X + k]
        i, j = np.unravel_index(window.argmax(), window.shape)
        dx[n, c, s * Y + i, s * X + j] += g[n, c, Y, X]
    return dx


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def own_cross_entropy(z, t):
    return -np.log(np.take_along_axis(softmax(z), t[:, None], 1)).mean()


def own_cross_entropy_backward(z, t):
    return (softmax(z) - (t[:, None] == np.arange(z.shape[1])[:, None, None])) / t.size


def own_adam(theta, g, m, v, t, lr, beta1, beta2, eps):
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
    return theta - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps), m, v


OWN = {
    "conv2d": (own_conv2d, own_conv2d_backward),
    "max_pool2d": (own_max_pool2d, own_max_pool2d_backward),
    "cross_entropy": (own_cross_entropy, own_cross_entropy_backward),
    "relu": (lambda x: np.maximum(x, 0), lambda g, x: g * (x > 0)),
    "Adam": own_adam,
}
CALLS: list[str] = []


def train(**own):
    with learn.using(**own):
        model, losses = learn.train_on_coins(steps=2, batch_size=2, base_channels=2)
    return losses, model.head.weight.detach().numpy()


@pytest.fixture(scope="module", autouse=True)
def plain_kernels():
    """NumPy's kernels: nothing has to be compiled for these small trainings."""
    ms.set_kernels("reference")
    yield
    ms.set_kernels("auto")


@pytest.fixture(scope="module")
def ours(plain_kernels):
    return train()


@pytest.mark.parametrize("name", OWN)
def test_each_operator_alone_trains_the_same_network(name, ours):
    CALLS.clear()
    losses, weights = train(**{name: OWN[name]})
    np.testing.assert_allclose(losses, ours[0], rtol=1e-4)
    np.testing.assert_allclose(weights, ours[1], rtol=1e-3, atol=1e-4)
    if name == "conv2d":  # five double convolutions and the head, two steps
        assert CALLS.count("forward") == 22 and CALLS.count("backward") == 22


def test_all_together(ours):
    losses, _ = train(**OWN)
    np.testing.assert_allclose(losses, ours[0], rtol=1e-4)


def test_a_wrong_gradient_trains_another_network(ours):
    def twice(g, x, w, s, p):
        dx, dw, db = own_conv2d_backward(g, x, w, s, p)
        return dx, -dw, db

    losses, _ = train(conv2d=(own_conv2d, twice))
    assert losses[0] == pytest.approx(ours[0][0], rel=1e-5) and losses[1] != pytest.approx(
        ours[0][1], rel=1e-3
    )


def test_functions_of_tensors_and_of_the_engine_may_stand_in():
    class Half(ms.Function):
        @staticmethod
        def forward(ctx, x):
            return x.data / 2

        @staticmethod
        def backward(ctx, grad):
            return grad / 2

    for own in (Half, lambda x: x / 2):
        x = ms.tensor([4.0], requires_grad=True)
        with learn.using(relu=own):
            y = F.relu(x)
        y.backward()
        assert y.item() == 2 and x.grad.item() == 0.5


def test_ours_are_back_after_an_error():
    before = F.conv2d, ms.optim.Adam
    with pytest.raises(ZeroDivisionError), learn.using(conv2d=OWN["conv2d"], Adam=own_adam):
        assert F.conv2d is not before[0] and ms.optim.Adam is not before[1]
        raise ZeroDivisionError
    assert (F.conv2d, ms.optim.Adam) == before


X, W = np.ones((1, 1, 3, 3)), ms.tensor(np.ones((1, 1, 2, 2)), requires_grad=True)


@pytest.mark.parametrize(
    "own, call, words",
    [
        ({"conv": OWN["conv2d"]}, lambda: None, "did you mean conv2d"),
        ({"conv2d": (own_conv2d,)}, lambda: None, "a pair of functions"),
        ({"conv2d": 3}, lambda: None, "conv2d is int"),
        ({"conv2d": OWN["conv2d"]}, lambda: F.conv2d(X, W, dilation=2), "no dilation"),
        ({"conv2d": OWN["conv2d"]}, lambda: F.conv2d(X, W, stride=(1, 2)), "one number for the stride"),
        ({"conv2d": (lambda *a: None, own_conv2d)}, lambda: F.conv2d(X, W), "forward returned None"),
        (
            {"conv2d": (own_conv2d, lambda g, x, w, s, p: (x, w))},
            lambda: F.conv2d(ms.tensor(X), W).sum().backward(),
            "returned 2 gradients, expected 3",
        ),
        ({"max_pool2d": OWN["max_pool2d"]}, lambda: F.max_pool2d(X, 3, padding=1), "a window and a stride"),
        ({"Adam": lambda *a: a[0]}, lambda: learn.train_on_coins(1, base_channels=2), "theta, m and v"),
        ({"cross_entropy": OWN["cross_entropy"]}, lambda: F.cross_entropy(X, X, weight=W), "not weight"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_in_a_sentence(own, call, words):
    with pytest.raises(UserError, match=words), learn.using(**own):
        call()
