"""`minitorch-seg train --model NAME` for the recurrent models, the autoencoder and the one without labels."""

import json

import numpy as np
import pytest
from PIL import Image

from minitorch_seg.io import load_state_dict

TINY = ("--base-channels", "2", "--depth", "2", "--batch-size", "4", "--steps", "10")


@pytest.mark.parametrize("name", ["reseg", "sequence_rnn", "autoencoder", "wnet"])
def test_ten_steps_on_coins(name, tmp_path, cli):
    run = tmp_path / "run"
    result = cli("train", "--model", name, "--out", run, "--crop", 16, "--clip-norm", 1, *TINY)
    assert result.exit_code == 0, result.output
    metrics = json.loads((run / "metrics.json").read_text())
    assert list(metrics["classes"]) == ["background", "coin"] and 0 <= metrics["miou"] <= 1
    config = json.loads((run / "config.json").read_text())
    assert config["model"] == name and "--clip-norm 1.0" in config["command"]
    if name == "wnet":  # the names of the segments are saved with the weights
        assert json.loads(cli("evaluate", run, "--json").stdout)["miou"] == pytest.approx(metrics["miou"])


def test_masks_change_nothing_but_the_names_of_a_model_without_labels(folder, tmp_path, cli):
    """All masks are turned inside out: the same network, its segments named the other way round."""
    options = ("--data", folder, "--model", "wnet", *TINY)
    assert cli("train", "--out", tmp_path / "a", *options).exit_code == 0
    for path in (folder / "masks").iterdir():
        Image.fromarray(1 - np.array(Image.open(path))).save(path)
    assert cli("train", "--out", tmp_path / "b", *options).exit_code == 0
    a, b = (load_state_dict(tmp_path / run / "model.safetensors") for run in "ab")
    first, second = a.pop("matching"), b.pop("matching")
    np.testing.assert_array_equal(first, second[::-1])
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    scores = [json.loads((tmp_path / run / "metrics.json").read_text()) for run in "ab"]
    assert scores[0]["miou"] == pytest.approx(scores[1]["miou"])
    assert "best_validation_loss" in scores[0] and "best_validation_miou" not in scores[0]
    header = (tmp_path / "a" / "history.csv").read_text().splitlines()[0].split(",")
    assert {"loss", "val_loss", "val_miou"} <= set(header) and "miou" not in header


@pytest.mark.parametrize(
    "options, words",
    [
        (("--clip-norm", "0"), ["--clip-norm must be above 0"]),
        (("--model", "wnet", "--loss", "dice_loss"), ["wnet learns without labels"]),
    ],
)
def test_wrong_options(options, words, tmp_path, cli):
    result = cli("train", "--out", tmp_path / "run", *options)
    assert result.exit_code == 2
    assert all(word in result.stderr for word in words) and not (tmp_path / "run").exists()
