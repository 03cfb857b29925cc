"""`minitorch-seg pretrain`: a folder of images alone becomes weights that `train --init` begins with."""

import shutil

import numpy as np
import pytest
from PIL import Image

from minitorch_seg.data import transforms
from minitorch_seg.data.unlabelled import all_images
from minitorch_seg.io import load_state_dict
from minitorch_seg.train.recipe import Options, make_plan
from minitorch_seg.unsupervised import pretrain

TINY = ("--base-channels", "2", "--depth", "1", "--batch-size", "4")


def test_a_folder_of_images_becomes_the_beginning_of_a_training(folder, tmp_path, cli):
    images = tmp_path / "images alone"
    shutil.copytree(folder / "images", images)
    file = tmp_path / "encoder.safetensors"
    result = cli("pretrain", images, "--out", file, "--steps", 12, "--seed", 3, *TINY)
    assert result.exit_code == 0 and "8 images, no masks; whole images" in result.stderr
    losses = [float(line.split()[-1]) for line in result.stderr.splitlines() if line.startswith("step")]
    assert len(losses) == 12 and losses[-1] < losses[0]
    found = load_state_dict(file)
    model = pretrain(
        all_images(images),
        1,
        steps=12,
        base_channels=2,
        depth=1,
        batch_size=4,
        transform=transforms.Normalize(),
        seed=3,
    )
    for name, value in model.down.state_dict().items():
        np.testing.assert_array_equal(found[name], value.numpy(), err_msg=name)
    options = Options(data=str(folder), base_channels=2, depth=1, batch_size=4, init=str(file))
    begun = make_plan(options).trainer(1).model
    for name, value in begun.down.state_dict().items():
        np.testing.assert_array_equal(found[name], value.numpy(), err_msg=name)
    trained = cli("train", "--data", folder, "--init", file, "--out", tmp_path / "run", "--steps", 2, *TINY)
    assert trained.exit_code == 0, trained.output
    assert str(file) in result.stdout and "--base-channels 2 --depth 1" in result.stdout


def test_of_a_labelled_set_only_training_images_are_seen_and_masks_play_no_part(folder, tmp_path, cli):
    options = ("--steps", 3, "--task", "denoising", *TINY)
    first = cli("pretrain", folder, "--out", tmp_path / "a", *options)
    assert first.exit_code == 0 and "4 images, no masks" in first.stderr
    for path in (folder / "masks").iterdir():
        Image.fromarray(1 - np.array(Image.open(path))).save(path)
    for name in ("im6", "im7"):  # of the test split
        Image.new("L", (16, 16)).save(folder / "images" / f"{name}.png")
    assert cli("pretrain", folder, "--out", tmp_path / "b", *options).exit_code == 0
    a, b = (load_state_dict(tmp_path / name) for name in "ab")
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_images_of_different_sizes_are_cropped(folder, tmp_path, cli):
    Image.new("L", (40, 23), 90).save(folder / "images" / "large.png")
    shutil.rmtree(folder / "masks")
    result = cli("pretrain", folder, "--steps", 1, "--out", tmp_path / "e", *TINY)
    assert result.exit_code == 0 and "9 images, no masks; crops of 128×128" in result.stderr
    smaller = cli("pretrain", folder, "--steps", 1, "--crop", 16, "--out", tmp_path / "f", *TINY)
    assert smaller.exit_code == 0 and "crops of 16×16" in smaller.stderr


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize(
    "options, sentence",
    [
        (("--task", "inpaint"), "did you mean inpainting"),
        (("--steps", 0), "--steps must be at least 1"),
        (("--depth", 9), "--depth must be at most 8"),
        (("--lr", 0), "--lr must be above 0"),
        (("--lr", 1e30), "use a smaller lr"),
        (("--normalize", "images"), "did you mean image"),
        (("--depth", 4, "--batch-size", 1, "--crop", 16), "use a larger --crop or a smaller --depth"),
        (("--out", "no/such/folder/e"), "its folder is not there"),
    ],
)
def test_wrong_options_are_one_sentence(options, sentence, folder, tmp_path, cli):
    words = ("--steps", 3, "--base-channels", 2, "--depth", 1, "--out", tmp_path / "e", *options)
    result = cli("pretrain", folder, *words)
    assert result.exit_code == 2 and not (tmp_path / "e").exists()
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ") and sentence in last


def test_a_file_is_kept_without_force_and_an_empty_folder_is_explained(folder, tmp_path, cli):
    (tmp_path / "e").write_text("mine")
    kept = cli("pretrain", folder, "--steps", 1, "--out", tmp_path / "e", *TINY)
    assert kept.exit_code == 2 and "--force" in kept.stderr and (tmp_path / "e").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    empty = cli("pretrain", tmp_path / "empty", "--out", tmp_path / "f")
    assert empty.exit_code == 2 and "holds no image" in empty.stderr
    unknown = cli("pretrain", "nuclie", "--out", tmp_path / "f")
    assert unknown.exit_code == 2 and "did you mean nuclei" in unknown.stderr
