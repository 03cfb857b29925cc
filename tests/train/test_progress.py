"""What a user sees while a training runs, on a terminal and in a log file."""

import io
import sys

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.train import Trainer


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("terminal", [True, False])
def test_the_bar_tells_loss_score_speed_and_time_left(terminal, monkeypatch):
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    ms.manual_seed(0)
    x = np.zeros((8, 1, 4, 4), np.float32)
    y = np.zeros((8, 4, 4), np.int64)
    trainer = Trainer(ms.nn.Conv2d(1, 2, 1), metrics=["miou"])
    trainer.fit(x, y, batch_size=4, epochs=3, validation_data=(x, y))
    text = stream.getvalue()
    for word in ("loss ", "mIoU ", "(val ", "images/s"):
        assert word in text
    if terminal:
        assert "100%" in text and " left" in text
    else:
        assert text.splitlines()[-1].startswith("epoch 3, step 6/6: loss ") and "\r" not in text


def test_no_progress_is_silent(capsys):
    trainer = Trainer(ms.nn.Linear(2, 2))
    trainer.fit(np.zeros((4, 2), np.float32), np.zeros(4, np.int64), progress=False)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
