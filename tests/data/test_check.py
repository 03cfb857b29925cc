import json

import numpy as np
import pytest
from PIL import Image

from minitorch_seg.data import check_folder
from minitorch_seg.data.folder import SegmentationFolder
from minitorch_seg.errors import DataError


def test_a_good_folder(make_folder):
    folder = make_folder(10, values=(0, 1, 2), manifest={"classes": ["a", "b", "c"]})
    report = check_folder(folder)
    assert report.ok and not report.warnings
    assert (report.images, report.pairs) == (10, 10)
    assert dict(report.sizes) == {(8, 6): 10} and dict(report.channels) == {3: 10}
    assert report.splits == {"train": 6, "val": 2, "test": 2}
    assert sum(report.pixels.values()) == 10 * 48
    assert "6x8 (10)" in report.text() and "nothing stands against" in report.text()
    assert json.loads(json.dumps(report.to_dict()))["ok"] is True


def test_every_problem_is_found_in_one_pass(make_folder):
    """All at once: what the issue lists, each with the name of its file."""
    split = {"train": ["i0", "i1", "i2", "i3"], "val": ["i4", "i0"], "test": []}
    folder = make_folder(
        12, manifest={"classes": ["a", "b"], "ignore_index": "x"}, split=split, size=(40, 40)
    )
    images, masks = folder / "images", folder / "masks"
    (images / "i0.png").write_bytes((images / "i0.png").read_bytes()[:900])  # cut short
    (images / "i1.png").write_text("no image")
    (masks / "i2.png").unlink()
    (images / "i3.png").unlink()
    Image.new("L", (40, 41)).save(masks / "i4.png")
    wrong = np.zeros((40, 40), np.uint8)
    wrong[0, 0] = 9
    Image.fromarray(wrong).save(masks / "i5.png")
    for stem in ("i6", "i7"):
        (masks / f"{stem}.png").unlink()
        Image.new("L", (40, 40)).save(masks / f"{stem}.jpg")
    Image.new("RGB", (40, 40), (9, 0, 0)).save(masks / "i8.png")
    report = check_folder(folder)
    expected = [
        "i0.png: the file is damaged or cut short",
        "i1.png: this is not a readable",
        "i2.png: there is no mask for this image",
        "i3.png: there is no image for this mask",
        "i4.png: the mask is 40x41 (width x height), its image 40x40",
        "i5.png: the mask holds 9, but the 2 classes are 0 to 1",
        "i6.jpg and 1 more (i7.jpg): a JPEG cannot hold a mask",
        "i8.png: the mask is a colour image",
        'manifest.json: "ignore_index" must be a whole number',
        "split.json: listed twice: i0 (in train and val)",
        'split.json: the split "test" is empty',
    ]
    text = report.text()
    for sentence in expected:
        assert sum(sentence in problem for problem in report.problems) == 1, (sentence, text)
    assert len(report.problems) == len(expected), text
    assert all(problem in text for problem in report.problems)
    assert f"{len(expected)} problem(s) to mend" in text


def test_binary_masks_and_instance_labels(make_folder, tmp_path):
    report = check_folder(make_folder(6, values=(0, 255)))
    assert report.ok and "255 is taken as class 1" in report.text()
    assert "       255  foreground" in report.text()
    folder = tmp_path / "cells"
    for i in range(5):
        mask = np.zeros((8, 60), np.uint16)
        for j in range(5 + i):
            mask[2:6, 4 * j + 1 : 4 * j + 4] = j + 1
        for kind, array in (("images", mask.astype(np.uint8)), ("masks", mask)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(folder / kind / f"{i}.png")
    report = check_folder(folder)
    assert len(report.problems) == 1 and "numbered objects" in report.problems[0]
    assert check_folder(folder, convert="boundary").ok


def test_one_image_in_two_splits_is_a_warning(make_folder):
    split = {"train": ["i0", "i1"], "val": ["i2"], "test": ["i3"]}
    folder = make_folder(4, split=split)
    (folder / "images" / "i3.png").write_bytes((folder / "images" / "i1.png").read_bytes())
    report = check_folder(folder)
    assert report.ok
    assert any("i1 in train = i3 in test; remove" in warning for warning in report.warnings)


def test_classes_absent_from_a_split_are_warned_of(make_folder):
    split = {"train": ["i0"], "val": ["i1"], "test": ["i2"]}
    folder = make_folder(3, manifest={"classes": ["a", "b", "never"]}, split=split)
    warnings = check_folder(folder).warnings
    assert any("in the split train no mask holds never, so it cannot be learned" in w for w in warnings)
    assert any("in the split test no mask holds never, so its IoU" in w for w in warnings)


def test_given_classes_replace_those_of_the_manifest(make_folder):
    folder = make_folder(6, values=(0, 1, 2))
    assert not check_folder(folder, classes=["a", "b"]).ok
    assert check_folder(folder, classes=["a", "b", "c"]).classes == ["a", "b", "c"]


def test_notes_on_depth_alpha_mixtures(make_folder):
    folder = make_folder(6)
    Image.fromarray(np.arange(48, dtype=np.uint16).reshape(8, 6)).save(folder / "images" / "i0.png")
    Image.new("RGBA", (6, 8)).save(folder / "images" / "i1.png")
    notes = " ".join(check_folder(folder).notes)
    assert "more than 8 bits" in notes and "i0.png" in notes
    assert "alpha channel, laid over black: i1.png" in notes and "grey and RGB images are mixed" in notes


def test_folders_that_hold_nothing(tmp_path):
    assert "no such folder" in check_folder(tmp_path / "nowhere").text()
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    report = check_folder(tmp_path)
    assert len(report.problems) == 2 and "holds no images" in report.problems[0]


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_pairs(make_folder, n):
    assert "cannot be split" in check_folder(make_folder(n)).problems[0]


def test_what_check_passes_loads_and_what_it_refuses_does_not(make_folder):
    good, bad = make_folder(5, name="good"), make_folder(5, name="bad", values=(0, 99))
    assert check_folder(good).ok and SegmentationFolder(good).splits()
    assert not check_folder(bad).ok
    with pytest.raises(DataError):
        SegmentationFolder(bad)
