"""What the recipe decides from options and data."""

import json

import numpy as np
import pytest
from PIL import Image

from minitorch_seg.data import ArrayDataset, Sample, Splits, transforms
from minitorch_seg.train.recipe import Options, augmentation, choose_crop, load_splits, make_plan


def splits(*sizes, name="made", **options):
    part = ArrayDataset(
        [
            Sample(np.zeros((*size, 1), np.uint8), np.zeros(size, np.int64), str(k))
            for k, size in enumerate(sizes)
        ]
    )
    return Splits(name, part, part, part, ["a", "b"], in_channels=1, **options)


@pytest.mark.parametrize(
    "sizes, crop",
    [([(64, 64)] * 3, None), ([(80, 128)], None), ([(64, 64), (64, 65)], 128), ([(512, 300)] * 2, 128)],
)
def test_small_images_of_one_size_are_taken_whole(sizes, crop):
    assert choose_crop(Options(), splits(*sizes)) == crop
    assert choose_crop(Options(crop=48), splits(*sizes)) == 48


def kinds(compose):
    return [type(step).__name__ for step in compose.transforms]


def test_images_are_normalised_before_they_are_cropped():
    steps = kinds(augmentation(Options(), splits((8, 8)), 4))
    assert steps.index("RandomBrightnessContrast") < steps.index("Normalize") < steps.index("RandomCrop")
    assert kinds(augmentation(Options(augment=False), splits((8, 8)), None)) == ["Normalize"]


def test_upright_scenes_are_not_turned():
    road = kinds(augmentation(Options(), splits((8, 8), name="road"), None))
    other = kinds(augmentation(Options(), splits((8, 8)), None))
    assert "RandomHorizontalFlip" in road
    assert set(other) - set(road) == {"RandomVerticalFlip", "RandomRot90"}


def test_padding_of_crops_is_ignored_where_the_data_ignores():
    (crop,) = [
        step
        for step in augmentation(Options(), splits((8, 8), ignore_index=9), 16).transforms
        if isinstance(step, transforms.RandomCrop)
    ]
    assert crop.ignore_index == 9


def test_the_command_names_what_differs_from_the_recipe():
    options = Options(data="my data", lr=0.02, augment=False, steps=7, seed=3)
    assert (
        options.command() == "minitorch-seg train --data 'my data' --steps 7 --lr 0.02 --no-augment --seed 3"
    )


def test_two_plans_train_alike_and_another_seed_does_not():
    def weights(seed):
        plan = make_plan(Options(base_channels=2, depth=1, steps=1, seed=seed))
        trainer = plan.trainer(2)
        trainer.fit(plan.loader(), steps=2, progress=False)
        return {name: value.numpy() for name, value in trainer.model.state_dict().items()}

    first, second, other = weights(0), weights(0), weights(1)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    assert any((first[name] != other[name]).any() for name in first)


def test_a_relative_folder_is_kept_whole(tmp_path, monkeypatch):
    for part in ("images", "masks"):
        (tmp_path / "mine" / part).mkdir(parents=True)
        for k in range(4):
            Image.fromarray(np.eye(8, dtype=np.uint8)).save(tmp_path / "mine" / part / f"{k}.png")
    monkeypatch.chdir(tmp_path)
    plan = make_plan(Options(data="mine"))
    plan.freeze(3)
    assert plan.config["options"]["data"] == str(tmp_path / "mine") in plan.config["command"]
    assert make_plan(Options()).config["options"]["data"] == "coins"


def test_what_is_made_of_0_and_255_masks_is_said(tmp_path, caplog):
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        for k in range(4):
            pixels = np.zeros((8, 8), np.uint8)
            pixels[:, 4:] = 255
            Image.fromarray(pixels).save(tmp_path / part / f"{k}.png")
    loaded = load_splits(str(tmp_path))
    assert "255 is taken as class 1" in caplog.text
    assert loaded.train[0].mask.max() == 1
    config = make_plan(Options(data=str(tmp_path))).config
    assert config["classes"] == ["background", "foreground"] and sum(config["images"].values()) == 4
    json.dumps(config)
