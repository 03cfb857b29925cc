"""`minitorch-seg cluster`: segments of images, against the functions and against known regions."""

import csv

import numpy as np
import pytest
from PIL import Image

from minitorch_seg.data.transforms import Normalize
from minitorch_seg.unsupervised import cluster_image

FAST = ("--networks", 1, "--steps", 40)


@pytest.fixture
def pictures(tmp_path):
    """Five images of different sizes, red to the left of a border and green to the right of it."""
    rng, folder, truths = np.random.default_rng(0), tmp_path / "pictures", {}
    folder.mkdir()
    for k in range(5):
        truth = np.zeros((20 + k, 24 + 2 * k), int)
        truth[:, 8 + 2 * k :] = 1
        colours = np.array([[200, 60, 60], [60, 180, 60]])[truth]
        pixels = (colours + rng.normal(0, 12, colours.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"p{k}.png")
        truths[f"p{k}"] = truth
    return folder, truths


def read(path):
    with Image.open(path) as image:
        return np.array(image)


@pytest.mark.parametrize("options", [FAST, ("--method", "code_clusters", "--steps", 60)])
def test_a_segment_is_the_same_thing_in_each_image(options, pictures, tmp_path, cli):
    folder, truths = pictures
    result = cli("cluster", folder, "--segments", 2, *options, "--out", tmp_path / "s")
    assert result.exit_code == 0 and "learning from 5 images" in result.stderr, result.output
    found = {name: read(tmp_path / "s" / f"{name}.png") for name in truths}
    same = np.concatenate([(found[name] == truth).ravel() for name, truth in truths.items()]).mean()
    assert max(same, 1 - same) > 0.9  # one numbering for all
    assert read(tmp_path / "s" / "p4_overlay.png").shape == (24, 32, 3)
    with open(tmp_path / "s" / "areas.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["segment 1", "segment 2"] * 5
    assert [int(row["pixels"]) for row in rows[:2]] == np.bincount(found["p0"].ravel()).tolist()


def test_an_image_by_itself_is_cluster_image(pictures, tmp_path, cli):
    folder, _ = pictures
    words = ("cluster", folder / "p1.png", "--method", "image", "--steps", 8, "--seed", 2)
    assert cli(*words, "--out", tmp_path / "s").exit_code == 0
    image = Normalize().image(read(folder / "p1.png")).transpose(2, 0, 1)
    expected = cluster_image(image, steps=8, seed=2, min_labels=3)
    np.testing.assert_array_equal(read(tmp_path / "s" / "p1.png"), expected)
    with open(tmp_path / "s" / "areas.csv", newline="", encoding="utf-8") as file:
        pixels = [int(row["pixels"]) for row in csv.DictReader(file)]
    assert pixels == np.bincount(expected.ravel()).tolist() == sorted(pixels, reverse=True)


@pytest.mark.parametrize(
    "options, sentence",
    [
        (("--method", "images"), "did you mean image"),
        (("--segments", 1), "--segments must be at least 2"),
        (("--steps", 0), "--steps must be at least 1"),
        (("--method", "image", "--networks", 2), "leave it out"),
    ],
)
def test_wrong_options_are_one_sentence(options, sentence, pictures, tmp_path, cli):
    result = cli("cluster", pictures[0], "--out", tmp_path / "s", *options)
    assert result.exit_code == 2 and sentence in result.stderr and not (tmp_path / "s").exists()


def test_what_cannot_be_segmented_or_written_is_refused_before_any_work(pictures, tmp_path, cli):
    folder, _ = pictures
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "p0.png").write_text("mine")
    kept = cli("cluster", folder, *FAST, "--out", tmp_path / "s")
    assert kept.exit_code == 2 and "--force" in kept.stderr and "learning" not in kept.stderr
    Image.new("L", (2048, 2049)).save(folder / "large.png")
    large = cli("cluster", folder, "--out", tmp_path / "t")
    assert large.exit_code == 2 and "large.png has 2048×2049 pixels" in large.stderr
    Image.new("L", (1, 9)).save(folder / "large.png")
    thin = cli("cluster", folder, "--out", tmp_path / "t")
    assert thin.exit_code == 2 and "large.png has one row or column" in thin.stderr
    assert cli("cluster", tmp_path / "nowhere").exit_code == 2
