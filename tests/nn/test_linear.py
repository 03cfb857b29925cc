"""Linear, Flatten, Identity."""

import pytest

import minitorch_seg as ms
from minitorch_seg.errors import ShapeError
from tests.helpers import modules_agree


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 3), (3,), (2, 4, 3), (0, 3)])
def test_linear(bias, shape):
    modules_agree(lambda nn: nn.Linear(3, 4, bias=bias), shape, modes=["train"])


def test_flatten_and_identity():
    modules_agree(lambda nn: nn.Flatten(), (2, 3, 4, 5))
    modules_agree(lambda nn: nn.Flatten(0, 2), (2, 3, 4, 5))
    x = ms.zeros(2)
    assert ms.nn.Identity()(x) is x


def test_refuses():
    with pytest.raises(ShapeError, match=r"linear.*\(2, 4\).*\(5, 3\)"):
        ms.nn.Linear(3, 5)(ms.zeros(2, 4))
