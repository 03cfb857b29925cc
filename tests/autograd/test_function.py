"""Functions and their nodes: what is saved and freed, in-place changes, results, twins, wrong functions."""

import weakref

import numpy as np
import pytest

import minitorch_seg as ms


def leaf(values, dtype=np.float64):
    return ms.tensor(np.asarray(values, dtype), requires_grad=True)


def test_in_place_change_of_a_saved_array_is_caught():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = (x * w).sum()
    with ms.no_grad():
        w += 1
    with pytest.raises(RuntimeError, match="in-place"):
        y.backward()


def test_in_place_change_through_a_view_is_caught():
    x, w = leaf([1.0, 2.0]), ms.tensor([3.0, 4.0], dtype="float64")
    y = (x * w).sum()
    w.reshape(2, 1)[0] = 7.0
    with pytest.raises(RuntimeError, match="in-place"):
        y.backward()


@pytest.mark.parametrize(
    "change",
    [
        lambda w: ms.optim.SGD([w], lr=0.1).step(),
        lambda w: ms.nn.init.zeros_(w),
    ],
    ids=["optimizer step", "initialisation"],
)
def test_every_in_place_operation_of_ours_raises_the_version(change):
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (w * w).sum().backward()
    y = (x * w).sum()
    change(w)
    with pytest.raises(RuntimeError, match="in-place"):
        y.backward()


def test_in_place_on_a_leaf_is_refused_while_recording():
    x = leaf([1.0])
    with pytest.raises(RuntimeError, match=r"no_grad\(\)"):
        x += 1
    with pytest.raises(RuntimeError, match="item assignment"):
        x[0] = 1.0


def test_saved_arrays_are_freed_by_backward():
    x = leaf(np.ones(10))
    y = x * 2
    data = weakref.ref(y.exp().grad_fn)
    z = y.exp()
    z.sum().backward()
    assert data() is None and z.grad_fn.freed


