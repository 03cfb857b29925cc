"""Adam and AdamW against torch.optim over 20 steps."""

import pytest

import minitorch_seg as ms
from tests.optim.trajectories import same_trajectory


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"betas": (0.5, 0.9)},
        {"eps": 0.1},
        {"weight_decay": 0.3},
        {"amsgrad": True},
        {"amsgrad": True, "weight_decay": 0.1, "maximize": True, "betas": (0.0, 0.5)},
    ],
    ids=str,
)
def test_torch(name, options, dtype):
    same_trajectory(name, dtype, lr=0.02, **options)


def test_decoupled_weight_decay_makes_adam_adamw():
    same_trajectory("Adam", weight_decay=0.3, decoupled_weight_decay=True)


def test_defaults_are_pytorch_s():
    same_trajectory("AdamW")
    same_trajectory("Adam")


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@pytest.mark.parametrize(
    "words, options",
    [
        ("lr", {"lr": -1.0}),
        ("eps", {"eps": -1.0}),
        ("betas", {"betas": (0.9, 1.0)}),
        ("betas", {"betas": (0.9,)}),
        ("betas", {"betas": (0, 0.9)}),
        ("weight_decay", {"weight_decay": -0.1}),
    ],
)
def test_refuses(name, words, options):
    with pytest.raises(ValueError, match=f"{name}: {words}"):
        getattr(ms.optim, name)([ms.zeros(1, requires_grad=True)], **options)
