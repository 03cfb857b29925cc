"""The other commands, from outside."""

import functools
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from minitorch_seg.cli import COMMANDS


def test_help_lists_every_command_and_is_quick_to_import(cli):
    text = cli("--help").output
    assert all(f"  {name}" in text for name in COMMANDS)
    code = (
        "import sys; from click.testing import CliRunner; from minitorch_seg.cli import main;"
        "CliRunner().invoke(main, ['--help']);"
        "print([m for m in ('numba', 'matplotlib', 'scipy', 'skimage', 'PIL') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name, cli):
    result = cli(name, "--help")
    assert result.exit_code == 0 and "Usage" in result.output


def test_version(cli):
    from minitorch_seg import __version__

    assert __version__ in cli("--version").output


def test_a_wrong_command_names_the_nearest(cli):
    result = cli("trian")
    assert result.exit_code == 2 and "did you mean train?" in result.stderr


def test_python_dash_m():
    words = [sys.executable, "-m", "minitorch_seg", "check", "no-such-folder"]
    result = subprocess.run(words, capture_output=True, text=True)
    assert result.returncode == 2
    assert (
        result.stderr
        == "error: no-such-folder: there is no such folder; give one that holds images/ and masks/\n"
    )


def run_python(*words, **environment):
    """`python -m minitorch_seg` in a process of its own, with bytes for output."""
    command = [sys.executable, "-m", "minitorch_seg", *map(str, words)]
    return subprocess.run(command, capture_output=True, env=os.environ | environment)


def test_a_terminal_that_lacks_the_letters_gets_question_marks():
    result = run_python("show", "conv2d", PYTHONIOENCODING="cp1252")
    assert result.returncode == 0 and b"?" in result.stdout and result.stderr == b""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such file names")
def test_file_names_that_are_not_utf8(folder, tmp_path):
    for part in ("images", "masks"):
        for path in (folder / part).iterdir():
            os.rename(path, os.fsencode(path.parent) + b"/\xff" + path.name[2:].encode())
    (folder / "split.json").unlink()
    utf8 = {"PYTHONIOENCODING": "utf-8"}
    assert run_python("check", folder, **utf8).returncode == 0
    options = ("--steps", 2, "--base-channels", 2, "--depth", 1)
    trained = run_python("train", "--data", folder, "--out", tmp_path / "run", *options, **utf8)
    assert trained.returncode == 0, trained.stderr
    predicted = run_python("predict", tmp_path / "run", folder, "--out", tmp_path / "p", **utf8)
    assert predicted.returncode == 0, predicted.stderr
    assert os.path.exists(os.fsencode(tmp_path / "p") + b"/\xff0_overlay.png")
    assert "\\udcff0.png" in (tmp_path / "p" / "areas.csv").read_text(encoding="utf-8")
    os.remove(os.fsencode(folder / "masks") + b"/\xff0.png")
    broken = run_python("check", folder, "--json", **utf8)
    assert broken.returncode == 2 and "\udcff0" in json.loads(broken.stdout)["problems"][0]


def test_our_own_mistakes_keep_their_traceback(cli, monkeypatch):
    from minitorch_seg.data import check

    def broken(*arguments, **options):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(check, "check_folder", broken)
    with pytest.raises(ZeroDivisionError):
        cli("check", ".")


def test_ctrl_c_is_130(cli, monkeypatch):
    from minitorch_seg.data import check

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "check_folder", interrupted)
    result = cli("check", ".")
    assert result.exit_code == 130 and result.stderr == "stopped\n"


def test_evaluate_repeats_the_scores_of_the_training(trained, cli):
    _, run = trained
    expected = json.loads((run / "metrics.json").read_text())
    result = cli("evaluate", run, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout).items() <= expected.items()
    text = cli("evaluate", run).stdout
    assert "majority IoU" in text and f"{expected['miou']:.3f}" in text


@pytest.mark.parametrize("name", ["otsu", "code_clusters"])
def test_evaluate_fits_a_method_and_draws_what_it_scored(name, cli, folder, tmp_path, monkeypatch):
    from minitorch_seg import unsupervised

    tiny = functools.partial(unsupervised.CodeClusters, steps=3, base_channels=2, depth=1)
    monkeypatch.setitem(unsupervised.METHODS, "code_clusters", tiny)
    path = tmp_path / "shown.png"
    result = cli("evaluate", name, "--data", folder, "--split", "val", "--pictures", path)
    assert result.exit_code == 0 and f"wrote {path}" in result.stdout and "2 images" in result.stdout
    assert ("masks only name" in result.stderr) == (name == "code_clusters")
    with Image.open(path) as picture:
        assert picture.size[1] > 2 * 200 and len(np.unique(np.asarray(picture.convert("L")))) > 20


def test_what_evaluate_cannot_do_is_refused_before_any_work(cli, tmp_path, monkeypatch):
    from minitorch_seg.kernels import devices

    other = cli("evaluate", "otsu", "--data", "coins", "--pictures", tmp_path / "shown.jpg")
    assert other.exit_code == 2 and "ends in .png" in other.stderr
    missing = cli("evaluate", "otsu", "--data", "coins", "--pictures", tmp_path / "no" / "shown.png")
    assert missing.exit_code == 2 and "folder is not there" in missing.stderr
    monkeypatch.setattr(devices, "problem", lambda: "")
    monkeypatch.setattr(devices, "describe", lambda: ["a stand-in"])
    elsewhere = cli("evaluate", "otsu", "--data", "coins", "--device", "cuda")
    assert elsewhere.exit_code == 2 and "otsu is fitted on the CPU" in elsewhere.stderr
    unfitted = cli("evaluate", "self_taught")
    assert unfitted.exit_code == 2 and "add --data" in unfitted.stderr


