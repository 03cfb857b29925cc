"""clip_grad_norm_ against torch.nn.utils."""

import numpy as np
import pytest

import minitorch_seg as ms
from tests.helpers import close, draw, theirs


@pytest.mark.parametrize("norm_type", [2.0, 1, 3.5, float("inf"), "inf"])
@pytest.mark.parametrize("max_norm", [0.5, 3.0, 1000.0])
def test_torch(max_norm, norm_type):
    torch = theirs().modules[1]
    ours, expected = [], []
    for array in draw([(3, 4), (5,), ()], "float32"):
        array = np.asarray(array)
        ours.append(ms.nn.Parameter(np.zeros_like(array)))
        ours[-1].grad = ms.tensor(array)
        expected.append(torch.nn.Parameter(torch.zeros(array.shape)))
        expected[-1].grad = torch.tensor(array)
    norm = ms.nn.utils.clip_grad_norm_(iter(ours), max_norm, norm_type)
    their_norm = torch.nn.utils.clip_grad_norm_(expected, max_norm, norm_type)
    np.testing.assert_allclose(norm, their_norm.item(), rtol=1e-6)
    for f, e in zip(ours, expected, strict=True):
        close(f.grad.data, e.grad.numpy())


def test_one_tensor_and_none():
    w = ms.nn.Parameter(np.zeros(2, np.float32))
    assert ms.nn.utils.clip_grad_norm_(w, 1.0) == 0.0
    w.grad = ms.tensor([3.0, 4.0])
    assert ms.nn.utils.clip_grad_norm_(w, 1.0) == 5.0
    np.testing.assert_allclose(w.grad.data, [0.6, 0.8], rtol=1e-5)


def test_a_nan_is_seen():
    a, b = ms.nn.Parameter(np.zeros(2, np.float32)), ms.nn.Parameter(np.zeros(1, np.float32))
    a.grad, b.grad = ms.tensor([float("nan"), 1.0]), ms.tensor([1.0])
    with pytest.raises(ValueError, match="norm of the gradients is nan"):
        ms.nn.utils.clip_grad_norm_([a, b], 1.0, error_if_nonfinite=True)
    assert b.grad.item() == 1.0
    assert np.isnan(ms.nn.utils.clip_grad_norm_([a, b], 1.0)) and np.isnan(b.grad.data).all()
