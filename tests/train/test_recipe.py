"""What the recipe decides from options and data."""

import json

import numpy as np
import pytest
from PIL import Image

from minitorch_seg.data import ArrayDataset, Sample, Splits, transforms
from minitorch_seg.train.augment import augmentation
from minitorch_seg.train.options import RECIPES, Options, check_options, with_recipe
from minitorch_seg.train.recipe import choose_crop, load_splits, make_plan


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
    assert choose_crop(None, splits(*sizes).train) == crop
    assert choose_crop(48, splits(*sizes).train) == 48


def kinds(compose):
    return [type(step).__name__ for step in compose.transforms]


def steps(made, *, normalize=None, **options):
    filled = with_recipe(Options(**options), made)
    return augmentation(filled, made, normalize or transforms.Normalize()).transforms


def test_images_are_normalised_before_they_are_cropped_and_coloured():
    order = kinds(transforms.Compose(steps(splits((8, 8)), crop=4, scale=1.2, shift=2, rotate=5)))
    assert order[:5] == ["RandomScale", "Normalize", "RandomWarp", "RandomShift", "RandomCrop"]
    assert order[-2:] == ["RandomGamma", "RandomColour"]
    assert kinds(transforms.Compose(steps(splits((8, 8)), augment=False))) == ["Normalize"]


def test_colour_is_as_strong_as_asked():
    assert not {"RandomGamma", "RandomColour"} & set(
        kinds(transforms.Compose(steps(splits((8, 8)), colour=0)))
    )
    *_, gamma, colour = steps(splits((8, 8)), colour=0.5)
    assert gamma.limit == pytest.approx(1.5**0.5)
    assert (colour.contrast, colour.brightness, colour.tint) == (0.1, 0.1, 0.05)


@pytest.mark.parametrize(
    "symmetry, moves",
    [
        ("none", set()),
        ("mirror", {"RandomHorizontalFlip"}),
        ("square", {"RandomHorizontalFlip", "RandomVerticalFlip", "RandomRot90"}),
    ],
)
def test_only_what_keeps_the_meaning_of_a_set_is_done_to_it(symmetry, moves):
    every = {"RandomHorizontalFlip", "RandomVerticalFlip", "RandomRot90"}
    of_the_set = kinds(transforms.Compose(steps(splits((8, 8), symmetry=symmetry))))
    asked = kinds(transforms.Compose(steps(splits((8, 8)), symmetry=symmetry)))
    assert every & set(of_the_set) == every & set(asked) == moves


@pytest.mark.parametrize("normalize", ["image", "dataset"])
@pytest.mark.parametrize("name", ["coins", "textures"])
def test_every_transform_moves_the_network_s_input(name, normalize):
    """By more than a tenth of its standard deviation: what a normalisation would undo is none."""
    made = load_splits(name)
    by = transforms.Normalize()
    if normalize == "dataset":
        by = transforms.Normalize(*transforms.channel_statistics(made.train))
    every = steps(made, scale=1.3, shift=4, rotate=10, elastic=2, crop=48, balance=0.5, normalize=by)
    for step in every:
        if isinstance(step, transforms.Normalize):
            continue
        moved = []
        for index in range(12):
            sample, rng = made.train[index % len(made.train)], np.random.default_rng(index)
            plain = by.image(sample.image)
            if isinstance(step, transforms.RandomScale):
                after = by.image(step(sample.image, sample.mask, rng)[0])
            else:
                after, _ = step(plain, sample.mask, rng)
            if after.shape != plain.shape:
                moved.append(1.0)  # another size: other pixels
            else:
                moved.append(np.sqrt(((after - plain) ** 2).mean()) / plain.std())
        assert np.mean(moved) > 0.1, f"{step}: {np.mean(moved):.3f}"


def test_rare_classes_are_drawn_more_often():
    plan = make_plan(Options(data="textures", balance=0.5))
    plan.pixels = np.array([[9, 0], [9, 0], [9, 0], [8, 1]])
    np.testing.assert_allclose(plan.image_weights(), [0.1875, 0.1875, 0.1875, 0.4375])
    assert make_plan(Options(data="textures")).image_weights() is None


def test_the_registered_sets_have_recipes_and_what_is_asked_wins():
    road = splits((80, 128), name="road", symmetry="mirror", normalize="dataset")
    filled = with_recipe(Options(crop=32), road)
    assert (filled.crop, filled.balance, filled.normalize) == (32, 0.3, "dataset")
    for name, recipe in RECIPES.items():
        check_options(with_recipe(Options(**recipe), splits((8, 8), name=name)))
    assert with_recipe(filled, road) == filled
    (crop,) = [s for s in steps(road) if isinstance(s, transforms.ClassCrop)]
    assert crop.size == (80, 128)  # scaled, then cut to the image's own size again
    patches = with_recipe(Options(model="patch_cnn"), road)
    assert (patches.crop, patches.lr, patches.clip_norm) == (None, 0.001, None)
    assert with_recipe(Options(model="reseg"), road).clip_norm == 1.0


def test_a_share_of_the_images_is_nested_and_drawn_by_the_seed():
    whole = make_plan(Options()).splits.train
    names = [
        [s.name for s in (part[k] for k in range(len(part)))]
        for part in (
            make_plan(Options(share=0.2)).splits.train,
            make_plan(Options(share=0.5)).splits.train,
            make_plan(Options(share=0.2, seed=1)).splits.train,
        )
    ]
    assert len(names[0]) == -(-len(whole) // 5) and set(names[0]) < set(names[1])
    assert names[0] != names[2]


def test_padding_of_crops_is_ignored_where_the_data_ignores():
    (crop,) = [
        step
        for step in steps(splits((8, 8), ignore_index=9), crop=16)
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
