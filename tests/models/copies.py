"""A model beside the same network in PyTorch: weights copied, logits, gradients and buffers compared."""

import numpy as np
import pytest

import minitorch_seg as ms


def same_as_pytorch(ours, theirs, shape, classes, seed=0):
    """One step in training mode, in float64 to 1e-9 and in float32 to 1e-4 of each array's largest number.

    Weights are random throughout: those of layers that begin at zero too.
    """
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    state = {}
    for name, value in ours.state_dict().items():
        draw = rng.standard_normal(value.shape) * 0.5 if value.ndim else value.numpy()
        state[name] = np.abs(draw) + 0.5 if name.endswith("running_var") else draw
    x = rng.standard_normal(shape)
    target = rng.integers(0, classes, (shape[0], *shape[2:]))
    for dtype, tolerance in ((np.float64, 1e-9), (np.float32, 1e-4)):
        mine = {name: value.astype(dtype) if value.ndim else value for name, value in state.items()}
        ours, theirs = ours.to(dtype).train(), theirs.to(torch.tensor(np.zeros(1, dtype)).dtype).train()
        ours.load_state_dict(mine)
        theirs.load_state_dict({name: torch.tensor(value) for name, value in mine.items()})
        logits, expected = ours(ms.tensor(x.astype(dtype))), theirs(torch.tensor(x.astype(dtype)))
        near(logits.data, expected.detach().numpy(), tolerance, "logits")
        for p in ours.parameters():
            p.grad = None
        theirs.zero_grad()
        ms.functional.cross_entropy(logits, ms.tensor(target)).backward()
        torch.nn.functional.cross_entropy(expected, torch.tensor(target)).backward()
        pairs = zip(ours.named_parameters(), theirs.named_parameters(), strict=True)
        for (name, p), (_, q) in pairs:
            near(p.grad.data, q.grad.numpy(), tolerance, f"gradient of {name}")
        for (name, b), (_, c) in zip(ours.named_buffers(), theirs.named_buffers(), strict=True):
            near(b.data, c.numpy(), tolerance, name)


def near(found, expected, tolerance, what):
    assert found.shape == expected.shape and found.dtype == expected.dtype, what
    error = np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-3)
    assert error < tolerance, f"{what}: {error:.1e} of the largest number"
