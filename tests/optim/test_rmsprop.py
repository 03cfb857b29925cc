"""RMSprop against torch.optim over 20 steps."""

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
