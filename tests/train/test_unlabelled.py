"""Training without labels: images for targets, segments that get the names of classes."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.metrics import ConfusionMatrix
from minitorch_seg.models import FACTS, build
from minitorch_seg.train.evaluate import evaluate
from minitorch_seg.train.inference import Preparation
from minitorch_seg.train.recipe import Options, make_plan
from minitorch_seg.train.unlabelled import ImagesAsTargets, matched, name_segments


def plan():
    return make_plan(Options(model="wnet", base_channels=2, depth=1))


def test_targets_are_the_images():
    made = plan()
    loader = made.loader()
    assert isinstance(loader, ImagesAsTargets) and len(loader) == made.batches_an_epoch()
    loader.set_epoch(3)
    images, targets = next(iter(loader))
    assert images is targets and loader.loader.epoch == 4


def test_matched_counts_are_those_of_the_renamed_segments():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 400)
    segments = np.array([1, 2, 0])[truth]
    segments[:50] = rng.integers(0, 3, 50)
    matrix, direct = ConfusionMatrix(3), ConfusionMatrix(3)
    matrix.update(segments, truth)
    direct.update(np.array([2, 0, 1])[segments], truth)
    np.testing.assert_array_equal(matched(matrix).counts, direct.counts)


def test_named_segments_agree_with_the_data_as_well_as_they_can():
    splits = plan().splits
    model = build("wnet", 1, 2, base_channels=2, depth=1).eval()
    model.name_segments(np.array([1, 0]))
    before = evaluate(model, splits.val, 2)
    name_segments(model, splits.val, 2, None, Preparation())
    np.testing.assert_array_equal(evaluate(model, splits.val, 2).counts, matched(before).counts)


@pytest.mark.parametrize("name", [name for name, facts in FACTS.items() if facts.unlabelled])
def test_such_a_model_learns_from_images_and_takes_names(name):
    ms.manual_seed(0)
    model = build(name, 1, 2, base_channels=2, depth=1)
    x = ms.randn(2, 1, 8, 8)
    loss = model.objective(model(x), x)
    loss.backward()
    assert all(np.isfinite(p.grad.data).all() for p in model.parameters())
    before = model.eval()(x).data
    model.name_segments(np.array([1, 0]))
    np.testing.assert_array_equal(model(x).data, before[:, ::-1])
