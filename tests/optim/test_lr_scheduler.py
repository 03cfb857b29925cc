"""Schedules against torch.optim.lr_scheduler, step by step; save and load; refusals."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.optim import lr_scheduler
from tests.helpers import theirs

CASES = {
    "cosine": ("CosineAnnealingLR", {"T_max": 10}, 25),
    "cosine to a floor": ("CosineAnnealingLR", {"T_max": 7, "eta_min": 0.01}, 20),
    "one cycle": ("OneCycleLR", {"max_lr": 0.4, "total_steps": 20}, 20),
    "one cycle, options": (
        "OneCycleLR",
        {"max_lr": 1.0, "total_steps": 9, "pct_start": 0.5, "div_factor": 5, "final_div_factor": 10},
        9,
    ),
    "one cycle of epochs": ("OneCycleLR", {"max_lr": 0.4, "epochs": 4, "steps_per_epoch": 3}, 12),
    "one cycle, straight": (
        "OneCycleLR",
        {"max_lr": 0.4, "epochs": 3, "steps_per_epoch": 4, "anneal_strategy": "linear", "pct_start": 0.35},
        12,
    ),
    "one cycle, straight, only up": (
        "OneCycleLR",
        {"max_lr": 0.4, "total_steps": 6, "anneal_strategy": "linear", "pct_start": 1.0},
        5,  # at the step after the top PyTorch divides by zero
    ),
    "one cycle, both counts": ("OneCycleLR", {"max_lr": 0.4, "total_steps": 7, "epochs": 2}, 7),
    "one cycle, two steps": ("OneCycleLR", {"max_lr": 1.0, "total_steps": 2}, 2),
    "lambda": ("LambdaLR", {"lr_lambda": lambda t: 0.9**t}, 10),
}


def build(library, name, options):
    parameters = [library.zeros(1, requires_grad=True), library.zeros(1, requires_grad=True)]
    optimizer = library.optim.SGD(
        [{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.05}], lr=0.2
    )
    return optimizer, getattr(library.optim.lr_scheduler, name)(optimizer, **options)


@pytest.mark.filterwarnings("ignore:Detected call")
@pytest.mark.parametrize("case", CASES)
def test_torch(case):
    torch = theirs().modules[1]
    name, options, steps = CASES[case]
    quiet = {"cycle_momentum": False} if name == "OneCycleLR" else {}
    mine, schedule = build(ms, name, options)
    reference, expected = build(torch, name, {**options, **quiet})
    for _ in range(steps + 1):
        np.testing.assert_allclose(schedule.get_last_lr(), expected.get_last_lr(), rtol=1e-9, atol=1e-15)
        assert [g["lr"] for g in mine.param_groups] == schedule.get_last_lr()
        mine.step()
        reference.step()
        if schedule.last_epoch < steps:
            schedule.step()
            expected.step()


def test_formula_of_the_cosine():
    _, schedule = build(ms, "CosineAnnealingLR", {"T_max": 10})
    for t in range(11):
        np.testing.assert_allclose(schedule.get_last_lr()[0], 0.1 * (1 + np.cos(np.pi * t / 10)), atol=1e-15)
        schedule.step()


def test_save_and_load():
    for name, options, _ in CASES.values():
        if options.get("total_steps", 9) < 5:
            continue  # four steps are taken
        _, schedule = build(ms, name, options)
        for _ in range(4):
            schedule.step()
        optimizer, other = build(ms, name, options)
        other.load_state_dict(schedule.state_dict())
        assert other.get_last_lr() == schedule.get_last_lr() == [g["lr"] for g in optimizer.param_groups]
        schedule.step()
        other.step()
        assert other.get_last_lr() == schedule.get_last_lr()


def test_refuses():
    optimizer = ms.optim.SGD([ms.zeros(1, requires_grad=True)])
    with pytest.raises(ValueError, match=r"T_max.*0"):
        lr_scheduler.CosineAnnealingLR(optimizer, 0)
    with pytest.raises(ValueError, match="total_steps=0"):
        lr_scheduler.OneCycleLR(optimizer, 1.0, 0)
    with pytest.raises(ValueError, match="pct_start=2"):
        lr_scheduler.OneCycleLR(optimizer, 1.0, 5, pct_start=2)
    for words, options in [
        ("give total_steps, or both", {}),
        ("give total_steps, or both", {"epochs": 3}),
        ("give total_steps, or both", {"steps_per_epoch": 3}),
        (r"epochs=0 and steps_per_epoch=3 must be positive", {"epochs": 0, "steps_per_epoch": 3}),
        (r"epochs=-2 and steps_per_epoch=-3 must be positive", {"epochs": -2, "steps_per_epoch": -3}),
        ("anneal_strategy 'cubic' is unknown", {"total_steps": 3, "anneal_strategy": "cubic"}),
    ]:
        with pytest.raises(ValueError, match=words):
            lr_scheduler.OneCycleLR(optimizer, 1.0, **options)
    schedule = lr_scheduler.OneCycleLR(optimizer, 1.0, 3)
    for _ in range(3):
        schedule.step()
    with pytest.raises(ValueError, match="step 4, but total_steps is 3"):
        schedule.step()
    with pytest.raises(NotImplementedError, match="LRScheduler"):
        lr_scheduler.LRScheduler(optimizer)
