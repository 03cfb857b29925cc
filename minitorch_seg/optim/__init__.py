"""Optimisers and learning-rate schedules, with PyTorch's names, arguments and trajectories."""

from minitorch_seg.optim import lr_scheduler
from minitorch_seg.optim.adam import Adam, AdamW
from minitorch_seg.optim.optimizer import Optimizer
from minitorch_seg.optim.rmsprop import RMSprop
from minitorch_seg.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]
