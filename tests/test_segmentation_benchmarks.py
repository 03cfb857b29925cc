"""benchmarks/segmentation: each kind of row at toy size; a row that is killed goes on; counts are right."""

import dataclasses
import doctest
import math

import numpy as np
import pytest

import minitorch_seg as ms
from benchmarks.segmentation import answers, methods, page, rows, run, sets, tables
from benchmarks.segmentation.measure import BySize, Fluorescence, costs, macs
from benchmarks.segmentation.rows import Row
from minitorch_seg.data import Sample
from minitorch_seg.train.trainer import Trainer

TINY = {"model": "unet", "base_channels": 2, "depth": 1, "batch_size": 8}
ROWS = [
    Row("otsu-coins", "coins", "baseline", {"name": "otsu"}),
    Row("kmeans4-coins", "coins", "clusters", {"k": 4, "sigma": 1.0}, claim=1),
    Row("code_clusters-coins", "coins", "code_clusters", {"segments": 4}, claim=1),
    Row("unet-coins-0", "coins", "train", TINY, minutes=1),
    Row("labels", "coins", "few_labels",
        {"task": "denoising", "base_channels": 2, "depth": 1, "share": 0.3, "pretraining_steps": 9}, claim=2),
    Row("cue", "colour_and_shape", "cue", TINY, claim=7),
]  # fmt: skip


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, marks=pytest.mark.slow if row.claim in (2, 7) else ()) for row in ROWS],
    ids=lambda row: row.method,
)
def test_each_method_for_three_steps(row, tmp_path, monkeypatch):
    monkeypatch.setattr(sets, "COUNTS", {"train": 8, "val": 2, "test": 2})
    result = run.run(row, tmp_path / "results", tmp_path / "runs", steps=3)
    assert 0 <= result["miou"] <= 1 and result["scores"]["by_size"]
    assert run.done(row, tmp_path / "results")
    other = dataclasses.replace(row, seed=5)
    assert not run.done(other, tmp_path / "results")  # another row under the same name
    monkeypatch.setitem(methods.METHODS, row.method, None)  # a second run only reads
    assert run.run(row, tmp_path / "results", tmp_path / "runs", steps=3)["miou"] == result["miou"]
    if row.method == "cue":
        assert "swapped" in result["scores"]


def test_a_killed_row_goes_on_where_it_was(tmp_path, monkeypatch):
    row = Row("killed", "coins", "train", TINY | {"model": "unet"})
    whole = run.run(row, tmp_path / "a", tmp_path / "runs-a", steps=30)
    steps = []
    update, fit = ms.optim.AdamW.step, Trainer.fit

    def dies(self):
        steps.append(1)
        if len(steps) == 20:
            raise SystemExit("killed")  # no handler saves anything
        return update(self)

    monkeypatch.setattr(ms.optim.AdamW, "step", dies)
    with pytest.raises(SystemExit):
        run.run(row, tmp_path / "b", tmp_path / "runs-b", steps=30)
    assert not run.done(row, tmp_path / "b")
    (tmp_path / "runs-b" / f"{row.name}-{row.key}" / "run" / ".claimed").touch()
    monkeypatch.setattr(ms.optim.AdamW, "step", lambda self: (steps.append(1), update(self))[1])
    first = len(steps)
    again = run.run(row, tmp_path / "b", tmp_path / "runs-b", steps=30)
    assert len(steps) - first < 30, "it began anew"
    assert again["miou"] == whole["miou"] and fit is Trainer.fit


def test_products_of_a_unet_follow_from_the_formula():
    """Two 3×3 convolutions a level down and up, a transposed one between levels, a head."""

    def formula(channels, classes, base, depth, height, width):
        total, c = 0, channels
        for level in range(depth + 1):
            b, pixels = base * 2**level, height * width // 4**level
            total += 9 * pixels * (c * b + b * b)
            c = b
        for level in reversed(range(depth)):
            b, pixels = base * 2**level, height * width // 4**level
            total += pixels // 4 * (2 * b) * b * 4 + 9 * pixels * (2 * b * b + b * b)
        return total + height * width * base * classes

    model = ms.models.UNet(3, 4, base_channels=2, depth=2)
    assert macs(model, (3, 16, 24)) == formula(3, 4, 2, 2, 16, 24)


def test_products_of_recurrent_and_dense_layers():
    gru = ms.models.Sweep(3, 5, "width", both_ways=False, cell="gru")
    assert macs(gru, (3, 4, 6)) == 4 * 6 * 3 * 5 * (3 + 5)
    patches = ms.models.PatchCNN(1, 2, size=12, base_channels=2, hidden=3)
    with_side = macs(patches, (1, 8, 9))
    k = patches.side
    assert with_side > 8 * 9 * (4 * k * k * 3 + 3 * 2)
    assert ms.functional.conv2d.__name__ == "conv2d"  # the watch is gone


@pytest.mark.parametrize("name, options", [("unet", {"base_channels": 2, "depth": 1}), ("patch_cnn",
    {"base_channels": 2, "size": 12, "hidden": 4}), ("wnet", {"base_channels": 1, "depth": 1})])  # fmt: skip
def test_costs_are_whole(name, options):
    found = costs(name, options, 1, 2, [16, 12])
    assert set(found) == {"ms_step", "ms_image", "peak_mib", "parameters", "macs"}
    assert all(value > 0 for value in found.values())


