"""Activations and dropout as modules."""

import pytest

import minitorch_seg as ms
from tests.helpers import modules_agree


@pytest.mark.parametrize(
    "make",
    [
        lambda nn: nn.ReLU(),
        lambda nn: nn.Sigmoid(),
        lambda nn: nn.Tanh(),
        lambda nn: nn.Softmax(1),
        lambda nn: nn.LogSoftmax(dim=1),
        lambda nn: nn.Softplus(beta=2.0, threshold=1.0),
        lambda nn: nn.LogSigmoid(),
        lambda nn: nn.LeakyReLU(0.2),
        lambda nn: nn.ELU(0.5),
        lambda nn: nn.SiLU(),
        lambda nn: nn.GELU(),
        lambda nn: nn.GELU("tanh"),
    ],
)
def test_torch(make):
    modules_agree(make, (2, 3, 4, 5), modes=["train"])


@pytest.mark.parametrize("module", [ms.nn.Dropout, ms.nn.Dropout2d])
def test_dropout_only_in_training(module):
    layer, x = module(0.5), ms.ones(4, 8, 3, 3)
    assert layer.eval()(x) is x
    y = layer.train()(x).data
    assert set(y.ravel().tolist()) == {0.0, 2.0}
    modules_agree(lambda nn: getattr(nn, module.__name__)(0.3), (2, 3, 4, 5), modes=["eval"])
