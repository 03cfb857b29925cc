"""Waiting actively: a change is seen, none ends the wait, and Python's lock is free meanwhile."""

import threading
import time

import numpy as np
import pytest

pytest.importorskip("numba", reason="kernels are not compiled")

from minitorch_seg.kernels import waiting


@pytest.mark.parametrize("place", [0, 1, 2])
def test_only_the_place_asked_for_is_looked_at(place):
    flags = np.array([5, 6, 7])
    assert not waiting.changes(flags, place, place + 5)
    assert all(waiting.changes(flags, place, seen) for seen in (5, 6, 7, -1) if seen != place + 5)


def test_a_change_by_another_thread_ends_the_wait(monkeypatch):
    monkeypatch.setattr(waiting, "_turns", 10**9)  # a minute; the other thread needs Python's lock to begin
    flags = np.zeros(2, np.int64)

    def change():
        time.sleep(0.02)
        flags[1] += 1

    other = threading.Thread(target=change)
    other.start()
    assert waiting.changes(flags, 1, 0)
    other.join(timeout=20)
    assert flags.tolist() == [0, 1]


def test_the_wait_ends_by_itself(monkeypatch):
    monkeypatch.setattr(waiting, "_turns", 1000)
    assert not waiting.changes(np.zeros(1, np.int64), 0, 0)
