"""LayerNorm, GroupNorm, InstanceNorm2d against torch.nn."""

import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from tests.helpers import modules_agree


@pytest.mark.parametrize(
    "make",
    [
        lambda nn: nn.LayerNorm(5),
        lambda nn: nn.LayerNorm((4, 5), eps=0.01),
        lambda nn: nn.LayerNorm(5, elementwise_affine=False),
        lambda nn: nn.LayerNorm(5, bias=False),
        lambda nn: nn.GroupNorm(2, 6),
        lambda nn: nn.GroupNorm(6, 6, affine=False),
        lambda nn: nn.InstanceNorm2d(6),
        lambda nn: nn.InstanceNorm2d(6, affine=True, track_running_stats=True),
        lambda nn: nn.InstanceNorm2d(6, momentum=0.5, track_running_stats=True),
        lambda nn: nn.InstanceNorm2d(6, momentum=None, track_running_stats=True),
    ],
)
def test_torch(make):
    modules_agree(make, (3, 6, 4, 5))


def test_refuses():
    with pytest.raises(ShapeError, match=r"num_groups=4.*num_channels=6"):
        ms.nn.GroupNorm(4, 6)
    with pytest.raises(ShapeError, match="InstanceNorm2d"):
        ms.nn.InstanceNorm2d(3)(ms.zeros(1, 2, 4, 4))


def test_a_single_image():
    modules_agree(lambda nn: nn.InstanceNorm2d(6, affine=True, track_running_stats=True), (6, 4, 5))


def test_without_momentum_the_statistics_stay():
    layer = ms.nn.InstanceNorm2d(2, momentum=None, track_running_stats=True)
    layer(5 + ms.randn(2, 2, 3, 3))
    assert layer.running_mean.tolist() == [0, 0] and layer.running_var.tolist() == [1, 1]
