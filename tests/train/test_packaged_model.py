"""The nuclei U-Net in the package: small, documented, and as good as it says."""

import json
from pathlib import Path

import numpy as np
import pytest

from minitorch_seg import data, models
from minitorch_seg.train.evaluate import evaluate
from minitorch_seg.train.predict import predict_image
from minitorch_seg.train.run import load_model, packaged_models


def test_nuclei_comes_with_the_package_and_says_how_it_was_made():
    path = packaged_models()["nuclei"]
    assert path.with_suffix(".safetensors").stat().st_size <= 2_000_000
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["command"].startswith("minitorch-seg train --data nuclei --steps ")
    assert record["test_scores"]["miou"] > 0.66


def test_no_other_trained_weights_ship():
    package = Path(models.__file__).parents[1]
    kinds = {".safetensors", ".npz", ".npy", ".pt", ".pth", ".h5", ".ckpt", ".onnx", ".pkl", ".bin"}
    found = [path.name for path in package.rglob("*") if path.suffix in kinds]
    assert found == ["nuclei.safetensors"]


def test_it_finds_bright_disks_on_dark_ground():
    """An image of our own making: what fluorescent nuclei look like, roughly."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:100, :140]
    truth = np.zeros((100, 140), bool)
    for y in range(15, 100, 25):
        for x in range(15, 140, 25):
            truth |= (rows - y) ** 2 + (columns - x) ** 2 <= 6**2
    pixels = np.clip(12 + 70 * truth + rng.normal(0, 3, truth.shape), 0, 255).astype(np.uint8)
    model, config = load_model("nuclei")
    found = predict_image(model, pixels[..., np.newaxis].repeat(3, axis=2)) > 0
    assert config["classes"] == ["background", "nucleus", "boundary"]
    assert (found & truth).sum() / (found | truth).sum() > 0.8


@pytest.mark.skipif(data.find("nuclei") is None, reason="the nuclei images are not on this machine")
def test_its_score_on_the_test_images_is_the_recorded_one():
    splits = data.load("nuclei")
    model, config = load_model("nuclei")
    matrix = evaluate(model, splits.test, len(splits.classes), splits.ignore_index)
    assert matrix.mean_iou() == pytest.approx(config["test_scores"]["miou"], abs=0.002)
