"""Pooling and resampling as modules: the arguments arrive in the right order."""

import pytest

import minitorch_seg as ms
from tests.helpers import modules_agree


@pytest.mark.parametrize(
    "make",
    [
        lambda nn: nn.MaxPool2d(2),
        lambda nn: nn.MaxPool2d(3, 2, 1, 1, False, True),
        lambda nn: nn.MaxPool2d(kernel_size=(2, 3), stride=(1, 2), dilation=2),
        lambda nn: nn.AvgPool2d(3, 2, 1, True, False),
        lambda nn: nn.AvgPool2d(2, divisor_override=3),
        lambda nn: nn.AdaptiveAvgPool2d((3, 2)),
        lambda nn: nn.Upsample(scale_factor=2),
        lambda nn: nn.Upsample((5, 9), mode="bilinear", align_corners=True),
        lambda nn: nn.PixelShuffle(2),
        lambda nn: nn.PixelUnshuffle(2),
        lambda nn: nn.Unfold((2, 3), 1, 1, 2),
    ],
)
def test_torch(make):
    modules_agree(make, (2, 4, 8, 6), modes=["train"], steps=1)


def test_fold():
    modules_agree(lambda nn: nn.Fold((5, 6), (2, 3), padding=1, stride=2), (2, 12, 9), modes=["train"])


def test_pool_and_unpool():
    pool, unpool = ms.nn.MaxPool2d(2, return_indices=True), ms.nn.MaxUnpool2d(2)
    x = ms.randn(1, 2, 4, 6)
    y, indices = pool(x)
    back = unpool(y, indices)
    assert back.shape == x.shape and ((back.data == x.data) | (back.data == 0)).all()
    assert (back.data != 0).sum() == y.data.size
