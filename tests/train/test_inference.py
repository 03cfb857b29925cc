"""Tiles give what the whole image gives, and batches what single images give."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.data import ArrayDataset, Sample
from minitorch_seg.train.inference import Preparation, predict_logits, predict_samples, symmetries

as_input = Preparation().as_input


@pytest.fixture
def model():
    ms.manual_seed(0)
    model = ms.models.UNet(1, 3, base_channels=2, depth=2)
    return model.eval()


def image(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 1), dtype=np.uint8)


@pytest.mark.parametrize("size", [(96, 96), (200, 333), (40, 257), (128, 129), (64, 500)])
def test_tiles_equal_the_whole_image(model, size):
    """Exactly, not roughly: this network looks 22 pixels far at most, and the margin is 32."""
    batch = as_input([image(*size)])
    with ms.no_grad():
        whole = model(batch).numpy()
    tiled = predict_logits(model, batch, tile=128, margin=32)
    np.testing.assert_allclose(tiled, whole, rtol=1e-5, atol=1e-5)


def test_tiles_without_margin_would_differ(model):
    """The comparison above is able to fail."""
    batch = as_input([image(200, 333)])
    with ms.no_grad():
        whole = model(batch).numpy()
    tiled = predict_logits(model, batch, tile=128, margin=0)
    assert np.abs(tiled - whole).max() > 1e-3


def test_tile_and_margin_must_fit_the_pooling_grid(model):
    with pytest.raises(ValueError, match="multiples of 32"):
        predict_logits(model, as_input([image(40, 40)]), tile=100, margin=32)
    with pytest.raises(ValueError, match="tile > 2"):
        predict_logits(model, as_input([image(40, 40)]), tile=64, margin=32)


def test_samples_of_mixed_sizes_come_in_order_and_like_single_images(model):
    sizes = [(16, 16), (16, 16), (24, 16), (16, 16), (300, 20), (300, 20)]
    samples = [Sample(image(*size, seed=k), np.zeros(size, np.int64), str(k)) for k, size in enumerate(sizes)]
    batches = list(predict_samples(model, ArrayDataset(samples), batch_size=2))
    assert [[s.name for s in batch] for batch, _ in batches] == [["0", "1"], ["2"], ["3"], ["4"], ["5"]]
    for batch, logits in batches:
        for sample, one in zip(batch, logits, strict=True):
            alone = predict_logits(model, as_input([sample.image]))[0]
            np.testing.assert_allclose(one, alone, rtol=1e-5, atol=1e-5)


def test_input_is_normalised_for_each_image_alone():
    dim, bright = image(8, 9) // 10, image(8, 9) // 2 + 100
    both = as_input([dim, bright]).numpy()
    assert both.shape == (2, 1, 8, 9) and both.dtype == np.float32
    np.testing.assert_allclose(both.mean(axis=(1, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(both.std(axis=(1, 2, 3)), 1, atol=1e-5)
    assert both.transpose(0, 2, 3, 1).flags.c_contiguous


class Corner:
    """Class 1 where a pixel is brighter than its right neighbour: what a mirror turns round."""

    def eval(self):
        return self

    def __call__(self, x):
        brighter = (x.data > np.roll(x.data, -1, axis=3)).astype(np.float32)
        return ms.tensor(np.concatenate([1 - brighter, 3 * brighter], axis=1))


@pytest.mark.parametrize("symmetry, ways", [("none", 1), ("mirror", 2), ("square", 8)])
def test_answers_of_all_symmetries_are_turned_back_and_averaged(symmetry, ways):
    assert len(set(symmetries(symmetry))) == ways
    batch, total = as_input([image(6, 9)]), 0
    for turns, mirrored in symmetries(symmetry):
        seen = batch.data[..., ::-1] if mirrored else batch.data
        logits = Corner()(ms.tensor(np.rot90(seen, turns, (2, 3)))).data.astype(np.float64)
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        p = np.rot90(p, -turns, (2, 3))
        total = total + (p[..., ::-1] if mirrored else p) / ways
    found = np.exp(predict_logits(Corner(), batch, symmetry=symmetry).astype(np.float64))
    found /= found.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, total, atol=1e-6)


def test_a_run_says_how_its_images_were_normalised():
    photograph = image(8, 9)
    config = {"normalize": {"mean": [100.0], "std": [50.0]}, "average": "mirror"}
    found = Preparation.of(config)
    assert found.symmetry == "mirror"
    expected = (photograph.astype(np.float64) - 100) / 50
    np.testing.assert_allclose(found.as_input([photograph]).numpy()[0, 0], expected[..., 0], atol=1e-5)
    for older in ({}, {"normalize": "image"}):
        assert Preparation.of(older) == Preparation()
