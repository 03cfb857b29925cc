"""RMSprop against torch.optim over 20 steps."""

import math

import pytest

import minitorch_seg as ms
from tests.optim.trajectories import same_trajectory


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"alpha": 0.5},
        {"momentum": 0.9},
        {"centered": True},
        {"weight_decay": 0.2, "maximize": True},
        {"momentum": 0.5, "centered": True, "eps": 0.01},
    ],
    ids=str,
)
def test_torch(options, dtype):
    same_trajectory("RMSprop", dtype, lr=0.01, **options)


def test_refuses():
    with pytest.raises(ValueError, match="RMSprop: alpha"):
        ms.optim.RMSprop([ms.zeros(1, requires_grad=True)], alpha=-0.1)


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_formula(centered, momentum):
    """One number, step by step, from the formulas alone."""
    gradients, lr, alpha, eps, decay = (0.5, -2.0, 1e-3, 3.0, 0.25), 0.1, 0.8, 1e-3, 0.05
    w = ms.tensor([1.5], dtype="float64", requires_grad=True)
    optimizer = ms.optim.RMSprop([w], lr, alpha, eps, decay, momentum, centered)
    theta, v, mean, b = 1.5, 0.0, 0.0, 0.0
    for gradient in gradients:
        w.grad = ms.tensor([gradient], dtype="float64")
        optimizer.step()
        g = gradient + decay * theta
        v = alpha * v + (1 - alpha) * g**2
        mean = alpha * mean + (1 - alpha) * g
        spread = math.sqrt(v - mean**2 if centered else v) + eps
        b = momentum * b + g / spread
        theta -= lr * b
        assert w.item() == pytest.approx(theta, rel=1e-12)


def test_the_first_step_hardly_depends_on_the_size_of_the_gradient():
    for size in (1e-3, 1.0, 1e3):
        w = ms.tensor([0.0], requires_grad=True)
        w.grad = ms.tensor([size])
        ms.optim.RMSprop([w], lr=0.01).step()
        assert w.item() == pytest.approx(-0.1, rel=1e-3)  # lr / √(1 − α)


@pytest.mark.parametrize("option", ["lr", "eps", "weight_decay", "momentum", "alpha"])
def test_refuses_negative_options(option):
    with pytest.raises(ValueError, match=f"RMSprop: {option}"):
        ms.optim.RMSprop([ms.zeros(1, requires_grad=True)], **{option: -0.5})
