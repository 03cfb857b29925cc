"""clip_grad_norm_ against torch.nn.utils."""

import numpy as np
import pytest

import minitorch_seg as ms
from tests.helpers import close, draw, theirs


@pytest.mark.parametrize("max_norm", [0.5, 3.0, 1000.0])
def test_torch(max_norm):
    torch = theirs().modules[1]
    ours, expected = [], []
    for array in draw([(3, 4), (5,), ()], "float32"):
        array = np.asarray(array)
        ours.append(ms.nn.Parameter(np.zeros_like(array)))
        ours[-1].grad = ms.tensor(array)
        expected.append(torch.nn.Parameter(torch.zeros(array.shape)))
        expected[-1].grad = torch.tensor(array)
    norm = ms.nn.utils.clip_grad_norm_(iter(ours), max_norm)
    their_norm = torch.nn.utils.clip_grad_norm_(expected, max_norm)
    np.testing.assert_allclose(norm, their_norm.item(), rtol=1e-6)
    for f, e in zip(ours, expected, strict=True):
        close(f.grad.data, e.grad.numpy())


def test_one_tensor_and_none():
    w = ms.nn.Parameter(np.zeros(2, np.float32))
    assert ms.nn.utils.clip_grad_norm_(w, 1.0) == 0.0
    w.grad = ms.tensor([3.0, 4.0])
    assert ms.nn.utils.clip_grad_norm_(w, 1.0) == 5.0
    np.testing.assert_allclose(w.grad.data, [0.6, 0.8], rtol=1e-5)
