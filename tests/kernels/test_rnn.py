"""The recurrence and its gradient through time, against PyTorch and against finite differences."""

import numpy as np
import pytest

from minitorch_seg.kernels.reference import rnn as kernels
from tests.kernels.helpers import close

ACTIVATIONS = pytest.mark.parametrize("activation", ["tanh", "relu"])


@ACTIVATIONS
def test_forward_and_gradient_agree_with_pytorch(activation):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    u, h0, grad = rng.standard_normal((6, 3, 5)), rng.standard_normal((3, 5)), rng.standard_normal((6, 3, 5))
    module = torch.nn.RNN(5, 5, nonlinearity=activation, bias=False, dtype=torch.float64)
    torch.nn.init.eye_(module.weight_ih_l0)
    w_hh = module.weight_hh_l0.detach().numpy()
    inputs = [torch.from_numpy(a).requires_grad_() for a in (u, h0[None])]
    expected, _ = module(*inputs)
    h = kernels.rnn(u, h0, w_hh, activation)
    close(h, expected.detach().numpy())
    du, dh0 = kernels.rnn_gradient(grad, h, h0, w_hh, activation)
    expected_du, expected_dh0 = torch.autograd.grad(expected, inputs, torch.from_numpy(grad))
    close(du, expected_du.numpy())
    close(dh0, expected_dh0[0].numpy())


@ACTIVATIONS
def test_the_gradient_is_that_of_finite_differences(activation):
    rng = np.random.default_rng(1)
    u, h0, w_hh, grad, direction = (
        rng.standard_normal(s) for s in ((4, 2, 3), (2, 3), (3, 3), (4, 2, 3), (4, 2, 3))
    )
    du, _ = kernels.rnn_gradient(grad, kernels.rnn(u, h0, w_hh, activation), h0, w_hh, activation)
    e = 1e-6
    ahead, back = (np.vdot(grad, kernels.rnn(u + s * e * direction, h0, w_hh, activation)) for s in (1, -1))
    assert np.vdot(du, direction) == pytest.approx((ahead - back) / (2 * e), rel=1e-7)


def test_no_step_and_no_sequence():
    w_hh = np.eye(3, dtype="float32")
    for steps, batch in ((0, 2), (4, 0)):
        u, h0 = np.ones((steps, batch, 3), "float32"), np.ones((batch, 3), "float32")
        h = kernels.rnn(u, h0, w_hh, "tanh")
        du, dh0 = kernels.rnn_gradient(u, h, h0, w_hh, "tanh")
        assert h.shape == du.shape == u.shape and dh0.shape == h0.shape and not dh0.any()
