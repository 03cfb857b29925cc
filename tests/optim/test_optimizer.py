"""Parameter groups, state_dict, what is refused."""

import numpy as np
import pytest

import minitorch_seg as ms
from tests.helpers import close, theirs
from tests.optim.trajectories import parameters, set_gradients


def test_groups_with_options_of_their_own():
    torch = theirs().modules[1]
    ours, expected = parameters()

    def build(optim, ps):
        optimizer = optim.SGD([{"params": ps[:1], "lr": 0.5}, {"params": ps[1]}], lr=0.1, momentum=0.9)
        optimizer.add_param_group({"params": [ps[2]], "weight_decay": 0.3, "momentum": 0.0})
        return optimizer

    mine, reference = build(ms.optim, ours), build(torch.optim, expected)
    for step in range(20):
        set_gradients(ours, expected, step)
        mine.step()
        reference.step()
    for o, e in zip(ours, expected, strict=True):
        close(o.data, e.detach().numpy())
    assert [g["lr"] for g in mine.param_groups] == [g["lr"] for g in reference.param_groups]


def test_state_dict_is_a_copy_and_comes_back():
    def run(split):
        w = ms.tensor(np.ones(3), requires_grad=True)
        optimizer = ms.optim.Adam([w], lr=0.1, amsgrad=True)
        for step in range(6):
            optimizer.zero_grad()
            ((w - step) ** 2).sum().backward()
            optimizer.step()
            if step == split:
                state = optimizer.state_dict()
                assert state["param_groups"][0]["params"] == [0]
                frozen = state["state"][0]["exp_avg"].copy()
                optimizer.step()  # must not reach into the saved state
                np.testing.assert_array_equal(state["state"][0]["exp_avg"], frozen)
                return w, state
        return w, optimizer.state_dict()

    w, state = run(split=2)
    first = ms.optim.Adam([ms.tensor(w.data, requires_grad=True)])
    second = ms.optim.Adam([ms.tensor(w.data, requires_grad=True)], lr=9.0)
    for optimizer in (first, second):
        optimizer.load_state_dict(state)
        p = optimizer.param_groups[0]["params"][0]
        p.grad = ms.tensor(np.ones(3))
        optimizer.step()
    close(first.param_groups[0]["params"][0].data, second.param_groups[0]["params"][0].data)
    assert second.state[0]["step"] == 4 and state["state"][0]["step"] == 3


def test_zero_grad_and_parameters_without_gradient():
    a, b = ms.tensor([1.0], requires_grad=True), ms.tensor([1.0], requires_grad=True)
    optimizer = ms.optim.SGD([a, b], lr=1.0)
    a.sum().backward()
    optimizer.step()
    assert (a.item(), b.item()) == (0.0, 1.0)
    optimizer.zero_grad()
    assert a.grad is None


def test_a_step_guards_saved_arrays():
    w = ms.tensor([2.0], requires_grad=True)
    y = (w * w).sum()
    w.grad = ms.tensor([1.0])
    ms.optim.SGD([w], lr=1.0).step()
    with pytest.raises(RuntimeError, match="in-place"):
        y.backward()


def test_refuses():
    w = ms.zeros(2, requires_grad=True)
    with pytest.raises(ValueError, match="no parameters"):
        ms.optim.SGD([])
    with pytest.raises(ValueError, match=r"shape \(2,\) is given twice"):
        ms.optim.SGD([w, w])
    with pytest.raises(TypeError, match="leaf tensors"):
        ms.optim.SGD([w * 2])
    with pytest.raises(TypeError, match="found str"):
        ms.optim.SGD(["w"])
    with pytest.raises(ValueError, match=r"\[2\].*expected \[1\]"):
        ms.optim.SGD([w]).load_state_dict(ms.optim.SGD([ms.zeros(1), ms.zeros(1)]).state_dict())
    with pytest.raises(NotImplementedError, match="Optimizer"):
        optimizer = ms.optim.Optimizer([w], {})
        w.grad = ms.zeros(2)
        optimizer.step()


def test_a_state_of_other_shapes_is_refused_and_changes_nothing():
    def adam(*shapes):
        parameters = [ms.zeros(*shape, requires_grad=True) for shape in shapes]
        optimizer = ms.optim.Adam(parameters, lr=len(shapes[1]) / 8)
        for parameter in parameters:
            parameter.grad = ms.zeros(*parameter.shape)
        optimizer.step()
        return optimizer

    own, other = adam((3,), (2, 3)), adam((3,), (2,))
    with pytest.raises(ms.errors.ShapeError, match=r"of parameter 1 has shape \(2,\), expected \(2, 3\)"):
        own.load_state_dict(other.state_dict())
    assert own.param_groups[0]["lr"] == 0.25
    state = own.state_dict()
    state["state"][2] = state["state"].pop(1)
    with pytest.raises(ValueError, match="state for parameter 2, but there are 2"):
        own.load_state_dict(state)
    own.load_state_dict(adam((3,), (2, 3)).state_dict())


def test_step_with_a_closure():
    """The closure runs before the step, with operations recorded, and its loss comes back."""
    w = ms.tensor([1.0], requires_grad=True)
    optimizer = ms.optim.SGD([w], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with ms.no_grad():
        assert optimizer.step(closure).item() == 1.0
    assert w.item() == 0.5
    assert optimizer.step() is None


def test_refuses_a_bare_tensor():
    for w in (ms.zeros(3, requires_grad=True), ms.zeros(3)):
        with pytest.raises(TypeError, match=r"SGD: params is a tensor.*\[tensor\]"):
            ms.optim.SGD(w, lr=0.1)
