"""Dropout as a module (test_every_module.py compares each activation with PyTorch)."""

import pytest

import minitorch_seg as ms
from tests.helpers import modules_agree


@pytest.mark.parametrize("module", [ms.nn.Dropout, ms.nn.Dropout2d])
def test_dropout_only_in_training(module):
    layer, x = module(0.5), ms.ones(4, 8, 3, 3)
    assert layer.eval()(x) is x
    y = layer.train()(x).data
    assert set(y.ravel().tolist()) == {0.0, 2.0}
    modules_agree(lambda nn: getattr(nn, module.__name__)(0.3), (2, 3, 4, 5), modes=["eval"])
