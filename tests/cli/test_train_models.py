"""`minitorch-seg train --model NAME` for the recurrent models, the autoencoder and the one without labels."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from minitorch_seg.io import load_state_dict
from minitorch_seg.train.recipe import Options, make_plan

TINY = ("--base-channels", "2", "--depth", "2", "--batch-size", "4", "--steps", "10")


@pytest.mark.parametrize("name", ["reseg", "sequence_rnn", "autoencoder"])
def test_it_learns_to_find_squares(name, folder, tmp_path, cli):
    """Forty steps from the command line; a majority class alone has half the score."""
    run = tmp_path / "run"
    options = ("--base-channels", 4, "--depth", 1, "--batch-size", 4, "--steps", 40, "--seed", 1)
    lr = ("--lr", 0.01) if name == "sequence_rnn" else ()
    result = cli("train", "--data", folder, "--model", name, "--out", run, "--no-augment", *options, *lr)
    assert result.exit_code == 0, result.output
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["miou"] > metrics["baselines"]["majority"]["miou"] + 0.15
    config = json.loads((run / "config.json").read_text())
    recurrent = name in ("reseg", "sequence_rnn")
    assert config["model"] == name and config["options"]["clip_norm"] == (1.0 if recurrent else None)


def test_the_names_of_segments_are_saved_with_the_weights(tmp_path, cli):
    run = tmp_path / "run"
    result = cli("train", "--model", "wnet", "--out", run, "--crop", 16, *TINY)
    assert result.exit_code == 0, result.output
    metrics = json.loads((run / "metrics.json").read_text())
    assert list(metrics["classes"]) == ["background", "coin"]
    again = cli("evaluate", run, "--json", "--pictures", tmp_path / "shown.png")
    assert json.loads(again.stdout)["miou"] == pytest.approx(metrics["miou"])
    assert (tmp_path / "shown.png").stat().st_size > 10_000


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
        (("--model", "patch_cnn", "--size", "5"), ["--size must be at least 10"]),
        (("--model", "patch_cnn", "--scale", "2"), ["--scale: patch_cnn is trained on patches"]),
        (("--symmetry", "square1"), ["did you mean square", "none, mirror, square"]),
        (("--ema", "1"), ["--ema must be below 1"]),
        (("--optimizer", "adamv"), ["did you mean adam"]),
        (("--loss", "lovasz"), ["no loss 'lovasz'"]),
        (("--model", "reseg", "--set", "cells=gru"), ["--set cells=gru: reseg has", "cell"]),
        (("--share", "1.5"), ["--share must be at most 1"]),
        (("--init", "nowhere.safetensors"), ["nowhere.safetensors"]),
    ],
)
def test_wrong_options(options, words, tmp_path, cli):
    result = cli("train", "--out", tmp_path / "run", *options)
    assert result.exit_code == 2
    assert all(word in result.stderr for word in words) and not (tmp_path / "run").exists()


def test_every_option_reaches_the_training_and_prediction(folder, tmp_path, cli):
    run = tmp_path / "run"
    words = ["--loss", "cross_entropy+lovasz_softmax", "--class-weights", "sqrt", "--label-smoothing", "0.1"]
    words += ["--optimizer", "rmsprop", "--lr", "0.001", "--weight-decay", "0", "--ema", "0.9", "--average"]
    words += ["--symmetry", "mirror", "--normalize", "dataset", "--scale", "1.2", "--shift", "2"]
    words += ["--rotate", "10", "--elastic", "1.5", "--colour", "0.5"]
    words += [
        "--balance",
        "0.5",
        "--crop",
        "12",
        "--share",
        "0.75",
        "--set",
        "cell=lstm",
        "--set",
        "layers=1",
        "--set",
        "truncate=5",
        "--clip-norm",
        "0.5",
    ]
    result = cli("train", "--data", folder, "--model", "reseg", "--out", run, *words, *TINY)
    assert result.exit_code == 0, result.output
    assert "normalised by data set; gamma, colour, mirrored, scaled up to 1.2 times" in result.stderr
    assert "turned up to 10 degrees, bent by 1.5 pixels, shifted up to 2 pixels" in result.stderr
    config, metrics = (json.loads((run / f"{name}.json").read_text()) for name in ("config", "metrics"))
    assert config["model_options"] == {
        "base_channels": 2,
        "depth": 2,
        "cell": "lstm",
        "layers": 1,
        "truncate": 5,
    }
    assert config["options"]["clip_norm"] == 0.5 and "parameters" in result.stderr
    assert config["average"] == "mirror" and set(config["normalize"]) == {"mean", "std"}
    assert config["images"]["train"] == 3 and "--set layers=1 --set truncate=5" in config["command"]
    scored = json.loads(cli("evaluate", run, "--json").stdout)
    assert scored["miou"] == pytest.approx(metrics["miou"], abs=1e-12)  # normalised and averaged alike
    assert cli("predict", run, folder / "images" / "im0.png", "--out", tmp_path / "out").exit_code == 0


def test_truncation_and_clipping_reach_a_recurrent_training(folder, tmp_path, cli):
    """Each changes where a step of plain SGD leads; a clipped one is as long as the norm says."""
    common = {
        "data": str(folder),
        "model": "sequence_rnn",
        "optimizer": "sgd",
        "weight_decay": 0.0,
        "lr": 0.5,
    }
    common |= {"augment": False, "base_channels": 2, "depth": 1}
    moved = {}
    for name, options in {
        "plain": {"clip_norm": 1e9},
        "truncated": {"clip_norm": 1e9, "set": ("truncate=3",)},
        "clipped": {"clip_norm": 1e-3},
    }.items():
        plan = make_plan(Options(**common, **options))
        trainer = plan.trainer(1)
        before = np.concatenate([p.data.ravel() for p in trainer.model.parameters()])
        trainer.fit(plan.loader(), steps=1, progress=False)
        moved[name] = np.concatenate([p.data.ravel() for p in trainer.model.parameters()]) - before
    assert np.linalg.norm(moved["clipped"]) == pytest.approx(0.5 * 1e-3, rel=1e-2)
    cosine = moved["clipped"] @ moved["plain"]
    cosine /= np.linalg.norm(moved["clipped"]) * np.linalg.norm(moved["plain"])
    assert cosine == pytest.approx(1, abs=1e-3)  # shorter, not turned
    apart = np.linalg.norm(moved["truncated"] - moved["plain"])
    assert 1e-3 < apart / np.linalg.norm(moved["plain"]) < 1  # the gradient of shorter memories
    words = ("--data", folder, "--model", "sequence_rnn", "--set", "truncate=0", "--out", tmp_path / "zero")
    refused = cli("train", *words)
    assert refused.exit_code == 2 and "truncate must be at least 1" in refused.stderr


def test_a_baseline_is_evaluated_like_a_run(folder, cli):
    scored = json.loads(cli("evaluate", "otsu", "--data", folder, "--json").stdout)
    assert (
        scored["miou"] > 0.95
        and scored["images"] == 2
        and set(scored["baselines"]) == {"majority", "location prior"}
    )
    missing = cli("evaluate", "otsu")
    assert missing.exit_code == 2 and "add --data" in missing.stderr


def test_a_folder_without_masks_is_enough_for_a_model_without_labels(folder, tmp_path, cli):
    shutil.rmtree(folder / "masks")
    run = tmp_path / "run"
    result = cli("train", "--data", folder, "--model", "wnet", "--segments", 3, "--out", run, *TINY)
    assert result.exit_code == 0, result.output
    config, metrics = (json.loads((run / f"{name}.json").read_text()) for name in ("config", "metrics"))
    assert config["classes"] == ["segment 1", "segment 2", "segment 3"] and metrics["miou"] is None
    assert cli("predict", run, folder / "images" / "im0.png", "--out", tmp_path / "out").exit_code == 0
    assert (tmp_path / "out" / "im0.png").exists()
    refused = cli("train", "--data", folder, "--model", "unet", "--out", tmp_path / "other", *TINY)
    assert refused.exit_code == 2 and "masks" in refused.stderr
