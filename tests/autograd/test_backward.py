"""The reverse pass: accumulation, order, retain_graph, create_graph, hooks, in-place guards, memory."""

import gc
import threading
import weakref

import numpy as np
import pytest

import minitorch_seg as ms


def leaf(values, dtype=np.float64):
    return ms.tensor(np.asarray(values, dtype), requires_grad=True)


def test_a_tensor_used_several_times_collects_every_gradient():
    x = leaf(3.0)
    y = x * x  # dy/dx = 6
    z = y + y * x + x  # dz/dx = 6 + (6·3 + 9) + 1
    z.backward()
    assert x.grad.item() == 6 + 27 + 1


def test_a_node_waits_for_all_its_users():
    # b = a + a; c = b + b: without the right order b would pass on half of its gradient
    a = leaf(1.0)
    b = a + a
    c = b + b
    d = c * b
    d.backward()
    assert a.grad.item() == 16.0  # d = 8a²


def test_gradients_of_two_backward_calls_add_up_and_zero_grad_is_assignment():
    x = leaf([1.0, 2.0])
    (x * 3).sum().backward()
    (x * 4).sum().backward()
    assert x.grad.tolist() == [7.0, 7.0]
    x.grad = None
    (x * 4).sum().backward()
    assert x.grad.tolist() == [4.0, 4.0]


def test_leaves_never_share_the_memory_of_their_gradients():
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (a + b).sum().backward()
    a.grad.data[0] = 99
    assert b.grad.tolist() == [1.0, 1.0]


def test_a_given_gradient_is_not_written_to():
    a, seed = leaf([1.0, 2.0]), np.array([1.0, 1.0])
    a.backward(seed)
    a.backward(seed)
    assert a.grad.tolist() == [2.0, 2.0] and seed.tolist() == [1.0, 1.0]


def test_broadcast_gradients_are_summed():
    a, b = leaf(np.ones((3, 1))), leaf(np.ones((2, 1, 4)))
    cotangent = np.arange(24.0).reshape(2, 3, 4)
    (a * b).backward(cotangent)
    assert np.array_equal(a.grad.data, cotangent.sum((0, 2))[:, None])
    assert np.array_equal(b.grad.data, cotangent.sum(1, keepdims=True))


def test_second_backward_through_a_freed_graph_says_what_to_do():
    x = leaf(2.0)
    y = x * x
    y.backward()
    with pytest.raises(RuntimeError, match=r"Mul a second time.*retain_graph=True"):
        y.backward()


def test_retain_graph_allows_a_second_backward():
    x = leaf(2.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 8.0


def test_non_scalar_backward_needs_a_gradient_of_the_right_shape():
    x = leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match=r"shape \(2,\).*needs a gradient"):
        (x * x).backward()
    with pytest.raises(ms.ShapeError, match=r"\(3,\).*\(2,\)"):
        (x * x).backward(np.ones(3))


def test_backward_without_any_gradient_is_refused():
    with pytest.raises(RuntimeError, match="requires_grad"):
        ms.tensor(1.0).backward()
    x = leaf(1.0)
    with ms.no_grad():
        y = x * x
    with pytest.raises(RuntimeError, match="requires_grad"):
        y.backward()


def test_detach_cuts_the_graph_and_shares_memory():
    x = leaf([1.0, 2.0])
    y = x * 2
    z = y.detach()
    assert not z.requires_grad and z.data is y.data
    (z * x).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_augmented_assignment_keeps_the_graph():
    x = leaf([1.0, 2.0])
    total = ms.tensor([0.0, 0.0], dtype="float64")
    total += x * x
    total += x
    total.sum().backward()
    assert x.grad.tolist() == [3.0, 5.0]


def test_hooks_see_the_complete_gradient_once_and_may_replace_it():
    x = leaf([1.0, 2.0])
    y = x * 3
    seen = []
    handle = y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    (y + y * 2).sum().backward(retain_graph=True)
    assert seen == [[3.0, 3.0]]
    assert x.grad.tolist() == [90.0, 90.0]
    handle.remove()
    (y * 1).sum().backward()
    assert len(seen) == 1


def test_leaf_hooks_run_before_accumulation():
    x = leaf([1.0])
    x.register_hook(lambda g: g * 2)
    (x * 3).sum().backward()
    (x * 3).sum().backward()
    assert x.grad.item() == 12.0


