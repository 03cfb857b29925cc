"""Training: the loop, its history, run folders that can be continued, evaluation and prediction."""

from minitorch_seg.train.history import History
from minitorch_seg.train.trainer import Callback, Trainer

__all__ = ["Callback", "History", "Trainer"]
