"""Files in, class maps and tables out; object tables against scikit-image's."""

import csv

import numpy as np
import pytest
from PIL import Image

from minitorch_seg.autograd import Tensor
from minitorch_seg.errors import DataError, UserError
from minitorch_seg.train.predict import connected_objects, find_images, predict_files, predict_image

CONFIG = {"in_channels": 1, "classes": ["background", "cell"]}


def threshold(batch):
    values = batch.numpy()
    return Tensor(np.concatenate([np.zeros_like(values), values], axis=1))


def write(path, pixels):
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)
    return path


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def picture(tmp_path):
    pixels = np.zeros((12, 20), np.uint8)
    pixels[2:5, 3:9] = 200
    pixels[8, 15] = 200
    return write(tmp_path / "cells.png", pixels)


def run(files, out, **options):
    return list(predict_files(threshold, CONFIG, files, out, **options))


def test_everything_is_written_and_agrees(picture, tmp_path):
    ((path, found),) = run([picture], tmp_path / "out", pixel_size=0.5, pixel_unit="µm")
    assert path == picture and found["cell"] == (19 / 240, 2)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "areas.csv",
        "cells.png",
        "cells_overlay.png",
        "objects.csv",
    ]
    with Image.open(tmp_path / "out" / "cells.png") as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(Image.open(picture)) > 0)
    with Image.open(tmp_path / "out" / "cells_overlay.png") as image:
        assert image.mode == "RGB" and image.size == (20, 12)
    background, cell = table(tmp_path / "out" / "areas.csv")
    assert (background["pixels"], background["objects"]) == ("221", "")
    assert (cell["pixels"], cell["objects"], float(cell["area"]), cell["unit"]) == ("19", "2", 19 / 4, "µm²")
    large, small = table(tmp_path / "out" / "objects.csv")
    assert (large["pixels"], large["centroid_x"], large["centroid_y"]) == ("18", "5.5", "3.0")
    assert (small["object"], small["area"], small["centroid_x"]) == ("2", "0.25", "15.0")


def test_objects_against_scikit_image():
    from skimage.measure import label, regionprops

    mask = (np.random.default_rng(0).random((40, 50)) > 0.6).astype(np.int64)
    expected = [(r.area, r.centroid[1], r.centroid[0]) for r in regionprops(label(mask, connectivity=2))]
    found = connected_objects(mask, 1)
    np.testing.assert_allclose(sorted(found), sorted(expected))
    assert connected_objects(mask, 7) == []


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (600, 70)])
def test_any_size(size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 1), dtype=np.uint8)
    np.testing.assert_array_equal(predict_image(threshold, image), image[..., 0] > image.mean())


def test_earlier_results_are_kept_without_force(picture, tmp_path):
    run([picture], tmp_path / "out")
    before = (tmp_path / "out" / "areas.csv").stat().st_mtime_ns
    with pytest.raises(UserError, match=r"holds areas\.csv already; .*--force"):
        run([picture], tmp_path / "out")
    assert (tmp_path / "out" / "areas.csv").stat().st_mtime_ns == before
    run([picture], tmp_path / "out", force=True)


@pytest.mark.parametrize("force", [False, True])
def test_an_image_is_never_overwritten_by_its_own_result(picture, force):
    before = picture.read_bytes()
    with pytest.raises(UserError, match=r"cells\.png there is one of the images") as error:
        run([picture], picture.parent, force=force)
    assert "--force" not in str(error.value) and picture.read_bytes() == before


def test_a_broken_image_stops_everything_before_anything_is_written(picture, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(picture.read_bytes()[:60])
    with pytest.raises(DataError, match=r"broken\.png"):
        run([picture, broken], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_files_of_one_name_are_refused(picture, tmp_path):
    (tmp_path / "b").mkdir()
    twin = write(tmp_path / "b" / "cells.png", np.zeros((4, 4)))
    with pytest.raises(UserError, match=r"would both be written as cells\.png"):
        run([picture, twin], tmp_path / "out")


@pytest.mark.parametrize("order", [1, -1])
def test_a_class_map_and_an_overlay_of_one_name_are_refused(order, picture, tmp_path):
    other = write(tmp_path / "cells_overlay.png", np.zeros((4, 4)))
    with pytest.raises(UserError, match=r"would both be written as cells_overlay\.png"):
        run([picture, other][::order], tmp_path / "out")


def test_find_images(picture, tmp_path):
    (tmp_path / "data" / "images").mkdir(parents=True)
    inner = write(tmp_path / "data" / "images" / "a.png", np.zeros((4, 4)))
    (tmp_path / "data" / "images" / "notes.txt").write_text("")
    assert find_images([picture, tmp_path / "data"]) == [picture, inner]
    with pytest.raises(UserError, match="no such file or folder"):
        find_images([tmp_path / "none.png"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no image"):
        find_images([tmp_path / "empty"])


def test_an_output_folder_that_cannot_be_made_is_named(picture):
    with pytest.raises(UserError, match=r"--out .*cells\.png.sub: cannot write there"):
        run([picture], picture / "sub")
