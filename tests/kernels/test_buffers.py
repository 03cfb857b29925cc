"""Memory that is used again: never for two arrays at once, and never more than was needed at one time."""

import gc
import threading

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.kernels import buffers
from minitorch_seg.kernels.layout import empty_map

LARGE = 1 << 18  # numbers of float32: 1 MiB


@pytest.fixture(autouse=True)
def nothing_waits():
    gc.collect()
    buffers.release_memory()
    yield
    buffers.release_memory()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
@pytest.mark.parametrize("shape", [(), (0, 5), (3, 4), (100, 1000), (8, 33, 47, 51)])
def test_an_array_is_what_was_asked_for(shape, dtype):
    a = buffers.empty(shape, dtype)
    assert a.shape == shape and a.dtype == dtype
    assert a.flags.c_contiguous and a.flags.writeable and a.flags.aligned
    a[...] = 1
    assert (a == 1).all()


def test_a_block_is_used_again_when_its_array_is_gone_and_only_then():
    a = buffers.empty((LARGE,), "float32")
    place = a.ctypes.data
    view = a[5:10]
    del a
    b = buffers.empty((LARGE,), "float32")
    assert b.ctypes.data != place, "a view still uses the first block"
    del view
    assert buffers.empty((LARGE,), "float32").ctypes.data == place


def test_living_arrays_never_share_memory():
    rng = np.random.default_rng(0)
    alive = []
    for step in range(300):
        if alive and rng.random() < 0.5:
            array, value = alive.pop(rng.integers(len(alive)))
            assert (array == value).all()
        array = buffers.empty((int(rng.choice([LARGE, LARGE // 2, LARGE // 4])),), "float32")
        array[...] = step
        alive.append((array, step))
    for array, value in alive:
        assert (array == value).all()


def test_waiting_memory_stays_within_half_of_what_was_in_use():
    most = 0
    for count in (LARGE, LARGE + 999, 2 * LARGE, 3 * LARGE + 5, LARGE // 2, LARGE):
        arrays = [buffers.empty((count,), "float32") for _ in range(3)]
        most = max(most, buffers.in_use())
        assert buffers.waiting() + buffers.in_use() <= most * 3 / 2
        del arrays
    buffers.release_memory()
    assert buffers.waiting() == 0 == buffers.in_use()


def test_a_training_step_takes_its_memory_from_the_step_before(monkeypatch):
    model = ms.models.UNet(3, 2, base_channels=8, depth=2)
    optimizer = ms.optim.Adam(model.parameters())
    x, t = ms.rand(4, 3, 64, 64), (ms.rand(4, 64, 64) > 0.5).long()
    blocks = []

    class Counting:
        def __getattr__(self, name):
            return getattr(np, name)

        def empty(self, *args):
            if args[1] is np.uint8:  # a new block; small arrays have a dtype of their own
                blocks.append(args)
            return np.empty(*args)

    monkeypatch.setattr(buffers, "np", Counting())
    fresh = []
    for _ in range(6):
        blocks.clear()
        loss = ms.functional.cross_entropy(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        fresh.append(len(blocks))
    assert fresh[0] > 20 and sum(fresh[3:]) / 3 < fresh[0] / 10


def test_maps_begin_at_cache_lines():
    assert all(empty_map((2, 3, 64, 65 + i), "float32").ctypes.data % 64 == 0 for i in range(9))


def test_several_threads_take_and_return():
    wrong = []

    def work(value):
        for _ in range(200):
            a = buffers.empty((LARGE,), "float32")
            a[::1000] = value
            if not (a[::1000] == value).all():
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(timeout=60)
    assert not wrong and buffers.in_use() == 0


def test_an_interrupt_between_a_block_and_its_count_does_no_lasting_harm():
    a = buffers.empty((LARGE,), "float32")
    del a
    assert buffers.waiting() > 0
    for blocks in buffers._waiting.values():
        blocks.pop()  # and the count was not lowered
    buffers.release_memory()
    assert buffers.waiting() == 0
    assert buffers.empty((4 * LARGE,), "float32").shape == (4 * LARGE,)


def test_a_handler_may_take_and_give_back_blocks_while_one_is_taken(monkeypatch):
    """A signal's handler runs in the thread that holds the lock, between any two calls."""
    inner = []

    def interrupted(allowed, give_back=buffers._give_back):
        if not inner:
            inner.append(None)
            inner.append(buffers.empty((LARGE,), "float32"))
            buffers.release_memory()
        give_back(allowed)

    monkeypatch.setattr(buffers, "_give_back", interrupted)
    a = buffers.empty((2 * LARGE,), "float32")
    a[...], inner[1][...] = 1, 2
    assert (a == 1).all() and buffers.in_use() >= 3 * LARGE * 4


def test_where_memory_ends_what_waits_is_given_back_first(monkeypatch):
    a = buffers.empty((LARGE,), "float32")
    del a
    assert buffers.waiting() > 0

    def full(*args, empty=np.empty):
        if buffers._held:
            raise MemoryError
        return empty(*args)

    monkeypatch.setattr(buffers, "_most", 1 << 40)  # else too much would not wait
    monkeypatch.setattr(buffers.np, "empty", full)
    b = buffers.empty((8 * LARGE,), "float32")
    monkeypatch.undo()
    assert b.shape == (8 * LARGE,) and buffers.waiting() == 0