def test_evaluate_on_other_data_and_splits(trained, cli, folder):
    _, run = trained
    result = cli("evaluate", run, "--data", folder, "--split", "val", "--json")
    assert json.loads(result.stdout)["split"] == "val"
    wrong = cli("evaluate", run, "--split", "tset")
    assert wrong.exit_code == 2 and "did you mean test" in wrong.stderr
    other = cli("evaluate", run, "--data", "coins")
    assert other.exit_code == 2 and "background, coin" in other.stderr


def test_evaluate_reads_colour_images_with_the_channels_of_the_run(trained, cli, folder):
    _, run = trained
    grey = json.loads(cli("evaluate", run, "--data", folder, "--json").stdout)
    for path in (folder / "images").iterdir():
        with Image.open(path) as image:
            image.convert("RGB").save(path)
    colour = cli("evaluate", run, "--data", folder, "--json")
    assert colour.exit_code == 0 and json.loads(colour.stdout) == grey


def test_masks_that_number_objects_are_converted(trained, cli, folder):
    _, run = trained
    expected = json.loads(cli("evaluate", run, "--data", folder, "--json").stdout)
    for k, path in enumerate(sorted((folder / "masks").iterdir())):
        mask = np.array(Image.open(path))
        rows, columns = np.nonzero(mask)
        count = 4 + k % 2
        mask[rows, columns] = 1 + (rows - rows.min()) * count // (np.ptp(rows) + 1)
        Image.fromarray(mask).save(path)
    (folder / "manifest.json").write_text('{"classes": ["background", "square"]}')
    refused = cli("evaluate", run, "--data", folder)
    assert refused.exit_code == 2 and "--convert foreground" in refused.stderr
    wrong = cli("evaluate", run, "--data", folder, "--convert", "forground")
    assert wrong.exit_code == 2 and "--convert forground" in wrong.stderr
    converted = cli("evaluate", run, "--data", folder, "--convert", "foreground")
    assert converted.exit_code == 2 and "background, object" in converted.stderr  # the names differ
    config = json.loads((run / "config.json").read_text())
    renamed = folder / "run"
    renamed.mkdir()
    (renamed / "config.json").write_text(json.dumps(config | {"classes": ["background", "object"]}))
    (renamed / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes())
    scored = cli("evaluate", renamed, "--data", folder, "--convert", "foreground", "--json")
    assert json.loads(scored.stdout)["miou"] == expected["miou"]


def test_predict_a_folder(trained, cli, tmp_path):
    data, run = trained
    result = cli("predict", run, data, "--out", tmp_path / "p", "--pixel-size", 2, "--pixel-unit", "m")
    assert result.exit_code == 0 and "(1 objects)" in result.stdout
    with Image.open(tmp_path / "p" / "im0.png") as image:
        prediction = np.array(image)
    truth = np.array(Image.open(data / "masks" / "im0.png"))
    assert (prediction == truth).mean() > 0.95
    table = (tmp_path / "p" / "areas.csv").read_text()
    assert "m²" in table and table.count("\n") == 17
    again = cli("predict", run, data, "--out", tmp_path / "p")
    assert again.exit_code == 2 and "--force" in again.stderr


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["nowhere", "x.png"], "neither a run folder nor a packaged model"),
        (["otsu", "x.png"], "minitorch-seg evaluate otsu --data NAME|FOLDER --pictures FILE"),
        (["RUN", "x.png"], "no such file or folder"),
        (["RUN", "DATA", "--pixel-size", "-1"], "--pixel-size must be above 0"),
        (["RUN", "DATA/manifest.json"], "manifest.json"),
    ],
)
def test_predict_explains_what_is_wrong(words, sentence, trained, cli, tmp_path):
    data, run = trained
    words = [word.replace("RUN", str(run)).replace("DATA", str(data)) for word in words]
    result = cli("predict", *words, "--out", tmp_path / "p")
    assert result.exit_code == 2 and sentence in result.stderr and "Traceback" not in result.output
    assert not (tmp_path / "p").exists()


def test_check(cli, folder):
    good = cli("check", folder)
    assert good.exit_code == 0 and "nothing stands against training" in good.output
    (folder / "masks" / "im1.png").unlink()
    (folder / "images" / "im2.png").write_text("no image")
    bad = cli("check", folder)
    assert bad.exit_code == 2 and "im1" in bad.output and "im2.png" in bad.output
    report = json.loads(cli("check", folder, "--json").stdout)
    assert report["ok"] is False and len(report["problems"]) >= 2


def test_datasets(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("MINITORCH_SEG_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    text = cli("datasets").output
    assert "coins" in text and "minitorch-seg datasets get nuclei" in text
    sheet = cli("datasets", "sheet", "coins", "--out", tmp_path / "coins.png")
    assert sheet.exit_code == 0
    with Image.open(tmp_path / "coins.png") as image:
        image.load()
    wrong = cli("datasets", "get", "nuclie")
    assert wrong.exit_code == 2 and "nuclei" in wrong.stderr


def test_doctor(cli):
    text = cli("doctor").output
    for word in ("minitorch_seg", "numba", "threads", "compiled kernels are kept in", "coins"):
        assert word in text
