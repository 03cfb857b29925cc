"""The map as one sequence: the order of reading against PyTorch, and the weakness that it shows."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.models import SequenceRNN
from minitorch_seg.models.receptive_field import gradient_map, seen
from minitorch_seg.models.renet import Sweep


def test_same_as_pytorch_pixel_after_pixel():
    torch = pytest.importorskip("torch")
    ms.manual_seed(0)
    model = SequenceRNN(2, 3, base_channels=4, depth=0, hidden=5).double()
    x = np.random.default_rng(0).standard_normal((1, 2, 3, 4))
    weights = {name: torch.tensor(value.data) for name, value in model.state_dict().items()}
    features = torch.relu(
        torch.conv2d(torch.tensor(x), weights["front.0.weight"], weights["front.0.bias"], padding=1)
    )
    h, expected = torch.zeros(5, dtype=torch.float64), np.empty((1, 3, 3, 4))
    for row in range(3):
        for column in range(4):
            h = torch.tanh(
                weights["there.weight_hh_l0"] @ h
                + weights["there.weight_ih_l0"] @ features[0, :, row, column]
                + weights["there.bias_ih_l0"]
                + weights["there.bias_hh_l0"]
            )
            expected[0, :, row, column] = weights["head.weight"] @ h + weights["head.bias"]
    np.testing.assert_allclose(model(ms.tensor(x)).data, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("both_ways", [False, True])
def test_a_pixel_has_seen_what_stands_before_it(both_ways):
    """In reading order, and then by the 3×3 convolution in front one pixel further on each side."""
    ms.manual_seed(0)
    model = SequenceRNN(1, 2, base_channels=8, depth=0, both_ways=both_ways, cell="gru")
    row, column, height, width = 2, 1, 6, 5
    before = np.zeros((height, width), bool)
    before.ravel()[: row * width + column + 1] = True
    if both_ways:
        before.ravel()[row * width + column :] = True
    expected = np.zeros((height + 2, width + 2), bool)
    for dy in range(3):
        for dx in range(3):
            expected[dy : dy + height, dx : dx + width] |= before
    found = seen(model, (1, height, width), (row, column), draws=8)
    np.testing.assert_array_equal(found, expected[1:-1, 1:-1])


def test_the_neighbour_above_is_a_row_away_for_a_sequence_and_one_step_for_a_sweep():
    """The weakness in numbers: the same Elman cell, the same pixel, 16 columns."""
    ms.manual_seed(0)
    model = SequenceRNN(1, 2, base_channels=8, depth=0)
    model.front[0].weight.data[:, :, [0, 0, 0, 1, 1, 2, 2, 2], [0, 1, 2, 0, 2, 0, 1, 2]] = 0  # pixels alone
    strength = np.sqrt((gradient_map(model, (1, 8, 16), (4, 8), draws=8) ** 2).mean(axis=0))
    left, above = strength[4, 7] / strength[4, 8], strength[3, 8] / strength[4, 8]
    sweep = Sweep(1, 8, "height", cell="elman")
    swept = np.sqrt((gradient_map(sweep, (1, 8, 16), (4, 8), draws=8) ** 2).mean(axis=0))
    assert above < 1e-3 * left
    assert swept[3, 8] / swept[4, 8] > 100 * above


def test_truncation_forgets_the_rows_above():
    ms.manual_seed(0)
    model = SequenceRNN(1, 2, base_channels=8, depth=0, truncate=5)
    found = seen(model, (1, 6, 5), (4, 2), draws=8)
    assert not found[:3].any() and found[3:, :3].all()


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_any_size_and_gradients_everywhere(depth):
    ms.manual_seed(0)
    model = SequenceRNN(3, 4, base_channels=4, depth=depth, both_ways=True)
    y = model(ms.rand(2, 3, 9, 7))
    assert y.shape == (2, 4, 9, 7)
    (y * ms.rand(*y.shape)).sum().backward()
    assert all(np.abs(p.grad.data).max() > 0 for p in model.parameters())


def test_wrong_input_is_explained():
    with pytest.raises(ms.ShapeError, match="both sides need at least 4 pixels"):
        SequenceRNN(1, 2, depth=2)(ms.zeros(1, 1, 3, 8))
    with pytest.raises(ms.ShapeError, match="num_classes=0"):
        SequenceRNN(1, 0)
