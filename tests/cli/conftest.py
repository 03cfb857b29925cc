"""A small folder of images and masks, and a way to run a command as a user would."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from minitorch_seg.cli import main

TINY = ["--base-channels", "2", "--depth", "1", "--batch-size", "4"]


@pytest.fixture(scope="session")
def make_folder():
    """make_folder(path, count): bright squares on dark ground, classes background and square."""

    def make(path, count=8, size=16):
        rng = np.random.default_rng(0)
        for part in ("images", "masks"):
            (path / part).mkdir(parents=True)
        for k in range(count):
            mask = np.zeros((size, size), np.uint8)
            y, x = rng.integers(1, size // 2, 2)
            mask[y : y + size // 3, x : x + size // 3] = 1
            pixels = np.clip(50 + 150 * mask + rng.normal(0, 10, mask.shape), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(path / "images" / f"im{k}.png")
            Image.fromarray(mask).save(path / "masks" / f"im{k}.png")
        (path / "manifest.json").write_text(json.dumps({"classes": ["background", "square"]}))
        stems = [f"im{k}" for k in range(count)]
        split = {"train": stems[: count - 4], "val": stems[count - 4 : count - 2], "test": stems[count - 2 :]}
        (path / "split.json").write_text(json.dumps(split))
        return path

    return make


@pytest.fixture
def folder(tmp_path, make_folder):
    return make_folder(tmp_path / "data")


@pytest.fixture
def cli():
    """cli("train", "--steps", 3) -> result; what is neither an exit nor a user's error is raised."""

    def run(*words):
        return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory, make_folder):
    """(data folder, run folder) of a short training."""
    base = tmp_path_factory.mktemp("trained")
    data = make_folder(base / "data")
    words = ["train", "--data", str(data), "--out", str(base / "run"), "--steps", "30", *TINY]
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return data, base / "run"
