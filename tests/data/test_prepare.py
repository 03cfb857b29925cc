"""Small synthetic archives, laid out as the real ones are; what should come out is computed another way."""

import gzip
import io
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

from minitorch_seg.data import prepare
from minitorch_seg.data.archive import SourceArchive
from minitorch_seg.data.registry import Entry, Pair, pair_hash
from minitorch_seg.errors import DataError

RNG = np.random.default_rng(0)


def encoded(array, format="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format, **options)
    return buffer.getvalue()


def entry(pairs, **options):
    known = {"classes": ["a", "b"], "channels": 3, "size": (128, 128), "archive_megabytes": None, **options}
    texts = dict.fromkeys(
        ("title", "domain", "licence", "attribution", "original", "preparation", "archive"), ""
    )
    return Entry(name="tiny", pairs=tuple(pairs), **texts, **known)


@pytest.fixture
def source(tmp_path):
    """source(files) -> a SourceArchive with a top folder, as GitHub makes it."""
    opened = []

    def make(files):
        with zipfile.ZipFile(tmp_path / "source.zip", "w") as file:
            for name, content in files.items():
                file.writestr(f"repository-0123/{name}", content)
        opened.append(SourceArchive(tmp_path / "source.zip"))
        return opened[-1]

    yield make
    for archive in opened:
        archive.__exit__()


def nuclei_files(identifier="abc"):
    image = RNG.integers(0, 256, (260, 300, 4), dtype=np.uint8)
    image[..., 3] = 255
    one, two = np.zeros((260, 300), np.uint8), np.zeros((260, 300), np.uint8)
    one[40:80, 60:100], two[40:80, 100:150] = 255, 255  # they touch
    folder = f"stage1_train/{identifier}"
    files = {f"{folder}/images/{identifier}.png": encoded(image)}
    files |= {f"{folder}/masks/{n}.png": encoded(mask) for n, mask in (("1", one), ("2", two))}
    return files, image


@pytest.mark.parametrize("rounding", ["twice", "once", "cut"])
def test_nuclei(source, rounding):
    files, image = nuclei_files()
    crop = image[2:258, 22:278, :3]
    if rounding == "twice":
        expected = np.asarray(Image.fromarray(crop).resize((128, 128), Image.Resampling.BOX))
    elif rounding == "once":
        expected = np.asarray(Image.fromarray(crop).reduce(2))
    else:
        expected = crop.reshape(128, 2, 128, 2, 3).mean(axis=(1, 3)).astype(np.uint8)
    mask = np.zeros((128, 128), np.int64)
    for left, right in ((19, 39), (39, 64)):
        mask[19:39, left:right] = 2
        mask[20:38, left + 1 : right - 1] = 1
    pair = Pair("train", "fluo_000", pair_hash(expected, mask), "abc")
    ((same, prepared, prepared_mask),) = prepare.prepare_nuclei(source(files), entry([pair]))
    assert same is pair
    np.testing.assert_array_equal(prepared_mask, mask)
    np.testing.assert_array_equal(prepared, expected)


def nifti(volume):
    header = bytearray(348)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *volume.shape, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 4, 16)
    struct.pack_into("<3f", header, 108, 352, 1, 0)
    header[344:348] = b"n+1\0"
    return gzip.compress(bytes(header) + bytes(4) + volume.astype("<i2").tobytes("F"))


@pytest.mark.parametrize("rounded", [True, False])
def test_hippocampus(source, rounded):
    volume, labels = RNG.integers(0, 900, (35, 51, 9)), RNG.integers(0, 3, (35, 51, 9))
    low, high = np.percentile(volume, (1, 99.5))
    grey = np.clip((volume[..., 4] - low) / (high - low), 0, 1) * 255
    image, mask = np.zeros((64, 64, 1), np.uint8), np.zeros((64, 64), np.int64)
    image[14:49, 6:57, 0] = np.rint(grey) if rounded else grey
    mask[14:49, 6:57] = labels[..., 4]
    pair = Pair("train", "hippocampus_001_z04", pair_hash(image, mask))
    folder = "data/TrainingSet"
    files = {
        f"{folder}/images/hippocampus_001.nii.gz": nifti(volume),
        f"{folder}/labels/hippocampus_001.nii.gz": nifti(labels),
    }
    ((_, prepared, prepared_mask),) = prepare.prepare_hippocampus(source(files), entry([pair], channels=1))
    np.testing.assert_array_equal(prepared, image)
    np.testing.assert_array_equal(prepared_mask, mask)
    beyond = Pair("train", "hippocampus_001_z09", "")
    with pytest.raises(DataError, match="has no slice for hippocampus_001_z09"):
        next(prepare.prepare_hippocampus(source(files), entry([beyond], channels=1)))


