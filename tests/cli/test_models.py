"""Every convolutional model from the command line: train on coins, evaluate, predict."""

import json

import numpy as np
import pytest
from PIL import Image

import minitorch_seg as ms

SMALL = {
    "fcn8s": ("--base-channels", 4, "--steps", 20),
    "segnet": ("--base-channels", 4, "--depth", 2, "--steps", 20),
    "patch_cnn": ("--base-channels", 4, "--size", 16, "--steps", 20),
}


def picture_of(path):
    """Whether a picture can be read and is not of one colour."""
    with Image.open(path) as picture:
        return len(np.unique(np.asarray(picture.convert("L")))) > 20


@pytest.mark.parametrize("model", SMALL)
def test_train_evaluate_predict(model, tmp_path, cli):
    run = tmp_path / "run"
    result = cli("train", "--model", model, "--out", run, *SMALL[model])
    assert result.exit_code == 0, result.output
    config, metrics = (json.loads((run / f"{name}.json").read_text()) for name in ("config", "metrics"))
    assert config["model"] == model and config["model_options"]["base_channels"] == 4
    assert f"--model {model}" in config["command"]
    majority = metrics["baselines"]["majority"]["miou"]
    assert metrics["miou"] > majority + 0.15
    more = ("--pictures", tmp_path / "shown.png") if model == "patch_cnn" else ()
    scored = cli("evaluate", run, "--json", *more)
    assert json.loads(scored.stdout)["miou"] == pytest.approx(metrics["miou"], abs=1e-9)
    assert not more or picture_of(tmp_path / "shown.png")
    image = ms.data.load("coins").test[0].image[:50, :41, 0]  # a size that no training image had
    Image.fromarray(image).save(tmp_path / "coin.png")
    assert cli("predict", run, tmp_path / "coin.png", "--out", tmp_path / "found").exit_code == 0
    with Image.open(tmp_path / "found" / "coin.png") as picture:
        mask = np.array(picture)
    assert mask.shape == (50, 41) and set(np.unique(mask)) <= {0, 1}
