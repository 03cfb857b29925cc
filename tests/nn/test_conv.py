"""Conv2d and ConvTranspose2d against torch.nn, both state_dicts, initial values, refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from tests.helpers import modules_agree, theirs


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": 1, "bias": False},
        {"stride": 2, "padding": (1, 2), "dilation": (1, 2)},
        {"groups": 2},
        {"padding": "same"},
    ],
    ids=str,
)
def test_conv2d(options):
    modules_agree(lambda nn: nn.Conv2d(4, 6, 3, **options), (2, 4, 7, 8), modes=["train"])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2},
        {"stride": 3, "padding": 1, "output_padding": 2, "groups": 2},
        {"dilation": 2, "bias": False},
    ],
    ids=str,
)
def test_conv_transpose2d(options):
    modules_agree(lambda nn: nn.ConvTranspose2d(4, 6, (3, 2), **options), (2, 4, 4, 5), modes=["train"])


@pytest.mark.parametrize("name, arguments", [("Conv2d", (8, 64, 5)), ("ConvTranspose2d", (64, 8, 5))])
def test_initial_values_as_pytorch(name, arguments):
    """Uniform on ±1/√fan_in: the same bounds and spread, weight and bias."""
    torch = theirs().modules[1]
    ms.manual_seed(0)
    ours, expected = getattr(ms.nn, name)(*arguments), getattr(torch.nn, name)(*arguments)
    for f, e in zip(ours.parameters(), expected.parameters(), strict=True):
        e = e.detach().numpy()
        assert f.shape == e.shape and f.dtype == np.float32
        np.testing.assert_allclose([f.data.min(), f.data.max()], [e.min(), e.max()], rtol=0.3)
        np.testing.assert_allclose(f.data.std(), e.std(), rtol=0.35)


def test_seeded():
    ms.manual_seed(3)
    first = ms.nn.Conv2d(2, 3, 3).weight.data
    ms.manual_seed(3)
    np.testing.assert_array_equal(first, ms.nn.Conv2d(2, 3, 3).weight.data)


@pytest.mark.parametrize("module", [ms.nn.Conv2d, ms.nn.ConvTranspose2d])
def test_refuses(module):
    with pytest.raises(ShapeError, match=r"in_channels=3.*groups=2"):
        module(3, 4, 3, groups=2)
    with pytest.raises(ShapeError, match="groups=0"):
        module(3, 4, 3, groups=0)
    with pytest.raises(ShapeError, match="kernel_size"):
        module(3, 4, 0)
    with pytest.raises(ShapeError, match="channels"):
        module(3, 4, 3)(ms.zeros(1, 2, 5, 5))


def test_repr_says_what_differs_from_the_default():
    text = repr(ms.nn.Conv2d(2, 4, 3, padding=1, groups=2, bias=False))
    assert text == "Conv2d(2, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), groups=2, bias=False)"