@pytest.mark.parametrize("potholes", [True, False])
def test_road(source, potholes):
    photograph = encoded(RNG.integers(0, 256, (640, 1024, 3), dtype=np.uint8), "JPEG", quality=80)
    image = np.asarray(Image.open(io.BytesIO(photograph)).resize((128, 80), Image.Resampling.BOX))
    lane, crack, pothole = (np.zeros((640, 1024), np.uint8) for _ in range(3))
    lane[320:, 200:800] = 255
    crack[400:404, 400:408] = 255  # a half of one cell
    crack[400, 408:416] = 255  # an eighth of the next
    pothole[480:488, 480:483] = 255  # three eighths of a cell
    mask = np.zeros((80, 128), np.int64)
    mask[40:, 25:100] = 1
    mask[50, 50] = 2
    files = {"Dataset/f/f_RAW.jpg": photograph, "Dataset/f/f_LANE.png": encoded(lane)}
    files["Dataset/f/f_CRACK.png"] = encoded(crack)
    if potholes:
        files["Dataset/f/f_POTHOLE.png"] = encoded(pothole)
        mask[60, 60] = 3
    pair = Pair("train", "f", pair_hash(image, mask))
    ((_, prepared, prepared_mask),) = prepare.prepare_road(source(files), entry([pair], size=(80, 128)))
    np.testing.assert_array_equal(prepared_mask, mask)
    np.testing.assert_array_equal(prepared, image)
    files["Dataset/f/f_RAW.jpg"] = encoded(np.zeros((64, 64, 3), np.uint8), "JPEG")
    with pytest.raises(DataError, match=r"f_RAW.jpg: 1024x640 pixels are expected, not 64x64"):
        list(prepare.prepare_road(source(files), entry([pair])))


def aerial_files(scale=2.7, method=Image.Resampling.BICUBIC):
    photograph = encoded(RNG.integers(0, 256, (500, 720, 3), dtype=np.uint8), "JPEG", quality=95)
    cells = RNG.integers(0, 6, (10, 18)).repeat(50, axis=0).repeat(40, axis=1)
    colours = np.array(prepare.AERIAL_COLOURS, np.uint8)[cells]
    colours[:3] = 0  # black is no class
    size = (int(720 / scale), int(500 / scale))
    picture = np.asarray(Image.open(io.BytesIO(photograph)).resize(size, method))
    classes = np.where(np.arange(500)[:, np.newaxis] < 3, 5, cells).astype(np.uint8)
    classes = np.asarray(Image.fromarray(classes).resize(size, Image.Resampling.NEAREST))
    folder = "Semantic segmentation dataset/Tile 3"
    files = {
        f"{folder}/images/image_part_004.jpg": photograph,
        f"{folder}/masks/image_part_004.png": encoded(colours),
    }
    return files, picture[:128, 128:256], classes[:128, 128:256].astype(np.int64)


def test_aerial_finds_the_scale_that_gives_the_registered_pixels(source):
    files, image, mask = aerial_files()
    pair = Pair("train", "t3_4_01", pair_hash(image, mask))
    ((_, prepared, prepared_mask),) = prepare.prepare_aerial(source(files), entry([pair], ignore_index=5))
    np.testing.assert_array_equal(prepared, image)
    np.testing.assert_array_equal(prepared_mask, mask)
    assert set(np.unique(prepared_mask)) == set(range(6))


def test_aerial_falls_back_to_the_first_guess_and_refuses_what_does_not_fit(source):
    files, *_ = aerial_files()
    ((_, prepared, _),) = prepare.prepare_aerial(source(files), entry([Pair("train", "t3_4_01", "?")]))
    assert prepared.shape == (128, 128, 3)
    with pytest.raises(DataError, match="the crop t3_4_31 does not lie in the image"):
        list(prepare.prepare_aerial(source(files), entry([Pair("train", "t3_4_31", "?")])))


def test_box_mean_against_pillow():
    image = RNG.integers(0, 256, (24, 40, 3), dtype=np.uint8)
    for factor in (2, 8):
        expected = np.asarray(Image.fromarray(image).reduce(factor))
        np.testing.assert_array_equal(prepare.box_mean(image, factor), expected)
