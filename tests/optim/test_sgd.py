"""SGD against torch.optim over 20 steps."""

import pytest

import minitorch_seg as ms
from tests.optim.trajectories import same_trajectory


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "dampening": 0.3},
        {"weight_decay": 0.1},
        {"momentum": 0.5, "weight_decay": 0.1, "maximize": True},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01, "maximize": True},
    ],
    ids=str,
)
def test_torch(options, dtype):
    same_trajectory("SGD", dtype, lr=0.05, **options)


@pytest.mark.parametrize(
    "words, options",
    [
        ("lr", {"lr": -0.1}),
        ("momentum", {"momentum": -1.0}),
        ("weight_decay", {"weight_decay": -1.0}),
        ("nesterov", {"nesterov": True}),
        ("nesterov", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}),
        ("lr", {"lr": float("nan")}),
    ],
)
def test_refuses(words, options):
    with pytest.raises(ValueError, match=f"SGD.*{words}"):
        ms.optim.SGD([ms.zeros(1, requires_grad=True)], **options)
