"""zero_grad of optimisers and modules."""

import numpy as np
import pytest

import minitorch_seg as ms


@pytest.mark.parametrize("owner", ["optimizer", "module"])
def test_gradients_are_forgotten_or_set_to_zero(owner):
    layer = ms.nn.Linear(2, 1)
    forget = ms.optim.SGD(layer.parameters(), lr=0.1).zero_grad if owner == "optimizer" else layer.zero_grad
    layer(ms.ones(3, 2)).sum().backward()
    before = layer.weight.grad
    forget(set_to_none=False)
    assert layer.weight.grad.tolist() == [[0.0, 0.0]]
    assert np.any(before.data != 0)  # whoever kept the old gradient still has it
    forget()
    assert layer.weight.grad is None and layer.bias.grad is None
