import json

import pytest
from PIL import Image

from minitorch_seg.data.layout import read_layout, seeded_split


def one_problem(folder):
    problems = read_layout(folder).problems
    assert len(problems) == 1, problems
    return problems[0]


def test_whole_folder(make_folder):
    split = {"train": ["i0", "i1.png"], "val": ["i2"], "test": ["i3"]}
    manifest = {"classes": ["a", "b"], "ignore_index": 255, "pixel_size": 0.5, "pixel_unit": "µm"}
    layout = read_layout(make_folder(5, split=split, manifest=manifest))
    assert layout.problems == []
    assert layout.stems == [f"i{i}" for i in range(5)]
    assert layout.split == {"train": ["i0", "i1"], "val": ["i2"], "test": ["i3"]}
    assert (layout.classes, layout.ignore_index) == (["a", "b"], 255)
    assert (layout.pixel_size, layout.pixel_unit) == (0.5, "µm")
    assert layout.warnings == [f"{layout.path / 'split.json'}: not listed, so not used: i4."]


def test_missing_folders(tmp_path):
    assert "no such folder" in one_problem(tmp_path / "nowhere")
    assert len(read_layout(tmp_path).problems) == 2  # neither images/ nor masks/


def test_missing_partners_are_named(make_folder):
    folder = make_folder()
    (folder / "masks" / "i2.png").unlink()
    assert "i2.png: there is no mask for this image (masks/i2.png); add" in one_problem(folder)
    (folder / "images" / "i2.png").unlink()
    (folder / "images" / "i3.png").unlink()
    assert "masks/i3.png: there is no image for this mask; add" in one_problem(folder).replace("\\", "/")


def test_other_naming_gets_a_hint(make_folder):
    folder = make_folder(1)
    (folder / "masks" / "i0.png").rename(folder / "masks" / "i0_mask.png")
    assert "rename masks/i0_mask.png to i0.png and so on" in read_layout(folder).problems[0]


def test_same_stem_twice_and_strange_files(make_folder):
    folder = make_folder()
    Image.new("RGB", (6, 8)).save(folder / "images" / "i0.jpg")
    (folder / "images" / "readme.txt").write_text("?")
    (folder / "images" / ".DS_Store").write_text("?")
    assert "has the same name but for the suffix" in one_problem(folder)
    assert (
        len(read_layout(folder).warnings) == 1 and "readme.txt passed over" in read_layout(folder).warnings[0]
    )


@pytest.mark.parametrize(
    "split, says",
    [
        ({"train": ["i0"], "val": ["i1"], "test": []}, '"test" is empty'),
        ({"train": ["i0"], "val": ["i1"], "test": ["i1"]}, "i1 (in val and test)"),
        ({"train": ["i0"], "val": ["i1"], "test": ["cat"]}, "no such image: cat"),
        ({"train": ["i0"], "val": ["i1"]}, 'exactly the lists "train", "val" and "test"'),
        ({"train": ["i0"], "valid": ["i1"], "test": ["i2"]}, "it has test, train, valid"),
        ({"train": "i0", "val": ["i1"], "test": ["i2"]}, "exactly the lists"),
        ([1, 2], "one JSON object"),
    ],
)
def test_bad_split(make_folder, split, says):
    folder = make_folder(3, split=split)
    assert says in one_problem(folder)
    assert str(folder / "split.json") in one_problem(folder)


@pytest.mark.parametrize(
    "manifest, says",
    [
        ({"classes": "cell"}, '"classes" must be a list'),
        ({"classes": ["cell"]}, "at least two"),
        ({"classes": ["cell", "cell"]}, "names a class twice"),
        ({"ignore_index": "255"}, "whole number"),
        ({"ignore_index": True}, "whole number"),
        ({"pixel_size": 0}, "positive number"),
        ({"pixel_unit": 3}, "must be a text"),
        ({"symmetry": "round"}, "must be one of none, mirror, square"),
        ({"normalize": 1}, "must be one of image, dataset"),
    ],
)
def test_bad_manifest(make_folder, manifest, says):
    assert says in one_problem(make_folder(3, manifest=manifest))


def test_broken_json(make_folder):
    folder = make_folder()
    (folder / "manifest.json").write_text("{")
    assert "manifest.json: this is not valid JSON" in one_problem(folder)


def test_json_with_byte_order_mark(make_folder):
    folder = make_folder()
    (folder / "manifest.json").write_text(json.dumps({"classes": ["a", "b"]}), encoding="utf-8-sig")
    assert read_layout(folder).classes == ["a", "b"]


def test_seeded_split_is_a_partition_that_does_not_depend_on_order():
    stems = [f"image {i}" for i in range(40)]
    split = seeded_split(stems, seed=3)
    assert sorted(stem for part in split.values() for stem in part) == sorted(stems)
    assert {name: len(part) for name, part in split.items()} == {"train": 28, "val": 6, "test": 6}
    assert seeded_split(stems[::-1], seed=3) == split
    assert seeded_split(stems, seed=4) != split
    assert {name: len(part) for name, part in seeded_split(["a", "b", "c"]).items()} == {
        "train": 1,
        "val": 1,
        "test": 1,
    }
