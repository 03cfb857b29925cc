"""A history keeps every bit on its way through a CSV file."""

import math

import pytest

from minitorch_seg.errors import DataError
from minitorch_seg.train.history import History


def test_round_trip_keeps_every_bit_and_the_gaps(tmp_path):
    history = History()
    history.append(1, loss=1 / 3, miou=0.1 + 0.2)
    history.append(2, loss=5e-324, val_miou=2**-0.5)
    history.to_csv(tmp_path / "h.csv")
    again = History.from_csv(tmp_path / "h.csv")
    assert again == history
    assert again.history["loss"] == [1 / 3, 5e-324]
    assert math.isnan(again.history["miou"][1]) and math.isnan(again.history["val_miou"][0])


def test_unequal_histories_are_unequal():
    a, b = History(), History()
    a.append(1, loss=0.5)
    b.append(1, loss=math.nextafter(0.5, 1))
    assert a != b and a != History() and a != {"loss": [0.5]}


def test_best_is_the_first_highest():
    history = History()
    for epoch, value in enumerate([float("nan"), 0.2, 0.7, 0.7, 0.3], start=1):
        history.append(epoch, val_miou=value)
    assert history.best("val_miou") == (3, 0.7)
    assert history.best("nothing") is None


def test_a_file_that_is_no_history_is_named(tmp_path):
    (tmp_path / "h.csv").write_text("epoch,loss\none,two\n")
    with pytest.raises(DataError, match=r"h\.csv is not a history"):
        History.from_csv(tmp_path / "h.csv")
    with pytest.raises(DataError, match=r"cannot read .*none\.csv"):
        History.from_csv(tmp_path / "none.csv")
