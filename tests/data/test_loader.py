import threading

import numpy as np
import pytest

from minitorch_seg.data.dataset import ArrayDataset, Sample
from minitorch_seg.data.loader import DataLoader
from minitorch_seg.data.transforms import (
    Compose,
    Normalize,
    RandomColour,
    RandomCrop,
    RandomHorizontalFlip,
)
from minitorch_seg.errors import DataError, ShapeError


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (11, 10, 12, 3), dtype=np.uint8)
    return ArrayDataset.from_arrays(images, rng.integers(0, 3, (11, 10, 12)), [f"n{i}" for i in range(11)])


AUGMENT = Compose([RandomCrop(8), RandomHorizontalFlip(), Normalize(), RandomColour()])


def arrays(loader):
    return [(images.numpy(), masks.numpy()) for images, masks in loader]


def equal(a, b):
    return len(a) == len(b) and all(
        np.array_equal(x[0], y[0]) and np.array_equal(x[1], y[1]) for x, y in zip(a, b, strict=True)
    )


def loader_threads():
    return [thread for thread in threading.enumerate() if "minitorch-seg-loader" in thread.name]


def test_batches_hold_the_samples_in_order(data):
    batches = list(DataLoader(data, batch_size=4))
    assert [masks.shape for _, masks in batches] == [(4, 10, 12), (4, 10, 12), (3, 10, 12)]
    images = np.concatenate([images.numpy() for images, _ in batches])
    masks = np.concatenate([masks.numpy() for _, masks in batches])
    assert images.dtype == np.float32 and masks.dtype == np.int64
    for i, sample in enumerate(data):
        np.testing.assert_allclose(images[i], sample.image.transpose(2, 0, 1) / 255, rtol=1e-6)
        np.testing.assert_array_equal(masks[i], sample.mask)


def test_images_are_channels_last_in_memory(data):
    images, _ = next(iter(DataLoader(data, batch_size=4, transform=AUGMENT)))
    assert images.shape == (4, 3, 8, 8)
    assert images.data.transpose(0, 2, 3, 1).flags.c_contiguous


def test_length_and_drop_last(data):
    for size, drop, count in ((4, False, 3), (4, True, 2), (11, True, 1), (20, False, 1), (20, True, 0)):
        loader = DataLoader(data, batch_size=size, drop_last=drop)
        assert len(loader) == count == len(list(loader))


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_any_number_of_workers_gives_the_same_bits(data, workers):
    def epochs(workers):
        loader = DataLoader(data, batch_size=3, shuffle=True, transform=AUGMENT, seed=5, workers=workers)
        return [arrays(loader) for _ in range(2)]

    for a, b in zip(epochs(0), epochs(workers), strict=True):
        assert equal(a, b)


def test_epochs_and_seeds_differ_and_can_be_chosen(data):
    def loader(seed=0):
        return DataLoader(data, batch_size=3, shuffle=True, transform=AUGMENT, seed=seed)

    running = loader()
    first, second = arrays(running), arrays(running)
    assert not equal(first, second)
    assert not equal(first, arrays(loader(seed=1)))
    resumed = loader()
    resumed.set_epoch(1)
    assert equal(arrays(resumed), second)
    assert resumed.epoch == 2


def test_a_sample_meets_the_same_chance_in_any_order(data):
    """What happens to a sample depends on seed, epoch and its index, not on its place in the epoch."""
    plain = {m.tobytes(): i.tobytes() for i, m in arrays(DataLoader(data, 1, transform=AUGMENT))}
    mixed = {m.tobytes(): i.tobytes() for i, m in arrays(DataLoader(data, 1, True, transform=AUGMENT))}
    assert plain == mixed


def test_shuffle_is_a_permutation(data):
    seen = np.concatenate([m for _, m in arrays(DataLoader(data, 2, shuffle=True))])
    assert not np.array_equal(seen, np.stack([s.mask for s in data]))
    assert sorted(m.tobytes() for m in seen) == sorted(s.mask.tobytes() for s in data)


