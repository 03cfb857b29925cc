"""BatchNorm2d against torch.nn: running statistics, momentum, modes, refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from tests.helpers import modules_agree


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.3, "eps": 0.01},
        {"momentum": None},
        {"affine": False},
        {"track_running_stats": False},
    ],
    ids=str,
)
def test_torch(options):
    modules_agree(lambda nn: nn.BatchNorm2d(3, **options), (4, 3, 5, 6), steps=3)


def test_evaluation_does_not_move_the_statistics():
    layer = ms.nn.BatchNorm2d(2).eval()
    layer(ms.randn(3, 2, 4, 4))
    assert layer.running_mean.tolist() == [0, 0] and layer.num_batches_tracked.item() == 0
    layer.train()(ms.randn(3, 2, 4, 4))
    assert layer.num_batches_tracked.item() == 1 and any(layer.running_mean.tolist())


def test_a_single_image_in_evaluation():
    layer = ms.nn.BatchNorm2d(2).eval()
    y = layer(ms.ones(1, 2, 1, 1))
    np.testing.assert_allclose(y.data, 1 / np.sqrt(1 + 1e-5), rtol=1e-6)


def test_refuses():
    with pytest.raises(ShapeError, match="BatchNorm2d"):
        ms.nn.BatchNorm2d(2)(ms.zeros(3, 2))
    with pytest.raises(ShapeError, match=r"\(2,\).*3 channels"):
        ms.nn.BatchNorm2d(2)(ms.zeros(1, 3, 4, 4))
    with pytest.raises(ShapeError, match="variance"):
        ms.nn.BatchNorm2d(2)(ms.zeros(1, 2, 1, 1))