def test_retain_grad_keeps_the_gradient_of_a_computed_tensor():
    x = leaf([1.0, 2.0])
    y = x * x
    z = y * 3
    y.retain_grad()
    z.sum().backward()
    assert y.grad.tolist() == [3.0, 3.0] and z.grad is None


def test_third_derivative():
    x = leaf(0.7)
    derivative = x**3 * (2 * x).exp()
    for _ in range(3):
        (derivative,) = ms.grad(derivative, x, create_graph=True)
    expected = np.exp(1.4) * (8 * 0.7**3 + 36 * 0.7**2 + 36 * 0.7 + 6)
    assert derivative.item() == pytest.approx(expected, rel=1e-13)


def test_create_graph_through_backward_accumulates_differentiable_gradients():
    x = leaf(3.0)
    (x**3).backward(create_graph=True)
    first = x.grad
    assert first.item() == 27.0 and first.requires_grad
    x.grad = None
    first.backward()
    assert x.grad.item() == 18.0


def test_grad_touches_no_leaf_and_computes_only_what_is_wanted():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    calls = []

    class Spy(ms.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a.data * b.data

        @staticmethod
        def backward(ctx, g):
            calls.append(ctx.needs_input_grad)
            return g, g

    y = Spy.apply(x, w).sum()
    ms.grad(y, x)
    assert calls == [(True, False)] and x.grad is None and w.grad is None


def test_grad_of_an_inner_tensor_and_of_an_unused_one():
    x, unused = leaf([1.0, 2.0]), leaf([1.0])
    y = x * x
    z = (y * 3).sum()
    (dy,) = ms.grad(z, y, retain_graph=True)
    assert dy.tolist() == [3.0, 3.0]
    with pytest.raises(RuntimeError, match="input 0"):
        ms.grad(z, unused, retain_graph=True)
    assert ms.grad(z, [x, unused], allow_unused=True)[1] is None


def test_no_grad_state_belongs_to_its_thread():
    states = []
    with ms.no_grad():
        thread = threading.Thread(target=lambda: states.append(ms.is_grad_enabled()))
        thread.start()
        thread.join()
        assert not ms.is_grad_enabled()
    assert states == [True] and ms.is_grad_enabled()


def test_a_graph_of_100000_nodes_needs_no_recursion():
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 0.0
    y.backward()
    assert x.grad.item() == 1.0
    del y
    gc.collect()


def test_nothing_outlives_the_graph_without_the_garbage_collector():
    gc.disable()
    try:
        x = leaf([1.0, 2.0])
        y = x.exp().tanh()
        watched = [weakref.ref(y), weakref.ref(y.grad_fn), weakref.ref(x)]
        y.sum().backward()
        del x, y
        assert [w() for w in watched] == [None, None, None]
    finally:
        gc.enable()


def test_create_graph_keeps_the_graph_unless_told_otherwise():
    x = leaf(2.0)
    y = x**3
    y.backward(create_graph=True)
    (slope,) = ms.grad(y, x, create_graph=True)  # a second pass: nothing was freed
    assert slope.item() == 12.0
    ms.grad(y, x, create_graph=True, retain_graph=False)
    with pytest.raises(RuntimeError, match="a second time"):
        y.backward()


def test_without_create_graph_a_gradient_is_outside_the_graph():
    x = leaf([1.0, 2.0])
    (slope,) = ms.grad((x * x).sum(), x)
    assert not slope.requires_grad and slope.is_leaf
    (x * x).sum().backward()
    assert not x.grad.requires_grad


def test_one_element_of_any_rank_needs_no_gradient():
    x = leaf([[[3.0]]])
    (x * x).backward()
    assert x.grad.tolist() == [[[6.0]]]


def test_several_roots_and_their_gradients():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    ms.backward([x * y, x.sum()], [np.array([1.0, 10.0]), None])
    assert x.grad.tolist() == [4.0, 41.0] and y.grad.tolist() == [1.0, 20.0]
    a, b = ms.grad([x * y, x * 2], (x, y), [np.array([1.0, 0.0]), ms.tensor([0.0, 1.0], dtype="float64")])
    assert a.tolist() == [3.0, 2.0] and b.tolist() == [1.0, 0.0]
    (a,) = ms.grad(x * y, x, np.array([1.0, 5.0]))
    assert a.tolist() == [3.0, 20.0]
    with pytest.raises(ValueError, match="2 tensors need as many gradients, found 1"):
        ms.backward([x.sum(), y.sum()], [None])
    with pytest.raises(RuntimeError, match="input 1 of grad"):
        ms.grad(x.sum(), [x, ms.tensor(1.0)])


def test_a_cotangent_takes_the_dtype_of_its_tensor():
    x = ms.tensor([1.0, 2.0], requires_grad=True)
    (x * x).backward([1, 10])
    assert x.grad.dtype == np.float32 and x.grad.tolist() == [2.0, 40.0]


def test_gradients_added_to_a_recorded_one():
    """A plain pass after one with create_graph makes a new array; the recorded gradient stays as it was."""
    x = leaf(3.0)
    (x**3).backward(create_graph=True)
    first = x.grad
    (x * 2).backward()
    assert x.grad.item() == 29.0 and first.item() == 27.0 and x.grad.grad_fn is None
    x.grad = None
    (x**3).backward()
    (x**2).backward(create_graph=True)  # the other way round: the sum can be differentiated
    assert x.grad.item() == 33.0 and x.grad.requires_grad
    (second,) = ms.grad(x.grad, x)
    assert second.item() == 2.0


def test_retain_grad_on_a_leaf_and_without_a_gradient():
    x = leaf([1.0])
    x.retain_grad()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0]
    with pytest.raises(RuntimeError, match="retain_grad needs a tensor that requires a gradient"):
        ms.tensor([1.0]).retain_grad()
    with pytest.raises(RuntimeError, match="a hook needs a tensor that requires a gradient"):
        ms.tensor([1.0]).register_hook(lambda g: g)


