import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from minitorch_seg import data
from minitorch_seg.errors import DataError, UserError


def test_load_a_folder(make_folder):
    folder = make_folder(5, values=(0, 255))
    splits = data.load(folder)
    assert splits.name == "set" and splits.classes == ["background", "foreground"]
    assert len(data.load(str(folder)).train) == len(splits.train)


def test_load_a_bundled_set():
    splits = data.load("coins")
    assert splits.name == "coins" and len(splits.test) > 0
    with pytest.raises(DataError, match="no conversion"):
        data.load("coins", convert="boundary")


def test_unknown_names_show_the_nearest(tmp_path):
    with pytest.raises(DataError, match=r"'nuclie'; did you mean nuclei\?"):
        data.load("nuclie")
    with pytest.raises(
        DataError, match="coins, textures, signs, nuclei, hippocampus, road, aerial"
    ) as caught:
        data.load(str(tmp_path / "qqq"))
    assert "did you mean" not in str(caught.value)


def test_a_name_wins_over_a_folder_of_that_name(make_folder, monkeypatch, no_sets):
    folder = make_folder(5, name="nuclei")
    monkeypatch.chdir(folder.parent)
    with pytest.raises(DataError, match="datasets get nuclei"):
        data.load("nuclei")
    assert data.load("./nuclei").name == "nuclei"


def test_status_on_a_machine_without_sets(no_sets):
    lines = {line.name: line for line in data.status()}
    assert tuple(lines) == data.NAMES
    assert lines["coins"].where and lines["road"].where is None
    assert lines["road"].how_to_get == "minitorch-seg datasets get road"
    assert lines["nuclei"].sizes == {"train": 254, "val": 59, "test": 79}
    assert all(line.licence and sum(line.sizes.values()) for line in lines.values())


def test_contact_sheet_shows_images_and_colours(make_folder, tmp_path):
    splits = data.load(make_folder(9, values=(0, 1, 2), manifest={"classes": ["a", "b" * 80, "c" * 80]}))
    path = data.contact_sheet(splits, tmp_path / "sheet.png", columns=3)
    sheet = np.asarray(Image.open(path))
    assert sheet.shape[1] == 3 * (128 + 6) + 6
    for colour in data.palette.palette(3):
        assert (sheet == colour).all(axis=2).sum() > 100
    with pytest.raises(UserError, match="cannot write"):
        data.contact_sheet(splits, tmp_path / "no" / "sheet.png")


def test_names_are_imported_only_when_used():
    code = (
        "import sys, minitorch_seg.data as d; "
        "heavy = {'PIL', 'skimage', 'scipy', 'matplotlib', 'numba'} & set(sys.modules); "
        "assert not heavy, heavy; assert callable(d.load) and d.transforms.Compose; "
        "missing = [n for n in d.__all__ if getattr(d, n) is None]; assert not missing"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        data.lod  # noqa: B018
