"""The same parameters, gradients and options in both libraries, for many steps."""

from typing import Any

import numpy as np

import minitorch_seg as ms
from tests.helpers import close, draw, theirs

SHAPES = [(3, 4), (5,), (), (60, 50)]  # the last one is large enough for the kernels


def parameters(dtype: str = "float64") -> tuple[list[Any], list[Any]]:
    torch = theirs().modules[1]
    arrays = [np.asarray(a) for a in draw(SHAPES, dtype)]
    return [ms.Tensor(a.copy(), True) for a in arrays], [torch.tensor(a, requires_grad=True) for a in arrays]


def set_gradients(ours: list[Any], expected: list[Any], step: int, skip: int | None = None) -> None:
    """Random gradients of sizes from 1e-3 to 10; parameter number `skip` has none."""
    torch = theirs().modules[1]
    for number, (o, e) in enumerate(zip(ours, expected, strict=True)):
        rng = np.random.default_rng([step, number])
        g = np.asarray(rng.standard_normal(o.shape) * 10 ** rng.uniform(-3, 1), o.dtype)
        o.grad, e.grad = (None, None) if number == skip else (ms.tensor(g), torch.tensor(g))


def same_trajectory(name: str, dtype: str = "float64", steps: int = 20, **options: Any) -> Any:
    """20 steps of ours equal 20 of PyTorch's; one parameter has no gradient in some of them; the
    state is saved and loaded into a fresh optimiser in the middle."""
    torch = theirs().modules[1]
    ours, expected = parameters(dtype)
    mine = getattr(ms.optim, name)(ours, **options)
    reference = getattr(torch.optim, name)(expected, **options)
    for step in range(steps):
        set_gradients(ours, expected, step, skip=1 if step in (0, 7) else None)
        versions = [p.version for p in ours]
        mine.step()
        reference.step()
        assert [p.version - v for p, v in zip(ours, versions, strict=True)] == [
            p.grad is not None for p in ours
        ]
        for o, e in zip(ours, expected, strict=True):
            close(
                o.data,
                e.detach().numpy(),
                f"{name} step {step}",
                tolerance=1e-10 if dtype == "float64" else 1e-4,
            )
        if step == steps // 2:
            fresh = getattr(ms.optim, name)(ours, lr=123.0)
            fresh.load_state_dict(mine.state_dict())
            mine = fresh
    return mine
