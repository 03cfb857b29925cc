"""PatchLoader: the pixel in the middle has the class, classes are balanced, the same seed the same bits."""

import numpy as np
import pytest

from minitorch_seg.data import ArrayDataset, transforms
from minitorch_seg.data.patches import PatchLoader
from minitorch_seg.errors import DataError


def coordinates(count=3, height=13, width=17):
    """Images whose channels are row, column and number of the image; a mask with one rare class, and 9."""
    rows, columns = np.indices((height, width))
    images = np.stack([np.stack([rows, columns, np.full_like(rows, k)], -1) for k in range(count)])
    masks = np.zeros((count, height, width), np.int64)
    masks[0, 0, 0] = masks[0, 4, 5] = 1
    masks[1:, 3:5] = 2
    masks[2, 5:] = 9
    return ArrayDataset.from_arrays(images.astype(np.uint8), masks)


class AsFloat:
    """Keeps the numbers as they are, where the loader would divide by 255."""

    def __call__(self, image, mask, rng):
        return image.astype(np.float32), mask


@pytest.mark.parametrize("size", [1, 4, 7])
@pytest.mark.parametrize("turned", [False, True])
def test_the_pixel_in_the_middle_has_the_class(size, turned):
    flips = [transforms.RandomHorizontalFlip(), transforms.RandomVerticalFlip(), transforms.RandomRot90()]
    turn = transforms.Compose(flips) if turned else None
    data = coordinates()
    loader = PatchLoader(data, size, 200, 2, ignore_index=9, transform=AsFloat(), patch_transform=turn)
    for patches, classes in loader:
        assert patches.shape == (200, 3, size, size) and patches.dtype == np.float32
        assert patches.data.transpose(0, 2, 3, 1).flags.c_contiguous
        middle = patches.data[:, :, size // 2, size // 2].astype(int)
        found = [data[image].mask[row, column] for row, column, image in middle]
        assert found == classes.tolist() and 9 not in found


def test_a_patch_is_the_image_s_and_its_border_repeated():
    loader = PatchLoader(coordinates(), 4, 50, 1, ignore_index=9, transform=AsFloat())
    patches, _ = next(iter(loader))
    for patch in patches.data:
        row, column, image = patch[:, 2, 2]
        assert np.array_equal(patch[0], np.clip(row + np.arange(-2, 2), 0, 12)[:, None].repeat(4, 1))
        assert np.array_equal(patch[1], np.clip(column + np.arange(-2, 2), 0, 16)[None].repeat(4, 0))
        assert (patch[2] == image).all()


def test_classes_are_balanced_and_pixels_within_a_class_too():
    loader = PatchLoader(coordinates(), 1, 3000, 1, ignore_index=9, transform=AsFloat())
    patches, classes = next(iter(loader))
    assert np.abs(np.bincount(classes.data) - 1000).max() < 120  # 4.6 standard deviations
    rare = patches.data[classes.data == 1][:, :, 0, 0]
    assert 400 < np.count_nonzero(rare[:, 0] == 0) < 600  # each of its two pixels half the time
    middle = patches.data[classes.data == 2][:, 2, 0, 0]
    assert 400 < np.count_nonzero(middle == 1) < 600


def test_the_same_seed_and_epoch_give_the_same_bits():
    def batches(seed, epoch):
        loader = PatchLoader(coordinates(), 5, 8, 2, ignore_index=9, seed=seed)
        loader.set_epoch(epoch)
        return [array.data for pair in loader for array in pair]

    first = batches(0, 3)
    assert all(np.array_equal(a, b) for a, b in zip(first, batches(0, 3), strict=True))
    for other in (batches(1, 3), batches(0, 4)):
        assert not np.array_equal(first[0], other[0])
    assert not np.array_equal(first[0], first[2])
    straight = PatchLoader(coordinates(), 5, 8, 2, ignore_index=9)
    passes = [[array.data for pair in straight for array in pair] for _ in range(4)]
    assert all(np.array_equal(a, b) for a, b in zip(first, passes[3], strict=True))


class Counting:
    """A data set that counts how often each of its images is read."""

    def __init__(self, data):
        self.data, self.reads = data, np.zeros(len(data), int)

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        self.reads[index] += 1
        return self.data[index]


ONE = 13 * 17 * (3 * 4 + 8 + 4)  # bytes of one of `coordinates`: image, mask, places


@pytest.mark.parametrize("keep, kept", [(0, 0), (2 * ONE, 2), (10**9, 3)])
def test_images_are_kept_as_far_as_there_is_room_and_nothing_else_changes(keep, kept):
    turn = transforms.Compose([transforms.RandomRot90(), transforms.RandomHorizontalFlip()])

    def batches(keep_bytes):
        data = Counting(coordinates())
        options = {"ignore_index": 9, "transform": AsFloat(), "patch_transform": turn, "seed": 5}
        loader = PatchLoader(data, 5, 60, 4, keep_bytes=keep_bytes, **options)
        data.reads[:] = 0
        found = [array.data for _ in range(2) for pair in loader for array in pair]
        return found, sorted(data.reads.tolist()), loader.kept_bytes

    found, reads, taken = batches(keep)
    assert taken == kept * ONE <= keep
    assert reads == [1] * kept + [8] * (3 - kept)  # of eight batches
    for a, b in zip(found, batches(10**9)[0], strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_a_transform_of_the_image_draws_stays_as_it_is():
    class Noise:
        def __call__(self, image, mask, rng):
            return rng.standard_normal(image.shape).astype(np.float32), mask

    loaders = [PatchLoader(coordinates(), 3, 40, 2, 9, Noise(), keep_bytes=keep) for keep in (0, 10**9)]
    for (a, _), (b, _) in zip(*loaders, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_nothing_to_draw_is_explained():
    empty = ArrayDataset.from_arrays(np.zeros((1, 4, 4, 3), np.uint8), np.full((1, 4, 4), 9))
    with pytest.raises(DataError, match="no image has a pixel that counts"):
        PatchLoader(empty, 3, ignore_index=9)
    with pytest.raises(DataError, match="size=0"):
        PatchLoader(coordinates(), 0)
