import numpy as np
import pytest

from minitorch_seg.data.dataset import ArrayDataset, Dataset, Sample, Splits
from minitorch_seg.errors import DataError


def sample(image_shape=(4, 5, 3), mask_shape=(4, 5), image_dtype=np.uint8, mask_dtype=np.int64):
    return Sample(np.zeros(image_shape, image_dtype), np.zeros(mask_shape, mask_dtype), "cat")


@pytest.mark.parametrize(
    "arguments, says",
    [
        ({"image_shape": (4, 5)}, "uint8 array of shape"),
        ({"image_shape": (4, 5, 4)}, "uint8 array of shape"),
        ({"image_dtype": np.float32}, "float32"),
        ({"mask_dtype": np.uint8}, "int64 array"),
        ({"mask_shape": (5, 4)}, "the image is 4x5 .* its mask 5x4"),
    ],
)
def test_sample_refuses_what_is_no_pair(arguments, says):
    with pytest.raises(DataError, match="cat: .*" + says):
        sample(**arguments)


def test_array_dataset_from_grey_images():
    images = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    data = ArrayDataset.from_arrays(images, (images % 2).astype(np.uint8), names=["a", "b"])
    assert isinstance(data, Dataset)
    assert [s.name for s in data] == ["a", "b"]
    assert data[1].image.shape == (3, 4, 1)
    np.testing.assert_array_equal(data[1].image[..., 0], images[1])
    assert data[1].mask.dtype == np.int64


def test_array_dataset_refuses_unequal_numbers_and_fractions():
    with pytest.raises(DataError, match="2 images but 3 masks"):
        ArrayDataset.from_arrays(np.zeros((2, 4, 4), np.uint8), np.zeros((3, 4, 4), int))
    with pytest.raises(DataError, match="integer"):
        ArrayDataset.from_arrays(np.zeros((2, 4, 4), np.uint8), np.zeros((2, 4, 4)))


def test_splits_by_name():
    parts = [ArrayDataset([sample()] * n) for n in (3, 2, 1)]
    splits = Splits("cats", *parts, classes=["no", "yes"])
    assert [(name, len(part)) for name, part in splits.items()] == [("train", 3), ("val", 2), ("test", 1)]
    assert splits.num_classes == 2
    with pytest.raises(DataError, match="no split 'tset'"):
        splits.split("tset")