@pytest.mark.parametrize(
    "result, message",
    [
        (lambda g: (g,), "1 gradients for the 2 arguments"),
        (lambda g: (g.sum(), None), r"shape \(\) for argument 0"),
    ],
)
def test_a_wrong_backward_of_a_user_is_described(result, message):
    class Wrong(ms.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a.data + b.data

        @staticmethod
        def backward(ctx, g):
            return result(g)

    with pytest.raises(RuntimeError, match=message):
        Wrong.apply(leaf([1.0, 2.0]), leaf([1.0, 2.0])).sum().backward()


def test_a_saved_result_is_differentiable_again_and_makes_no_circle():
    x = leaf([0.3, -0.2])
    y = x.tanh()
    (g,) = ms.grad(y.sum(), x, create_graph=True)
    (gg,) = ms.grad(g.sum(), x)
    t = np.tanh(x.data)
    assert np.allclose(gg.data, -2 * t * (1 - t * t))


def test_a_function_that_returns_its_input():
    class Same(ms.Function):
        @staticmethod
        def forward(ctx, a):
            return a

        @staticmethod
        def backward(ctx, g):
            return g * 5

    x = leaf([1.0])
    y = Same.apply(x)
    assert y is not x
    y.sum().backward()
    assert x.grad.item() == 5.0 and x.is_leaf


def test_results_without_a_gradient_count_as_zero():
    """Two results, one unused: its cotangent is zero, of its own shape and dtype."""
    seen = []

    class Two(ms.Function):
        @staticmethod
        def forward(ctx, a):
            return a.data.sum(), a.data * 2

        @staticmethod
        def backward(ctx, g_sum, g_double):
            seen.append((g_sum.shape, g_double.shape, g_double.dtype, g_double.tolist()))
            return g_sum + 2 * g_double

    x = ms.tensor([1.0, 2.0, 3.0], requires_grad=True)
    total, _ = Two.apply(x)
    total.backward()
    assert seen == [((), (3,), np.float32, [0.0, 0.0, 0.0])] and x.grad.tolist() == [1.0, 1.0, 1.0]


def test_results_that_carry_no_gradient():
    class WithIndex(ms.Function):
        @staticmethod
        def forward(ctx, a):
            place, position = np.argmax(a.data), a.data.argmax() * 1.0
            position = np.asarray(position)
            ctx.mark_non_differentiable(position)
            return a.data * 2, position, place

        @staticmethod
        def backward(ctx, g, *_):
            return g * 2

    x = leaf([1.0, 5.0])
    y, position, place = WithIndex.apply(x)
    assert y.requires_grad and not position.requires_grad and not place.requires_grad
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_a_function_without_forward_or_backward_says_what_is_missing():
    class Empty(ms.Function):
        pass

    class Half(ms.Function):
        @staticmethod
        def forward(ctx, a):
            return a.data * 2

    with pytest.raises(NotImplementedError, match=r"a Function defines forward\(ctx"):
        Empty.apply(leaf(1.0))
    with pytest.raises(NotImplementedError, match=r"a Function defines backward\(ctx"):
        Half.apply(leaf(1.0)).backward()


def test_arrays_kept_by_a_function_are_freed_with_the_graph():
    class Keeps(ms.Function):
        @staticmethod
        def forward(ctx, a):
            ctx.mask, ctx.factor = a.data > 0, 3.0
            return a.data * ctx.mask * ctx.factor

        @staticmethod
        def backward(ctx, g):
            return g * ms.from_numpy(ctx.mask * ctx.factor)

    y = Keeps.apply(leaf([1.0, -2.0]))
    y.sum().backward()
    assert not hasattr(y.grad_fn, "mask") and y.grad_fn.factor == 3.0 and y.grad_fn.freed
    with pytest.raises(RuntimeError, match="backward through Keeps a second time"):
        y.sum().backward()


def test_a_node_that_saved_nothing_can_be_passed_again():
    x = leaf([1.0, 2.0])
    y = x.reshape(2, 1)
    y.sum().backward()
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_none_can_be_saved():
    class Maybe(ms.Function):
        @staticmethod
        def forward(ctx, a, weight):
            ctx.save_for_backward(a, weight)
            return a.data * (1 if weight is None else weight.data)

        @staticmethod
        def backward(ctx, g):
            _, weight = ctx.saved_tensors
            assert weight is None
            return g, None

    x = leaf([1.0, 2.0])
    Maybe.apply(x, None).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_an_in_place_change_says_the_versions():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = (x * w).sum()
    with ms.no_grad():
        w += 1
        w += 1
    expected = r"Mul saved array 1 of shape \(2,\).*version 0 then, 2 now"
    with pytest.raises(RuntimeError, match=expected):
        y.backward()


def fused(extra=None):
    """factor · a², fused, with a twin; b is not used."""

    class Fused(ms.Function):
        twin = staticmethod(lambda a, b, *, factor=1.0: a * a * factor)

        @staticmethod
        def forward(ctx, a, b, *, factor=1.0):
            ctx.save_for_backward(a)
            ctx.factor = factor
            return a.data * a.data * factor

        @staticmethod
        def backward(ctx, g):
            (a,) = ctx.saved_tensors
            return 2 * ctx.factor * a.data * g, extra

    return Fused


def test_keywords_and_unused_arguments_reach_the_twin():
    a, b = leaf([2.0]), leaf([5.0])
    for watched in (False, True):
        with ms.detect_anomaly() if watched else ms.enable_grad():
            y = fused().apply(a, b, factor=7.0).sum()
            slope, nothing = ms.grad(y, [a, b], create_graph=True, allow_unused=True)
        assert slope.tolist() == [28.0] and nothing is None
        assert ms.grad(slope.sum(), a)[0].tolist() == [14.0]


def test_a_twin_sees_whether_its_arguments_were_changed():
    x = leaf([2.0, 3.0])
    h = x * 1
    with ms.no_grad():
        h += 1  # before: the version then is what counts
    (g,) = ms.grad(fused().apply(h, None).sum(), x, create_graph=True)
    assert g.tolist() == [6.0, 8.0]

    class Light(ms.Function):  # saves nothing, so the twin's arguments alone can tell
        twin = staticmethod(lambda a: a * 2)

        @staticmethod
        def forward(ctx, a):
            return a.data * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    h = x * 1
    y = Light.apply(h).sum()
    with ms.no_grad():
        h += 1
    with pytest.raises(RuntimeError, match=r"Light saved array 0 of shape \(2,\).*in-place"):
        ms.grad(y, x, create_graph=True)


def test_a_gradient_of_another_dtype_takes_the_arguments():
    class Wide(ms.Function):
        @staticmethod
        def forward(ctx, a):
            return a.data * 2

        @staticmethod
        def backward(ctx, g):
            return g.data.astype(np.float64) * 2  # an array, too

    x = ms.tensor([1.0], requires_grad=True)
    seen = []
    h = x * 1
    h.register_hook(lambda g: seen.append(g.dtype))
    Wide.apply(h).sum().backward()
    assert seen == [np.float32] and x.grad.tolist() == [2.0]


@pytest.mark.parametrize(
    "use",
    [
        lambda x, i: x[i],
        lambda x, i: x[:, i],
        lambda x, i: ms.index_select(x, 1, i),
        lambda x, i: ms.gather(x, 1, i.reshape(1, 2)),
        lambda x, i: ms.where(i > 0, x, 0.0) + x[i[:1]],
        lambda x, i: ms.functional.nll_loss(x[:, :, None], i.reshape(1, 2)[:, :1]) + x[0, i].sum(),
    ],
)
def test_an_index_changed_in_place_before_backward_is_refused(use):
    x, i = ms.ones(1, 2, requires_grad=True), ms.tensor([0, 0])
    use(x, i).sum().backward()
    y = use(x, i).sum()
    i[0] = 1
    with pytest.raises(RuntimeError, match="in-place operation changed it"):
        y.backward()


def test_indices_of_unpooling_changed_in_place_are_refused():
    x, i = ms.ones(1, 1, 1, 1, requires_grad=True), ms.tensor([[[[1]]]])
    y = ms.functional.max_unpool2d(x, i, 2)
    i[...] = 0
    with pytest.raises(RuntimeError, match="MaxUnpool2d saved array 0"):
        y.sum().backward()
