"""Exercises of lesson 06, training: a step of Adam, batch normalisation and its gradient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minitorch_seg.learn.exercise import Case, Exercise, Mistake, derivative_of

# -- 1: Adam -----------------------------------------------------------------------------------------------


def adam_step(theta, g, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    theta = theta - lr * m_hat / (np.sqrt(v_hat) + eps)
    return theta, m, v


def _adam_cases() -> Sequence[Case]:
    rng = np.random.default_rng(20)

    def case(what: str, t: int, eps: float, *size: int) -> Case:
        theta, g, m = (rng.standard_normal(size) for _ in range(3))
        m, v = (0 * m, 0 * m) if t == 1 else (m, rng.uniform(0.1, 1, size))
        return Case(what, theta, g, m, v, t=t, lr=0.1, beta1=0.9, beta2=0.99, eps=eps)

    return [
        case("the first step", 1, 1e-8, 4),
        case("the fifth step", 5, 1e-8, 2, 3),
        case("a large ε", 3, 0.1, 3),
    ]


def _adam(theta, g, m, v, lr, eps, m_new, v_new, m_hat, v_hat):
    return theta - lr * m_hat / (np.sqrt(v_hat) + eps), m_new, v_new


def _no_correction(theta, g, m, v, t, lr, beta1, beta2, eps):
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    return _adam(theta, g, m, v, lr, eps, m, v, m, v)


def _eps_inside(theta, g, m, v, t, lr, beta1, beta2, eps):
    _, m, v = adam_step(theta, g, m, v, t, lr, beta1, beta2, eps)
    return theta - lr * m / (1 - beta1**t) / np.sqrt(v / (1 - beta2**t) + eps), m, v


def _uphill(theta, g, m, v, t, lr, beta1, beta2, eps):
    return adam_step(theta, g, m, v, t, -lr, beta1, beta2, eps)


def _returns_corrected(theta, g, m, v, t, lr, beta1, beta2, eps):
    theta, m, v = adam_step(theta, g, m, v, t, lr, beta1, beta2, eps)
    return theta, m / (1 - beta1**t), v / (1 - beta2**t)


def _sums_up(theta, g, m, v, t, lr, beta1, beta2, eps):
    m, v = beta1 * m + g, beta2 * v + g**2
    return _adam(theta, g, m, v, lr, eps, m, v, m / (1 - beta1**t), v / (1 - beta2**t))


# -- 2: the gradient of batch normalisation -----------------------------------------------------------------


def batch_norm_backward(g, x, gamma, eps):
    s = np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) / s
    dgamma = (g * x_hat).sum(axis=0)
    dbeta = g.sum(axis=0)
    dx = gamma / s * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))
    return dx, dgamma, dbeta


def _normalised(x, gamma, beta, eps):
    return gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps) + beta


def _norm_truth(g, x, gamma, eps):
    return derivative_of(_normalised, wanted=[0, 1, 2])(g, x, gamma, np.zeros_like(gamma), eps=eps)


def _norm_cases() -> Sequence[Case]:
    rng = np.random.default_rng(21)
    normal = rng.standard_normal
    return [
        Case("6 examples, 3 channels", normal((6, 3)), normal((6, 3)), normal(3), eps=1e-5),
        Case("as many channels as examples", normal((4, 4)), 3 + 5 * normal((4, 4)), normal(4), eps=0.1),
    ]


def _parts(g, x, gamma, eps):
    s = np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) / s
    return s, x_hat, (g * x_hat).sum(axis=0), g.sum(axis=0)


def _constants(g, x, gamma, eps):
    s, x_hat, dgamma, dbeta = _parts(g, x, gamma, eps)
    return gamma / s * g, dgamma, dbeta


def _mean_only(g, x, gamma, eps):
    s, x_hat, dgamma, dbeta = _parts(g, x, gamma, eps)
    return gamma / s * (g - g.mean(axis=0)), dgamma, dbeta


def _no_gamma(g, x, gamma, eps):
    dx, dgamma, dbeta = batch_norm_backward(g, x, np.ones_like(gamma), eps)
    return dx, dgamma, dbeta


def _gamma_of_x(g, x, gamma, eps):
    dx, _, dbeta = batch_norm_backward(g, x, gamma, eps)
    return dx, (g * x).sum(axis=0), dbeta


# -- 3: a bug to hunt --------------------------------------------------------------------------------------


def batch_norm(x, gamma, beta, eps):
    mean = x.mean(axis=(0, 2, 3), keepdims=True)
    variance = x.var(axis=(0, 2, 3), keepdims=True)
    x_hat = (x - mean) / np.sqrt(variance + eps)
    return gamma[:, None, None] * x_hat + beta[:, None, None]


def _forward_cases() -> Sequence[Case]:
    normal = np.random.default_rng(22).standard_normal
    return [
        Case("a single image", normal((1, 2, 3, 4)), normal(2), normal(2), eps=1e-5),
        Case("a batch", 2 + normal((3, 2, 3, 2)), normal(2), normal(2), eps=1e-5),
        Case("as many images as channels", normal((2, 2, 2, 3)), normal(2), normal(2), eps=0.1),
    ]


def _over(x, gamma, beta, eps, axes, ddof=0):
    mean, variance = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True, ddof=ddof)
    return gamma[:, None, None] * (x - mean) / np.sqrt(variance + eps) + beta[:, None, None]


EXERCISES = [
    Exercise(
        "06.adam_step",
        "one step of Adam",
        adam_step,
        _adam_cases,
        (
            Mistake(
                "no bias correction",
                _no_correction,
                "m and v begin at 0 and are too small at first: divide m by 1 − β₁ᵗ and v by 1 − β₂ᵗ",
            ),
            Mistake("ε in the root", _eps_inside, "ε is added to the root, not to what stands under it"),
            Mistake("uphill", _uphill, "the step goes uphill: it is subtracted"),
            Mistake(
                "keeps the corrected",
                _returns_corrected,
                "you hand on the corrected m; the correction is for this step only, the running mean stays",
            ),
            Mistake(
                "sum for mean",
                _sums_up,
                "m is a running mean: the new gradient comes in with the weight 1 − β₁ (and g² with 1 − β₂)",
            ),
        ),
        outputs=("theta", "m", "v"),
    ),
    Exercise(
        "06.batch_norm_backward",
        "three paths through a normalisation",
        batch_norm_backward,
        _norm_cases,
        (
            Mistake(
                "mean and variance as constants",
                _constants,
                "the mean and the variance depend on x as well: two paths are missing",
            ),
            Mistake(
                "forgot the variance", _mean_only, "the path through the variance is missing: −x̂ · mean(g x̂)"
            ),
            Mistake("forgot gamma", _no_gamma, "γ is missing: g reaches x̂ through a multiplication by γ"),
            Mistake("x for x̂", _gamma_of_x, "γ multiplies the normalised x̂, not x"),
            Mistake(
                "sign", lambda g, x, gamma, eps: tuple(-a for a in batch_norm_backward(g, x, gamma, eps))
            ),
        ),
        outputs=("dx", "dgamma", "dbeta"),
        truth=_norm_truth,
    ),
    Exercise(
        "06.batch_norm",
        "batch normalisation of images, with a bug",
        batch_norm,
        _forward_cases,
        (
            Mistake(
                "each image by itself",
                lambda x, gamma, beta, eps: _over(x, gamma, beta, eps, (2, 3)),
                "each image is normalised by itself (that is instance norm); batch norm takes mean and "
                "variance over all images of the batch together",
            ),
            Mistake(
                "all channels together",
                lambda x, gamma, beta, eps: _over(x, gamma, beta, eps, None),
                "one mean for all channels together; each channel has its own",
            ),
            Mistake(
                "n − 1",
                lambda x, gamma, beta, eps: _over(x, gamma, beta, eps, (0, 2, 3), ddof=1),
                "the variance is divided by n − 1; here, as in PyTorch's forward pass, it is by n",
            ),
        ),
        planted=True,
    ),
]