def test_early_break_leaves_no_thread(data):
    for _ in DataLoader(data, batch_size=1, workers=4):
        assert loader_threads()
        break
    assert not loader_threads()
    iterator = iter(DataLoader(data, batch_size=1, workers=4))
    next(iterator)
    iterator.close()
    assert not loader_threads()


@pytest.mark.parametrize("workers", [0, 3])
def test_an_error_of_a_transform_reaches_the_caller_with_the_name(data, workers):
    def fails(image, mask, rng):
        if np.array_equal(mask, data[7].mask):
            raise ZeroDivisionError("oh")
        return image, mask

    with pytest.raises(ZeroDivisionError, match="oh") as caught:
        list(DataLoader(data, batch_size=2, transform=fails, workers=workers))
    assert caught.value.__notes__ == ["while preparing n7 (index 7 of the data set)"]
    assert not loader_threads()


def test_an_error_of_ours_keeps_its_type_and_gains_the_name(data):
    def fails(image, mask, rng):
        raise ShapeError("too small")

    with pytest.raises(ShapeError, match=r"^n0: too small$"):
        list(DataLoader(data, transform=fails))


def test_an_unreadable_file_is_named_by_the_data_set():
    class Broken:
        def __len__(self):
            return 5

        def __getitem__(self, index):
            raise DataError(f"folder/{index}.png: the file is damaged.")

    with pytest.raises(DataError, match=r"^folder/0\.png: the file is damaged\.$"):
        list(DataLoader(Broken()))


def test_images_of_different_sizes_need_a_crop_or_single_batches():
    def sample(side, name):
        return Sample(np.zeros((side, side, 1), np.uint8), np.zeros((side, side), np.int64), name)

    mixed = ArrayDataset([sample(8, "a"), sample(9, "b")])
    with pytest.raises(DataError, match=r"8x8x1 \(a\) and 9x9x1 \(b\); use batch_size=1, or a RandomCrop"):
        list(DataLoader(mixed, batch_size=2))
    assert len(list(DataLoader(mixed, batch_size=1))) == 2
    assert len(list(DataLoader(mixed, batch_size=2, transform=RandomCrop(8)))) == 1


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"workers": -1}, {"seed": -1}])
def test_options_that_make_no_sense(data, options):
    with pytest.raises(DataError, match=next(iter(options))):
        DataLoader(data, **options)


def test_an_empty_data_set_is_refused():
    with pytest.raises(DataError, match="empty"):
        DataLoader(ArrayDataset([]))


def test_each_sample_meets_its_own_chance():
    mask = np.arange(48 * 48).reshape(48, 48)
    image = np.zeros((48, 48, 1), np.uint8)
    twins = ArrayDataset([Sample(image, mask, str(i)) for i in range(8)])
    _, masks = next(iter(DataLoader(twins, batch_size=8, transform=RandomCrop(8))))
    assert len({mask.tobytes() for mask in masks.numpy()}) > 5


def test_weights_draw_some_more_often_and_never_alike(data):
    weights = np.zeros(11)
    weights[3], weights[5] = 3, 1
    crop = RandomCrop(4)
    loader = DataLoader(data, batch_size=11, shuffle=True, weights=weights, transform=crop, workers=0)
    names = []
    for epoch in range(20):
        order = loader._rng(epoch, 0, 0).choice(11, 11, p=loader.share)
        names += order.tolist()
    assert set(names) == {3, 5} and 0.65 < names.count(3) / len(names) < 0.85
    images = next(iter(loader))[0].numpy()
    assert len(np.unique(images.reshape(11, -1), axis=0)) > 6  # one sample, many crops
    again = DataLoader(data, batch_size=11, shuffle=True, weights=weights, transform=crop, workers=2)
    np.testing.assert_array_equal(next(iter(again))[0].numpy(), images)
    with pytest.raises(DataError, match="one each is needed"):
        DataLoader(data, weights=np.ones(3))
