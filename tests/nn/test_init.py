"""Initialisation: the fans, and spreads and bounds as in torch.nn.init."""

import math

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.nn import init
from tests.helpers import theirs

SHAPE = (64, 32, 3, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda i, t: i.xavier_uniform_(t),
        lambda i, t: i.xavier_normal_(t, gain=2.0),
        lambda i, t: i.kaiming_uniform_(t, a=math.sqrt(5)),
        lambda i, t: i.kaiming_normal_(t, mode="fan_out", nonlinearity="relu"),
        lambda i, t: i.uniform_(t, -2.0, 1.0),
        lambda i, t: i.normal_(t, 1.0, 0.5),
    ],
)
def test_torch(call):
    torch = theirs().modules[1]
    t, e = ms.zeros(SHAPE), torch.zeros(SHAPE)
    version = t.version
    assert call(init, t) is t and t.version > version
    e = call(torch.nn.init, e).numpy()
    np.testing.assert_allclose(t.data.std(), e.std(), rtol=0.03)
    np.testing.assert_allclose(t.data.mean(), e.mean(), atol=0.03 * e.std() + 1e-9)
    if "normal" not in str(call.__code__.co_names):
        np.testing.assert_allclose([t.data.min(), t.data.max()], [e.min(), e.max()], rtol=0.01)


def test_constants():
    t = ms.randn(3)
    assert init.zeros_(t).tolist() == [0, 0, 0] and init.ones_(t).tolist() == [1, 1, 1]
    assert init.constant_(t, 2.5).tolist() == [2.5] * 3


def test_fans_and_gains():
    assert init.fans(SHAPE) == (32 * 9, 64 * 9) and init.fans((5, 7)) == (7, 5)
    torch = theirs().modules[1]
    for name in ("linear", "sigmoid", "tanh", "relu", "leaky_relu"):
        assert math.isclose(init.calculate_gain(name), torch.nn.init.calculate_gain(name))
    assert math.isclose(
        init.calculate_gain("leaky_relu", 0.2), torch.nn.init.calculate_gain("leaky_relu", 0.2)
    )


def test_seeded():
    a = init.normal_(ms.zeros(5), generator=ms.Generator(1))
    b = init.normal_(ms.zeros(5), generator=ms.Generator(1))
    assert a.tolist() == b.tolist()


def test_refuses():
    with pytest.raises(ValueError, match="'swish'"):
        init.calculate_gain("swish")
    with pytest.raises(ValueError, match=r"two dimensions.*\(3,\)"):
        init.fans((3,))
    with pytest.raises(ValueError, match="'fan'"):
        init.kaiming_normal_(ms.zeros(2, 2), mode="fan")