def test_grad_fills_no_retained_gradient():
    x = leaf([1.0, 2.0])
    y = x * 3
    y.retain_grad()
    ms.grad(y.sum(), x)
    assert y.grad is None and x.grad is None


def test_a_hook_may_remove_itself_and_removing_twice_is_harmless():
    x = leaf([1.0])
    calls = []

    def once(g):
        calls.append(g.item())
        handle.remove()

    handle = x.register_hook(once)
    x.register_hook(lambda g: g * 10)  # still called, though the list was changed during the pass
    (x * 2).sum().backward()
    (x * 2).sum().backward()
    handle.remove()
    assert calls == [2.0] and x.grad.item() == 40.0


def test_infinities_and_nan_make_no_warning(recwarn):
    x = leaf([0.0, -1.0, 1e308])
    results = (1 / x, x / x * 0, x * 1e10, x.log(), (x * 1e3).exp())
    assert np.isinf(results[0].data[0]) and np.isinf(results[2].data[2]) and np.isnan(results[3].data[1])
    assert not recwarn.list


def test_a_root_that_is_a_leaf_gets_its_gradient_in_its_own_dtype():
    for gradient in ([1, 2], np.array([1.0, 2.0]), ms.tensor([1, 2]), ms.tensor([1.0, 2.0], dtype="float64")):
        x = ms.tensor([5.0, 6.0], requires_grad=True)
        x.backward(gradient)
        assert x.grad.dtype == np.float32 and x.grad.tolist() == [1.0, 2.0]


def test_two_targets_that_do_not_lead_to_each_other():
    """The younger one has nothing to pass on; the older one gets its gradient, and so do leaves later."""
    x = leaf(2.0)
    older, younger = x * 3, x * x
    y = older * younger
    a, b = ms.grad(y, [older, younger], retain_graph=True)
    assert (a.item(), b.item()) == (4.0, 6.0)
    y.backward()
    assert x.grad.item() == 3 * 3 * 2.0**2


def test_a_retained_gradient_can_be_differentiated():
    x = leaf(3.0)
    y = x * x
    y.retain_grad()
    (y * y).backward(create_graph=True)
    assert y.grad.item() == 18.0 and y.grad.requires_grad
    (again,) = ms.grad(y.grad, x)
    assert again.item() == 12.0  # d 2x² / dx


def test_gradients_of_many_threads_all_arrive():
    w, count = ms.tensor(np.ones(200_000), requires_grad=True), 6
    for _ in range(5):
        w.grad, start = None, threading.Barrier(count)

        def run(start=start):
            y = (w * 2).sum()
            start.wait()
            y.backward()

        threads = [threading.Thread(target=run) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (w.grad.numpy() == 2 * count).all()


def test_a_grad_of_another_shape_is_refused_and_not_broadcast():
    x = ms.ones(3, requires_grad=True)
    x.grad = ms.zeros(2, 3)
    with pytest.raises(ValueError, match=r"grad has shape \(2, 3\), its tensor \(3,\)"):
        x.sum().backward()
