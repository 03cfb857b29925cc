"""Training on patches: what is drawn, and that single pixels have the loss of maps."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.train.patchwise import PATCHES, as_maps
from minitorch_seg.train.recipe import Options, make_plan


def test_a_batch_holds_balanced_patches_of_the_normalised_images():
    plan = make_plan(Options(model="patch_cnn", base_channels=2, size=12, batch_size=4))
    assert plan.config["model_options"] == {"base_channels": 2, "size": 12}
    loader = plan.loader()
    assert len(loader) == plan.batches_an_epoch()
    patches, classes = next(iter(loader))
    assert patches.shape == (4 * PATCHES, 1, 12, 12) and classes.shape == (4 * PATCHES,)
    assert 0.3 < classes.data.mean() < 0.7 and np.abs(patches.data.mean()) < 2 < np.ptp(patches.data)


def test_single_pixels_have_the_loss_of_maps():
    rng = np.random.default_rng(0)
    logits, target = ms.tensor(rng.standard_normal((6, 3))), ms.tensor(rng.integers(0, 3, 6))
    for loss in (ms.functional.cross_entropy, ms.functional.dice_loss):
        maps = loss(logits.reshape(6, 3, 1, 1), target.reshape(6, 1, 1)).item()
        assert as_maps(loss)(logits, target).item() == pytest.approx(maps, rel=1e-12)
        assert as_maps(loss)(logits.reshape(6, 3, 1, 1), target.reshape(6, 1, 1)).item() == maps


@pytest.mark.parametrize(
    "options, words",
    [
        ({"model": "fcn8s", "depth": 3}, "--depth: fcn8s has no such option"),
        ({"model": "unet", "size": 32}, "--size: unet has no such option"),
        ({"model": "patch_cnn", "crop": 64}, "--crop: patch_cnn is trained on patches"),
        ({"model": "patch_cnn", "size": 225}, "--size must be at most 224"),
        ({"model": "fcn32s", "crop": 32, "batch_size": 1}, "fcn32s shrinks 32x32 pixels to one"),
    ],
)
def test_options_that_a_model_does_not_have_are_refused(options, words):
    with pytest.raises(ms.UserError, match=words):
        make_plan(Options(**options))


def test_what_is_not_given_is_the_model_s_own_default():
    assert make_plan(Options()).config["model_options"] == {"base_channels": 16, "depth": 3}
    assert make_plan(Options(model="segnet", depth=2)).config["model_options"]["depth"] == 2
    assert make_plan(Options(model="patch_cnn")).config["model_options"] == {"base_channels": 32, "size": 32}
