"""vjp, jvp, jacobian, hvp against PyTorch's formulas computed by hand in NumPy."""

import numpy as np
import pytest

import minitorch_seg as ms

RNG = np.random.default_rng(3)
A = RNG.standard_normal((3, 4))
X = RNG.standard_normal(4)


def affine_tanh(x):
    return (ms.from_numpy(A) @ x).tanh()


JACOBIAN = (1 - np.tanh(A @ X) ** 2)[:, None] * A


def test_jacobian_vjp_and_jvp_agree_with_the_formula():
    u, v = RNG.standard_normal(3), RNG.standard_normal(4)
    x = ms.tensor(X)
    assert np.allclose(ms.jacobian(affine_tanh, x).data, JACOBIAN, atol=1e-14)
    y, pulled = ms.vjp(affine_tanh, x, u)
    assert np.allclose(y.data, np.tanh(A @ X)) and np.allclose(pulled.data, JACOBIAN.T @ u, atol=1e-14)
    _, pushed = ms.jvp(affine_tanh, x, v)
    assert np.allclose(pushed.data, JACOBIAN @ v, atol=1e-14)
    assert not x.requires_grad and x.grad is None


def test_hessian_vector_product():
    b = RNG.standard_normal((4, 4))
    v = RNG.standard_normal(4)
    _, product = ms.hvp(lambda x: x @ ms.from_numpy(b) @ x + (x**3).sum(), ms.tensor(X), v)
    assert np.allclose(product.data, (b + b.T + np.diag(6 * X)) @ v, atol=1e-13)


def test_several_inputs_and_an_unused_one():
    a, b, c = (ms.tensor(RNG.standard_normal(2)) for _ in range(3))
    parts = ms.jacobian(lambda p, q, r: p * q, (a, b, c))
    assert np.allclose(parts[0].data, np.diag(b.data)) and np.allclose(parts[1].data, np.diag(a.data))
    assert not parts[2].data.any()
    _, product = ms.jvp(lambda p, q: p * q, (a, b), (np.ones(2), np.ones(2)))
    assert np.allclose(product.data, a.data + b.data)
    _, products = ms.hvp(lambda p, q: (p * q).sum(), (a, b), (np.ones(2), 2 * np.ones(2)))
    assert products[0].tolist() == [2, 2] and products[1].tolist() == [1, 1]


def test_linear_and_constant_functions():
    x = ms.tensor(X)
    assert not ms.hvp(lambda t: t.sum(), x, np.ones(4))[1].data.any()
    assert not ms.jacobian(lambda t: ms.from_numpy(np.ones(2)), x).data.any()
    assert not ms.jvp(lambda t: ms.from_numpy(np.ones(2)), x, np.ones(4))[1].data.any()


def test_wrong_vectors_are_explained():
    with pytest.raises(ms.ShapeError, match=r"jvp: v has shapes \[\(3,\)\], expected \[\(4,\)\]"):
        ms.jvp(affine_tanh, ms.tensor(X), np.ones(3))
    with pytest.raises(ms.ShapeError, match="one number"):
        ms.hvp(affine_tanh, ms.tensor(X), np.ones(4))
    with pytest.raises(TypeError, match="one tensor"):
        ms.jacobian(lambda t: (t, t), ms.tensor(X))
