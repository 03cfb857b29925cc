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


def test_one_result_an_input_and_a_tuple_for_several():
    x = ms.tensor([1.0, 2.0])
    for function in (ms.vjp, ms.hvp):
        value, product = function(lambda t: (t * t).sum(), x, *([] if function is ms.vjp else [np.ones(2)]))
        assert isinstance(product, ms.Tensor) and not value.requires_grad
        value, products = function(
            lambda t: (t * t).sum(), (x,), *([] if function is ms.vjp else [(np.ones(2),)])
        )
        assert isinstance(products, tuple) and len(products) == 1
    assert isinstance(ms.jacobian(lambda t: t * t, (x,)), tuple)


def test_vectors_may_be_tensors_arrays_or_lists_of_numbers():
    a, b = ms.tensor(X[:2]), ms.tensor(X[2:])
    for vectors in (
        ([1.0, 2.0], [3.0, 4.0]),
        (np.array([1.0, 2.0]), np.array([3.0, 4.0])),
        (ms.tensor([1.0, 2.0], dtype="float64"), [3.0, 4.0]),
    ):
        _, product = ms.jvp(lambda p, q: p * q, (a, b), vectors)
        assert np.allclose(product.data, b.data * [1, 2] + a.data * [3, 4])


def test_products_of_an_unused_input_are_zeros_of_its_shape_and_dtype():
    used, unused = ms.tensor([1.0, 2.0]), ms.tensor(np.ones((3, 1)))
    _, (product, nothing) = ms.vjp(lambda p, q: (p * p).sum(), (used, unused))
    assert product.tolist() == [2.0, 4.0]
    assert nothing.shape == (3, 1) and nothing.dtype == np.float64 and not nothing.data.any()
    _, (product, nothing) = ms.hvp(lambda p, q: (p**3).sum(), (used, unused), (np.ones(2), np.ones((3, 1))))
    assert np.allclose(product.data, [6.0, 12.0])
    assert nothing.shape == (3, 1) and nothing.dtype == np.float64 and not nothing.data.any()
    value, pushed = ms.jvp(lambda p, q: p * p, (used, unused), (np.zeros(2), np.ones((3, 1))))
    assert pushed.shape == value.shape == (2,) and not pushed.data.any()


def test_functions_whose_derivative_is_constant():
    """The gradient of a linear function does not depend on x: products are zeros, in the function's dtype."""
    x = ms.tensor([1.0, 2.0, 3.0])
    constant = ms.tensor([[1.0, 2.0]], dtype="float64")
    for value, product in (ms.jvp(lambda t: constant, x, np.ones(3)), ms.jvp(lambda t: constant * 1, x, x)):
        assert value is not constant and product.shape == (1, 2) and product.dtype == np.float64
    _, products = ms.hvp(lambda p, q: (2 * p).sum() + q.sum(), (x, x), (x, x))
    assert [p.tolist() for p in products] == [[0.0] * 3] * 2
    _, (first, second) = ms.hvp(lambda p, q: (p * p).sum() + q.sum(), (x, x), (x, x))
    assert first.tolist() == [2.0, 4.0, 6.0] and second.tolist() == [0.0] * 3


def test_a_jacobian_has_the_shapes_of_output_and_input():
    x = ms.tensor(RNG.standard_normal((2, 3)))
    found = ms.jacobian(lambda t: t.sum(0), x)
    assert found.shape == (3, 2, 3)
    assert np.array_equal(found.data, np.broadcast_to(np.eye(3)[:, None, :], (3, 2, 3)))
    assert ms.jacobian(lambda t: t[:0], x).shape == (0, 3, 2, 3)
    assert ms.jacobian(lambda t: t[:0], x).dtype == np.float64
    assert ms.jacobian(lambda t: t.sum(), x).shape == (2, 3)


def test_derivatives_are_taken_under_no_grad_too_and_leave_nothing_behind():
    x = ms.tensor([1.0, 2.0], requires_grad=True)
    with ms.no_grad():
        assert ms.vjp(lambda t: (t * t).sum(), x)[1].tolist() == [2.0, 4.0]
        assert ms.jvp(lambda t: t * t, x, np.ones(2))[1].tolist() == [2.0, 4.0]
        assert ms.jacobian(lambda t: t * t, x).tolist() == [[2.0, 0.0], [0.0, 4.0]]
        assert ms.hvp(lambda t: (t**3).sum(), x, np.ones(2))[1].tolist() == [6.0, 12.0]
    for result in (
        ms.vjp(lambda t: (t * t).sum(), x),
        ms.jvp(lambda t: t * t, x, np.ones(2)),
        ms.hvp(lambda t: (t**3).sum(), x, np.ones(2)),
    ):
        assert not result[0].requires_grad and not result[1].requires_grad
    assert x.grad is None


@pytest.mark.parametrize("name", ["vjp", "jvp", "hvp"])
def test_a_wrong_vector_names_the_function(name):
    expected = {"vjp": r"\[\(\)\]", "jvp": r"\[\(4,\)\]", "hvp": r"\[\(4,\)\]"}[name]
    with pytest.raises(ms.ShapeError, match=rf"^{name}: v has shapes \[\(3,\)\], expected {expected}"):
        getattr(ms, name)(lambda t: (t * t).sum(), ms.tensor(X), np.ones(3))
