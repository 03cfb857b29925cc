import json
import logging
import threading

import numpy as np
import pytest
from PIL import Image

from minitorch_seg.data.folder import SampleCache, SegmentationFolder
from minitorch_seg.data.images import read_image, read_mask
from minitorch_seg.errors import DataError


def refusal(folder, **options):
    with pytest.raises(DataError) as caught:
        SegmentationFolder(folder, **options).splits()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_reads_what_the_files_hold(make_folder):
    folder = make_folder(6, values=(0, 1, 2), manifest={"classes": ["sky", "land", "sea"]})
    data = SegmentationFolder(folder)
    assert len(data) == 6 and data.names == [f"i{i}" for i in range(6)]
    for sample in data:
        np.testing.assert_array_equal(sample.image, read_image(folder / "images" / f"{sample.name}.png"))
        np.testing.assert_array_equal(sample.mask, read_mask(folder / "masks" / f"{sample.name}.png"))
    splits = data.splits()
    assert splits.classes == ["sky", "land", "sea"] and splits.in_channels == 3 and splits.name == "set"
    names = [set(part.names) for _, part in splits.items()]
    assert set.union(*names) == set(data.names) and sum(map(len, names)) == 6
    for _, part in splits.items():
        for i, name in enumerate(part.names):
            np.testing.assert_array_equal(part[i].mask, data[data.names.index(name)].mask)


def test_split_and_manifest_are_obeyed(make_folder):
    split = {"train": ["i3", "i0"], "val": ["i1"], "test": ["i2"]}
    manifest = {"classes": ["a", "b"], "ignore_index": 7, "pixel_size": 2, "pixel_unit": "m"}
    manifest |= {"symmetry": "mirror", "normalize": "dataset"}
    splits = SegmentationFolder(make_folder(4, values=(0, 1, 7), split=split, manifest=manifest)).splits()
    assert splits.train.names == ["i3", "i0"] and splits.test.names == ["i2"]
    assert (splits.ignore_index, splits.pixel_size, splits.pixel_unit) == (7, 2.0, "m")
    assert (splits.symmetry, splits.normalize) == ("mirror", "dataset")
    assert 7 in splits.train[0].mask


def test_the_seed_changes_the_split(make_folder):
    folder = make_folder(12)
    names = [tuple(SegmentationFolder(folder, seed=seed).splits().train.names) for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2]


def test_0_255_is_foreground_and_that_is_said(make_folder, caplog):
    with caplog.at_level(logging.WARNING, "minitorch_seg.data"):
        data = SegmentationFolder(make_folder(4, values=(0, 255)))
    assert data.classes == ["background", "foreground"]
    assert set(np.unique(data[0].mask)) == {0, 1}
    assert "exactly 0 and 255; 255 is taken as class 1" in caplog.text
    assert len(data.notes) == 1


def test_0_255_keeps_two_given_names_but_not_an_ignored_255(make_folder):
    data = SegmentationFolder(make_folder(4, values=(0, 255), manifest={"classes": ["bg", "cell"]}))
    assert data.classes == ["bg", "cell"] and data[0].mask.max() == 1
    manifest = {"classes": ["bg", "cell"], "ignore_index": 255}
    data = SegmentationFolder(make_folder(4, values=(0, 255), manifest=manifest, name="other"))
    assert data[0].mask.max() == 255 and data.notes == []


def test_unnamed_classes_are_said(make_folder):
    data = SegmentationFolder(make_folder(4, values=(0, 1, 2)))
    assert data.classes == ["background", "class 1", "class 2"]
    assert "0 to 2" in data.notes[0]


@pytest.mark.parametrize(
    "values, says",
    [
        ((0, 1, 2, 255), '"ignore_index": 255'),
        ((0, 60, 120), "not class indices; renumber"),
        ((0,), "nothing but 0"),
    ],
)
def test_values_that_are_no_classes(make_folder, values, says):
    assert says in refusal(make_folder(4, values=values))