def test_objects_are_scored_by_their_size():
    mask = np.zeros((20, 20), np.int64)
    mask[1:4, 1:4], mask[8:18, 8:18] = 1, 2
    found = np.where(mask == 2, 2, 0)
    found[1, 1:4] = 1
    sizes = BySize()
    sizes.add(Sample(np.zeros((20, 20, 1), np.uint8), mask, "x"), found)
    report = sizes.report()
    assert report["up to 16"] == {"objects": 1, "found": pytest.approx(1 / 3)}
    assert report["up to 256"] == {"objects": 1, "found": 1.0}
    assert math.isnan(report["up to 64"]["found"])


def test_fluorescence_is_what_is_grey_and_dark():
    mask = np.zeros((8, 8), np.int64)
    mask[2:5, 2:5], mask[5, 5] = 1, 2
    dark = np.full((8, 8, 3), 10, np.uint8)
    stained = dark + np.array([90, 0, 40], np.uint8)
    found = np.where(mask == 1, 2, 0)  # which of the classes it is does not matter
    bright = Fluorescence()
    for image in (dark, stained, np.full((8, 8, 3), 200, np.uint8)):
        bright.add(Sample(image, mask, "x"), found)
    assert bright.report() == {"images": 1, "dice": pytest.approx(2 * 9 / (9 + 10))}


def test_the_table_holds_each_row_once_and_only_what_can_run():
    names = [row.name for row in rows.rows()]
    assert len(set(names)) == len(names)
    assert {row.method for row in rows.rows()} <= set(methods.METHODS)
    for row in rows.rows():
        if row.method == "train":
            from minitorch_seg.train.options import Options, check_options

            check_options(Options(data=row.data, seed=row.seed, **row.options))
    for name, options in rows.MODELS.items():
        given = {k: v for k, v in options.items() if k in ("base_channels", "depth", "size")}
        given |= dict(pair.split("=") for pair in options.get("set", []))
        given = {k: int(v) if str(v).isdigit() else v == "true" for k, v in given.items()}
        model = ms.models.build(name, 3, 5, **given)
        assert sum(p.numel() for p in model.parameters()) <= 500_000, name


def test_cues_are_what_they_say():
    rng = np.random.default_rng(0)
    for swap in (False, True):
        sample = sets.image("colour_and_shape", rng, swap)
        for k in np.unique(sample.mask[sample.mask > 0]) - 1:
            colour = sample.image[sample.mask == k + 1].mean(axis=0)
            assert np.abs(sets.COLOURS - colour).sum(axis=1).argmin() == k
    with_first = sets.swapped("texture_and_shape")
    assert len(with_first) == 30 and with_first[0].mask.max() <= 3


def test_the_page_says_what_is_there_and_what_is_missing(tmp_path):
    empty = page.page([])
    assert f"{len(rows.rows())} of {len(rows.rows())} rows are not run yet" in empty
    row = next(row for row in rows.rows() if row.name == "unet-road-0")
    classes = {name: {"iou": 0.5, "dice": 0.6} for name in ("other", "road", "crack", "pothole")}
    facts = {name: getattr(row, name) for name in ("name", "data", "method", "options", "seed", "claim")}
    cost = {"parameters": 4.8e5, "macs": 1e9, "ms_step": 70, "ms_image": 9, "peak_mib": 300}
    scores = {"classes": classes, "by_size": BySize().report()}
    found = [{"row": facts, "miou": 0.57, "foreground_dice": 0.6, "scores": scores, "costs": cost}]
    text = page.page(found)
    assert "| unet | – | – | .570 / .600 | – |" in text and "| unet | 0.48 | 1.00 | 70 | 9.0 | 300 |" in text
    page.draw(found, tmp_path)
    assert "Claim 5" in text and "Claim 2" not in text  # no row of it: neither an empty table nor a plot
    assert [p.name for p in tmp_path.iterdir()] == ["segmentation-cost.png"]
    label = next(row for row in rows.rows() if row.claim == 2)
    facts = {name: getattr(label, name) for name in facts}
    page.draw([{"row": facts, "miou": 0.5, "foreground_dice": 0.7}], tmp_path)
    assert (tmp_path / "segmentation-labels.png").stat().st_size > 0


def test_the_committed_page_is_what_the_committed_rows_say():
    assert (page.DOCS / "segmentation.md").read_text(encoding="utf-8") == page.page(page.results())


@pytest.mark.parametrize("module", [tables, answers], ids=lambda module: module.__name__)
def test_examples_in_docstrings(module):
    failed, tried = doctest.testmod(module)
    assert tried and not failed


def test_answers_take_seeds_in_pairs_and_wait_for_their_rows():
    def result(name, miou):
        row = next(row for row in rows.rows() if row.name == name)
        return {"row": {"name": name, "data": row.data, "claim": row.claim}, "miou": miou}

    models = {"unet": {"nuclei": 0.5, "hippocampus": 0.5, "road": 0.5, "aerial": 0.5}}
    models["reseg"] = {"nuclei": 0.6, "hippocampus": 0.5, "road": 0.25, "aerial": 0.5}
    found = [
        result(f"{model}-{data}-{seed}", score + 0.1 * seed)
        for model, sets_ in models.items()
        for data, score in sets_.items()
        for seed in rows.SEEDS
    ]
    third = answers.answers(found).splitlines()[2]
    assert "nuclei +.100 ± .000; hippocampus +.000 ± .000; road −.250 ± .000" in third
    assert "1 rows of its answer are not run" in answers.answers(found[1:]).splitlines()[2]
