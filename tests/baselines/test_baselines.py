"""Every baseline fits, predicts any size, and beats nothing it should not; Otsu's threshold by trying all."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg import baselines
from minitorch_seg.baselines.filter_bank import FilterBank, filter_responses
from minitorch_seg.baselines.otsu import otsu_threshold
from minitorch_seg.data import ArrayDataset, Sample, Splits
from minitorch_seg.train.evaluate import evaluate_baseline


def scene(rng, size=(24, 30)):
    """Red, green and blue regions, with noise."""
    mask = np.zeros(size, np.int64)
    mask[: size[0] // 2, 8:] = 1
    mask[rng.integers(12, 16) :, :12] = 2
    colors = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200]])
    image = np.clip(colors[mask] + rng.normal(0, 12, (*size, 3)), 0, 255).astype(np.uint8)
    return Sample(image, mask, "s")


@pytest.fixture(scope="module")
def splits():
    rng = np.random.default_rng(0)
    parts = [ArrayDataset([scene(rng) for _ in range(3)]) for _ in range(3)]
    return Splits("made", *parts, ["red", "green", "blue"])


def test_all_of_them_fit_and_predict_any_size(splits):
    image = scene(np.random.default_rng(1), (17, 40)).image
    for name in baselines.NAMES:
        made = FilterBank(steps=3) if name == "filter_bank" else baselines.build(name)
        mask = made.fit(splits).predict(image)
        assert mask.shape == (17, 40) and mask.dtype == np.int64 and set(np.unique(mask)) <= {0, 1, 2}, name
    with pytest.raises(ms.UserError, match="did you mean otsu"):
        baselines.build("otso")


@pytest.mark.parametrize("name", ["kmeans", "kmeans_blurred"])
def test_clusters_of_colour_are_named_by_the_training_masks(splits, name):
    report = evaluate_baseline(baselines.build(name).fit(splits), splits, splits.test)
    assert report["miou"] > (0.98 if name == "kmeans" else 0.6)


def test_more_clusters_than_classes_go_to_the_class_they_hold(splits):
    made = baselines.KMeansColour(k=7).fit(splits)
    assert len(made.classes) == 7 and set(made.classes) == {0, 1, 2}
    assert evaluate_baseline(made, splits, splits.test)["miou"] > 0.98


def test_masks_have_no_part_in_the_clusters(splits):
    turned = [Sample(s.image, (s.mask + 1) % 3, s.name) for s in splits.train]
    other = Splits("made", ArrayDataset(turned), splits.val, splits.test, splits.classes)
    one, two = (baselines.build("kmeans").fit(s) for s in (splits, other))
    np.testing.assert_array_equal(one.centres, two.centres)
    np.testing.assert_array_equal((one.classes + 1) % 3, two.classes)


def test_otsu_s_threshold_is_the_best_of_all():
    rng = np.random.default_rng(0)
    grey = np.concatenate([rng.normal(60, 15, 900), rng.normal(150, 20, 300)]).clip(0, 255).astype(np.uint8)

    def between(t):
        low, high = grey[grey <= t], grey[grey > t]
        if not len(low) or not len(high):
            return -1.0
        return len(low) * len(high) / len(grey) ** 2 * (low.mean() - high.mean()) ** 2

    assert between(otsu_threshold(grey)) == pytest.approx(max(between(t) for t in range(256)), rel=1e-9)
    skimage = pytest.importorskip("skimage.filters")
    assert otsu_threshold(grey) == skimage.threshold_otsu(grey)
    assert otsu_threshold(np.full(9, 7, np.uint8)) == 255


def test_otsu_finds_bright_and_dark_objects_alike():
    image = np.full((20, 20, 1), 30, np.uint8)
    image[5:9, 5:9] = 220
    for shown in (image, 255 - image):
        found = baselines.Otsu().fit(None).predict(shown)
        assert found[6, 6] == 1 and found.sum() == 16


def test_the_filter_bank_tells_textures_apart_that_have_one_mean():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    samples = []
    for _ in range(3):
        mask = np.zeros((32, 32), np.int64)
        mask[:, rng.integers(12, 20) :] = 1
        waves = [np.sin(x * 2 * np.pi / 6), np.sin(y * 2 * np.pi / 6)]
        grey = 128 + 80 * np.choose(mask, waves) + rng.normal(0, 5, mask.shape)
        samples.append(Sample(grey.clip(0, 255).astype(np.uint8)[..., np.newaxis], mask, "t"))
    made = Splits("made", *(ArrayDataset([s]) for s in samples), ["a", "b"], in_channels=1)
    assert evaluate_baseline(FilterBank(steps=300).fit(made), made, made.test)["miou"] > 0.8
    assert filter_responses(samples[0].image).shape == (32, 32, 14)
    flat = filter_responses(np.full((16, 16, 1), 200, np.uint8))
    assert np.abs(flat[..., -4:]).max() < 1e-4  # Gabor is blind to brightness