def test_value_outside_the_classes_names_the_file(make_folder):
    folder = make_folder(4, manifest={"classes": ["a", "b"]})
    mask = np.zeros((8, 6), np.uint8)
    mask[0, 0] = 2
    Image.fromarray(mask).save(folder / "masks" / "i2.png")
    assert "i2.png: the mask holds 2, but the 2 classes are 0 to 1" in refusal(folder)


def write_instances(folder, counts):
    for i, k in enumerate(counts):
        mask = np.zeros((8, 40), np.uint16)
        for j in range(k):
            mask[2:6, 4 * j : 4 * j + 3] = j + 1
        for kind, array in (("images", np.zeros((8, 40), np.uint8)), ("masks", mask)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(folder / kind / f"{i}.png")
    return folder


def test_instance_labels_are_recognised_and_converted_on_request(tmp_path):
    folder = write_instances(tmp_path / "cells", (6, 3, 9, 0))
    assert "numbered objects (up to 9 an image), not classes; convert them with --convert f" in refusal(
        folder
    )
    data = SegmentationFolder(folder, convert="foreground")
    assert data.classes == ["background", "object"] and data.channels == 1
    assert np.unique(data[2].mask).tolist() == [0, 1] and np.unique(data[3].mask).tolist() == [0]
    data = SegmentationFolder(folder, convert="boundary")
    assert data.classes == ["background", "object", "boundary"]
    assert (data[0].mask == 2).sum() == 6 * 10 - 2  # contours of 4x3 blocks; the frame is no contour
    assert "is not known" in refusal(folder, convert="edges")


def test_problems_of_the_files(make_folder):
    folder = make_folder(4)
    Image.new("L", (6, 9)).save(folder / "masks" / "i1.png")
    assert "i1.png: the mask is 6x9 (width x height), its image 6x8" in refusal(folder)
    (folder / "images" / "i0.png").write_bytes(b"no image")
    assert "i0.png: this is not a readable" in refusal(folder)
    (folder / "masks" / "i3.png").unlink()
    (folder / "masks" / "i2.png").unlink()
    assert "there is no mask for this image" in refusal(folder)
    assert "no such folder" in refusal(folder / "nowhere")


def test_several_problems_point_to_check(make_folder):
    folder = make_folder(4)
    for i in (0, 1):
        (folder / "images" / f"i{i}.png").write_bytes(b"")
    assert "(1 more: minitorch-seg check" in refusal(folder)


def test_too_few_images_to_split(make_folder):
    assert "2 image(s) cannot be split" in refusal(make_folder(2))


def test_a_truncated_image_is_named_when_it_is_read(make_folder):
    folder = make_folder(4, size=(60, 60))
    path = folder / "images" / "i1.png"
    path.write_bytes(path.read_bytes()[:2000])  # the header is whole
    data = SegmentationFolder(folder)
    with pytest.raises(DataError, match=r"i1\.png: the file is damaged or cut short"):
        data[1]


def test_grey_among_colour_is_read_as_colour(make_folder):
    folder = make_folder(4)
    Image.new("L", (6, 8), 9).save(folder / "images" / "i1.png")
    data = SegmentationFolder(folder)
    assert data.channels == 3 and data[1].image.shape == (8, 6, 3)


def test_samples_are_cached_up_to_a_limit_and_read_only(make_folder):
    folder = make_folder(4)
    data = SegmentationFolder(folder)
    assert data[0] is data[0]
    with pytest.raises(ValueError, match="read-only"):
        data[0].image[0] = 0
    bounded = SegmentationFolder(folder, cache_bytes=data[0].image.nbytes + data[0].mask.nbytes)
    assert bounded[0] is bounded[0] and bounded[1] is not bounded[1]


def test_cache_counts_each_sample_once_from_many_threads(make_folder):
    sample = SegmentationFolder(make_folder(3))[0]
    cache = SampleCache()
    threads = [threading.Thread(target=lambda: cache.get("a", lambda: sample)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.bytes == sample.image.nbytes + sample.mask.nbytes


def test_unlisted_images_are_not_used(make_folder):
    folder = make_folder(5)
    (folder / "split.json").write_text(json.dumps({"train": ["i0"], "val": ["i1"], "test": ["i2"]}))
    assert sum(len(part) for _, part in SegmentationFolder(folder).splits().items()) == 3
