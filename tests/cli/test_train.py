"""`minitorch-seg train`: a whole run folder, the same bits twice, stopped and resumed, bad input in one
sentence."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from minitorch_seg.data import signs
from minitorch_seg.errors import ShapeError
from minitorch_seg.io import load_state_dict
from minitorch_seg.train.history import History
from minitorch_seg.train.recipe import Options, make_plan
from minitorch_seg.train.run import FILES, RunFolder

TINY = ("--base-channels", "2", "--depth", "1", "--batch-size", "4")


def names(path):
    return sorted(entry.name for entry in path.iterdir())


def assert_same_run(a, b):
    assert (a / "history.csv").read_bytes() == (b / "history.csv").read_bytes()
    first, second = load_state_dict(a / "model.safetensors"), load_state_dict(b / "model.safetensors")
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    scores = [json.loads((path / "metrics.json").read_text()) for path in (a, b)]
    for metrics in scores:
        metrics.pop("seconds")
    assert scores[0] == scores[1]


def fails(result, *words, code=2):
    """One sentence on standard error, no traceback, the exit code."""
    assert result.exit_code == code, result.output
    lines = result.stderr.strip().splitlines()
    assert lines[-1].startswith("error: ") and "Traceback" not in result.output
    for word in words:
        assert word in lines[-1], lines[-1]
    return lines[-1]


def test_a_model_is_trained_on_drawn_signs_by_one_command_that_says_what_they_are(tmp_path, cli, monkeypatch):
    for split, count in {"train": 6, "val": 2, "test": 3}.items():
        monkeypatch.setitem(signs.COUNTS, split, count)
    result = cli("train", "--data", "signs", "--steps", 2, "--out", tmp_path / "run", *TINY)
    assert result.exit_code == 0, result.output
    assert "signs is synthetic" in result.stderr and "3 test images" in result.stdout
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["classes"] == ["background", "warning", "prohibition", "mandatory", "stop"]
    assert config["options"]["symmetry"] == "none"  # an arrow upwards means another thing than one downwards
    assert "signs is synthetic" in cli("evaluate", tmp_path / "run").stdout


def test_a_run_folder_is_whole(trained):
    data, run = trained
    assert names(run) == sorted(FILES)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["split"] == "test" and metrics["images"] == 2
    assert list(metrics["classes"]) == ["background", "square"]
    scores = [metrics["classes"][name]["iou"] for name in metrics["classes"]]
    assert metrics["miou"] == pytest.approx(np.mean(scores)) and metrics["miou"] > 0.7
    assert metrics["baselines"]["majority"]["classes"]["square"]["iou"] == 0
    for picture in ("curves.png", "predictions.png"):
        with Image.open(run / picture) as image:
            image.load()
            assert min(image.size) > 300
    history = History.from_csv(run / "history.csv")
    assert history.epoch[-1] == 30 and {"loss", "miou", "val_loss", "val_miou"} <= set(history.history)
    config = json.loads((run / "config.json").read_text())
    assert config["steps"] == 30 and config["options"]["data"] == str(data)
    assert metrics["best_validation_miou"] == np.nanmax(history.history["val_miou"])


def test_the_command_in_config_repeats_the_run_bit_for_bit(trained, tmp_path, cli):
    _, run = trained
    words = json.loads((run / "config.json").read_text())["command"].split()
    assert words[0] == "minitorch-seg"
    assert cli(*words[1:], "--out", tmp_path / "again").exit_code == 0
    assert_same_run(run, tmp_path / "again")


def test_the_end_of_the_output_says_what_to_open_and_to_try(folder, tmp_path, cli):
    result = cli("train", "--data", folder, "--out", tmp_path / "run", "--epochs", 2, *TINY)
    assert result.exit_code == 0
    text = result.stdout
    assert "location prior IoU" in text and "predictions.png" in text
    assert text.strip().splitlines()[-1].startswith("To segment images of your own:  minitorch-seg predict")


def test_minutes_freeze_the_number_of_steps(folder, tmp_path, cli):
    result = cli("train", "--data", folder, "--out", tmp_path / "run", "--minutes", 0.15, *TINY)
    assert result.exit_code == 0, result.output
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["steps"] >= 1 and config["calibrated_for_minutes"] == 0.15
    assert f"--steps {config['steps']}" in config["command"] and "--minutes" not in config["command"]


def test_minutes_that_leave_no_time(folder, tmp_path, cli):
    result = cli("train", "--data", folder, "--out", tmp_path / "run", "--minutes", 0.001, *TINY)
    fails(result, "--minutes 0.001 leaves no time", "give at least")
    assert not (tmp_path / "run").exists()


def test_force_leaves_the_earlier_run_alone_when_the_new_one_cannot_start(folder, tmp_path, cli):
    options = ("train", "--data", folder, "--out", tmp_path / "run", *TINY)
    assert cli(*options, "--steps", 2).exit_code == 0
    before = {entry.name: entry.read_bytes() for entry in (tmp_path / "run").iterdir()}
    fails(cli(*options, "--minutes", 0.001, "--force"), "leaves no time")
    assert {entry.name: entry.read_bytes() for entry in (tmp_path / "run").iterdir()} == before


def start(*words):
    """The command in a process of its own, as a shell would start it in the foreground."""
    words = [sys.executable, "-m", "minitorch_seg", *map(str, words)]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have switched it off
    try:
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_keeps_the_best_weights_and_resume_gives_the_uninterrupted_run(make_folder, tmp_path, cli):
    folder = make_folder(tmp_path / "large", size=64)
    options = ("--data", folder, "--steps", 80, "--base-channels", 4, "--depth", 2, "--batch-size", 4)
    process = start("train", "--out", tmp_path / "stopped", *options)
    checkpoint = tmp_path / "stopped" / "checkpoint.safetensors"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    last = errors.strip().splitlines()[-1]
    assert last.startswith("stopped after step") and "best weights so far (validation mIoU" in last
    assert names(tmp_path / "stopped") == [
        "checkpoint.safetensors",
        "config.json",
        "history.csv",
        "model.safetensors",
    ]
    assert cli("predict", tmp_path / "stopped", folder, "--out", tmp_path / "p").exit_code == 0
    resumed = cli("train", "--resume", "--out", tmp_path / "stopped")
    assert resumed.exit_code == 0, resumed.output
    assert names(tmp_path / "stopped") == sorted(FILES)
    assert cli("train", "--out", tmp_path / "straight", *options).exit_code == 0
    assert_same_run(tmp_path / "stopped", tmp_path / "straight")


def interrupt(*arguments):
    raise KeyboardInterrupt


def test_ctrl_c_before_the_first_step_keeps_nothing(folder, tmp_path, cli, monkeypatch):
    monkeypatch.setattr("minitorch_seg.models.UNet.forward", interrupt)
    result = cli("train", "--data", folder, "--out", tmp_path / "run", "--steps", 2, *TINY)
    assert result.exit_code == 130
    assert result.stderr.strip().splitlines()[-1] == "stopped before the first step; nothing was kept"
    assert not (tmp_path / "run").exists()


def test_ctrl_c_before_the_first_validation_says_so(folder, tmp_path, cli, monkeypatch):
    monkeypatch.setattr("minitorch_seg.train.recipe.Plan.validation", lambda plan, trainer: interrupt)
    result = cli("train", "--data", folder, "--out", tmp_path / "run", "--steps", 2, *TINY)
    assert result.exit_code == 130
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("stopped after step 1 of 2; the weights of that step, which no validation has")
    assert names(tmp_path / "run") == ["config.json", "model.safetensors"]


def test_resume_takes_no_other_options_and_needs_a_stopped_run(trained, tmp_path, cli):
    _, run = trained
    fails(cli("train", "--resume"), "--out RUN")
    fails(cli("train", "--resume", "--out", run, "--lr", 0.1), "leave --lr out")
    fails(cli("train", "--resume", "--out", run), "this run is finished")
    fails(cli("train", "--resume", "--out", tmp_path / "none"), "no run folder")


def test_an_edited_run_is_one_sentence(folder, tmp_path, cli):
    run = RunFolder(tmp_path / "run")
    options = ("--data", folder, "--out", run.path, "--steps", 2, *TINY)
    assert cli("train", *options).exit_code == 0
    config = run.config()
    plan = make_plan(Options(**config["options"]))
    run.save_checkpoint(plan.trainer(2).state_dict())
    (run.path / "metrics.json").unlink()
    resume = ("train", "--resume", "--out", run.path)
    run.save_config(config | {"model_options": {"base_channels": 4, "depth": 1}})
    fails(cli(*resume), "its checkpoint does not fit its config.json")
    run.save_config(config | {"options": config["options"] | {"learning_rate": 1}})
    fails(cli(*resume), "learning_rate")
    run.save_config(config | {"options": config["options"] | {"lr": "fast"}})
    fails(cli(*resume), "its options are not those of train")
    config.pop("options")
    run.save_config(config)
    fails(cli(*resume), "config.json lacks options")
    fails(cli("evaluate", run.path), "does not say on what data", "--data")
    assert cli("evaluate", run.path, "--data", folder).exit_code == 0


def test_a_loss_that_explodes_is_one_sentence(folder, tmp_path, cli):
    result = cli("train", "--data", folder, "--out", tmp_path / "run", "--lr", 1e30, "--epochs", 9, *TINY)
    fails(result, "the loss became", "use a smaller learning rate")
    assert not (tmp_path / "run" / "metrics.json").exists()
    early = ("--data", folder, "--out", tmp_path / "early", "--lr", 1e30, *TINY, "--batch-size", 2)
    fails(cli("train", *early), "the loss became nan at step 2")
    assert not (tmp_path / "early").exists()  # no config of a run without weights


@pytest.mark.parametrize(
    "options, words",
    [
        (("--data", "nowhere"), ["nowhere"]),
        (("--data", "nuclie"), ["did you mean nuclei"]),
        (("--model", "unett"), ["--model unett", "did you mean unet"]),
        (("--device", "tpu"), ["--device tpu", "valid: cpu, cuda"]),
        (("--loss", "dise_loss"), ["no loss 'dise_loss'", "did you mean dice_loss"]),
        (("--lr", "-1"), ["--lr must be above 0"]),
        (("--batch-size", "0"), ["--batch-size must be at least 1"]),
        (("--steps", "0"), ["--steps must be at least 1"]),
        (("--seed", "-1"), ["--seed"]),
        (("--minutes", "-1"), ["--minutes must be above 0"]),
        (("--minutes", "inf"), ["--minutes must be above 0 and finite"]),
        (("--depth", "30"), ["--depth must be at most 8, not 30"]),
        (("--base-channels", "1000000"), ["--base-channels must be at most 512"]),
        (("--crop", "1000000"), ["--crop must be at most 4096"]),
        (("--crop", "8", "--depth", "3", "--batch-size", "1"), ["--depth 3 shrinks 8x8 pixels to one"]),
        (("--steps", "5", "--epochs", "2"), ["one of --epochs, --steps and --minutes"]),
    ],
)
def test_wrong_options(options, words, tmp_path, cli):
    result = cli("train", "--out", tmp_path / "run", *options)
    fails(result, *words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("minutes", [False, True])
@pytest.mark.parametrize(
    "error, sentence",
    [
        (MemoryError("Unable to allocate 9 TiB"), "use a smaller --batch-size"),
        (ShapeError("pool: no pixel is left"), "the first step failed: pool: no pixel is left"),
    ],
)
def test_a_first_step_that_fails_leaves_nothing(error, sentence, minutes, folder, tmp_path, cli, monkeypatch):
    from minitorch_seg.models import UNet

    def broken(self, x):
        raise error

    monkeypatch.setattr(UNet, "forward", broken)
    length = ("--minutes", 1) if minutes else ("--steps", 2)
    fails(cli("train", "--data", folder, "--out", tmp_path / "run", *length, *TINY), sentence)
    assert not (tmp_path / "run").exists()


def test_a_last_batch_of_one_image_is_named_when_one_pixel_is_left(folder, tmp_path, cli):
    options = ("--data", folder, "--out", tmp_path / "run", "--depth", 4, "--base-channels", 2)
    fails(cli("train", *options, "--batch-size", 3), "the last batch holds one image")  # 3 + 1 of 4
    assert cli("train", *options, "--batch-size", 2, "--steps", 2).exit_code == 0


def bomb(path):
    """A PNG that says it is 40,000 x 40,000 pixels, in a few bytes."""
    import struct
    import zlib

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"\0" * 1000)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def truncated(path):
    path.write_bytes(path.read_bytes()[:70])


def resized(path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)


def with_value(path):
    mask = np.array(Image.open(path))
    mask[0, 0] = 7
    Image.fromarray(mask).save(path)


def empty_split(path):
    split = json.loads(path.read_text())
    split["train"] += split.pop("test")
    path.write_text(json.dumps(split | {"test": []}))


@pytest.mark.parametrize(
    "file, spoil, words",
    [
        ("masks/im3.png", lambda path: path.unlink(), ["im3"]),
        ("masks/im3.png", resized, ["im3.png", "8x8", "16x16"]),
        ("masks/im3.png", with_value, ["im3.png", "7"]),
        ("images/im3.png", truncated, ["im3.png"]),
        ("images/im3.png", lambda path: path.write_text("no image"), ["im3.png"]),
        ("images/im3.png", bomb, ["im3.png", "too large"]),
        ("split.json", empty_split, ["test"]),
        ("split.json", lambda path: path.write_text("{"), ["split.json"]),
        ("manifest.json", lambda path: path.write_text("[]"), ["manifest.json"]),
    ],
)
def test_a_spoiled_folder_is_named_before_anything_is_made(file, spoil, words, folder, tmp_path, cli):
    spoil(folder / file)
    result = cli("train", "--data", folder, "--out", tmp_path / "run", "--steps", 2, *TINY)
    fails(result, *words)
    assert not (tmp_path / "run").exists()


def test_an_earlier_run_is_never_overwritten_without_force(trained, tmp_path, cli, folder):
    _, run = trained
    before = (run / "metrics.json").read_bytes()
    fails(cli("train", "--data", folder, "--out", run, "--steps", 2, *TINY), "earlier run", "--force")
    assert (run / "metrics.json").read_bytes() == before
    options = ("train", "--data", folder, "--out", tmp_path / "own", "--steps", 2, *TINY)
    assert cli(*options).exit_code == 0
    assert cli(*options, "--force").exit_code == 0


def test_a_run_folder_that_cannot_be_written(folder, tmp_path, cli):
    (tmp_path / "file").write_text("")
    result = cli("train", "--data", folder, "--out", tmp_path / "file" / "run", "--steps", 2, *TINY)
    fails(result, "--out", "cannot write there")
    assert (tmp_path / "file").read_text() == ""
