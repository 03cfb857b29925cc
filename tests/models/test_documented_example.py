"""The documented example beside Keras 3: the same weights and batches give the same losses, step by step."""

import pytest

from benchmarks.segmentation.documented import beside_keras, imported
from minitorch_seg.errors import UserError


@pytest.fixture(scope="module", autouse=True)
def keras():
    try:
        imported()
    except UserError as missing:
        pytest.skip(str(missing))


def test_ten_steps_have_keras_losses():
    found = beside_keras()
    assert found["loss_difference"] < 1e-4 and found["weight_difference"] < 1e-4
    assert len(found["ours"]) == 10 and max(found["ours"]) - min(found["ours"]) > 0.01


def test_the_order_of_flattening_matters():
    """PyTorch's order, with Keras's weights: another function, and the comparison says so."""
    assert beside_keras(flatten="CHW")["loss_difference"] > 1e-3
