"""`minitorch-seg receptive`: numbers against geometry and against the function, pictures, errors."""

import csv

import numpy as np
import pytest
from PIL import Image

import minitorch_seg as ms

SIZE, ROW, COLUMN = 9, 3, 6


def geometry(seen):
    """How many of the pixels at each distance from (ROW, COLUMN) are `seen`, counted one by one."""
    counts = [0] * (1 + max(ROW, SIZE - 1 - ROW, COLUMN, SIZE - 1 - COLUMN))
    for y in range(SIZE):
        for x in range(SIZE):
            counts[max(abs(y - ROW), abs(x - COLUMN))] += seen(y, x)
    return counts


FORMULAS = {
    "width": lambda y, x: y == ROW and x <= COLUMN,
    "width_both": lambda y, x: y == ROW,
    "height": lambda y, x: x == COLUMN and y <= ROW,
    "height_both": lambda y, x: x == COLUMN,
    "renet": lambda y, x: True,
}


def table(folder):
    with open(folder / "receptive.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = list(dict.fromkeys(row["model"] for row in rows))
    return {name: [row for row in rows if row["model"] == name] for name in names}


def test_each_sweep_has_seen_what_geometry_says(tmp_path, cli):
    result = cli("receptive", "--size", SIZE, "--pixel", ROW, COLUMN, "--out", tmp_path / "r")
    assert result.exit_code == 0 and "width: 7 of 81 pixels seen" in result.stdout
    found = table(tmp_path / "r")
    assert list(found) == list(FORMULAS)
    for name, formula in FORMULAS.items():
        rows = found[name]
        assert [int(row["distance"]) for row in rows] == list(range(len(rows)))
        assert [int(row["pixels"]) for row in rows] == geometry(lambda y, x: True), name
        assert [int(row["seen"]) for row in rows] == geometry(formula), name
    norms = [float(row["norm"]) for row in found["width"]]
    assert norms[0] > norms[3] > norms[6] > 0  # an Elman network's gradient vanishes
    for picture in ("seen.png", "decay.png"):
        with Image.open(tmp_path / "r" / picture) as image:
            assert len(np.unique(np.asarray(image.convert("L")))) > 20


def test_truncation_bounds_what_is_seen(tmp_path, cli):
    options = ("--size", SIZE, "--pixel", ROW, COLUMN, "--cell", "gru", "--truncate", 4)
    assert cli("receptive", "width", *options, "--out", tmp_path / "r").exit_code == 0
    seen = [int(row["seen"]) for row in table(tmp_path / "r")["width"]]
    assert seen == [1, 1, 1, 0, 0, 0, 0]  # columns 4, 5 and 6: back to the last multiple of 4


def test_a_run_is_looked_at_with_its_weights(trained, tmp_path, cli):
    _, run = trained
    assert cli("receptive", run, "--size", 12, "--out", tmp_path / "r").exit_code == 0
    (rows,) = table(tmp_path / "r").values()
    from minitorch_seg.train.run import load_model

    expected = ms.models.gradient_by_distance(load_model(run)[0], (1, 12, 12), (6, 6))
    np.testing.assert_allclose([float(row["norm"]) for row in rows], expected, rtol=1e-12)


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["rennet"], "did you mean renet"),
        (["--size", 0], "--size must be at least 1"),
        (["--pixel", 3, 40], "--pixel 3 40 is outside an image of 33×33 pixels"),
        (["--cell", "gur"], "did you mean gru"),
        (["--truncate", 0], "--truncate must be at least 1"),
    ],
)
def test_wrong_words_are_explained(words, sentence, tmp_path, cli):
    result = cli("receptive", *words, "--out", tmp_path / "r")
    assert result.exit_code == 2 and sentence in result.stderr and not (tmp_path / "r").exists()


def test_earlier_results_are_kept_without_force(tmp_path, cli):
    (tmp_path / "decay.png").write_text("mine")
    again = cli("receptive", "width", "--out", tmp_path)
    assert again.exit_code == 2 and "decay.png already" in again.stderr and "--force" in again.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["decay.png"]
