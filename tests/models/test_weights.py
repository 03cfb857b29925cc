"""The weights that come with the package: small, whole, and as good as their record says."""

import json

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.train.run import load_model, packaged_models


def test_nuclei_comes_along_and_is_small():
    config_file = packaged_models()["nuclei"]
    config = json.loads(config_file.read_text(encoding="utf-8"))
    assert config_file.with_suffix(".safetensors").stat().st_size <= 2_000_000
    assert config["command"].startswith("minitorch-seg train --data nuclei")
    assert config["classes"] == ["background", "nucleus", "boundary"]


def test_nuclei_finds_bright_spots_on_a_dark_ground():
    model, _ = load_model("nuclei")
    rows, columns = np.mgrid[:128, :128]
    image = np.full((128, 128), 10.0)
    for y, x in ((30, 30), (30, 90), (90, 60)):
        image += 120 * np.exp(-((((rows - y) ** 2 + (columns - x) ** 2) / 60.0) ** 2))
    pixels = np.repeat(image[..., None], 3, axis=2).clip(0, 255).astype(np.uint8)
    with ms.no_grad():
        logits = model(ms.tensor(ms.data.transforms.normalize(pixels).transpose(2, 0, 1)[None]))
    found = logits.argmax(1).data[0]
    assert all(found[y, x] == 1 for y, x in ((30, 30), (30, 90), (90, 60)))
    assert np.mean(found[:10] == 0) > 0.99 and np.mean(found[110:] == 0) > 0.99


@pytest.mark.slow
def test_nuclei_scores_what_its_record_says():
    if ms.data.registry.find("nuclei") is None:
        pytest.skip("the nuclei set is not on this machine: minitorch-seg datasets get nuclei")
    from minitorch_seg.train.evaluate import evaluate

    model, config = load_model("nuclei")
    matrix = evaluate(model, ms.data.load("nuclei").test, 3)
    assert matrix.mean_iou() == pytest.approx(config["test_scores"]["miou"], abs=1e-3)
