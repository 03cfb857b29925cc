"""Hooks, retain_grad and the memory of gradients, against what PyTorch does."""

import copy
import pickle
import threading

import numpy as np
import pytest

import minitorch_seg as ms

F = ms.functional


def leaf(values):
    return ms.tensor(np.asarray(values, np.float64), requires_grad=True)


@pytest.mark.parametrize(
    "fused",
    [
        lambda h: F.batch_norm(h.reshape(2, 1, 1, 3), None, None, training=True),
        lambda h: F.softmax(h, 0),
        lambda h: F.log_softmax(h, 0),
        lambda h: F.cross_entropy(h.reshape(2, 3), ms.tensor([0, 2]), reduction="none"),
    ],
    ids=["batch_norm", "softmax", "log_softmax", "cross_entropy"],
)
def test_a_hook_on_the_input_of_a_fused_operator_runs_once_with_create_graph(fused):
    def gradient(create_graph):
        x = leaf([0.3, -1.0, 2.0, 0.5, 0.1, -0.7])
        h = x * 1.0
        calls = []
        h.register_hook(lambda g: calls.append(1) or g * 3)
        (g,) = ms.grad((fused(h) ** 3).sum(), x, create_graph=create_graph)
        return g.data, len(calls)

    plain, created = gradient(False), gradient(True)
    assert plain[1] == created[1] == 1
    np.testing.assert_allclose(created[0], plain[0], rtol=1e-12)


def test_gradients_never_share_memory_with_create_graph():
    a, b, seed = leaf([1.0, 2.0]), leaf([3.0, 4.0]), ms.tensor([3.0, 4.0], dtype="float64")
    (a + b).backward(seed, create_graph=True)
    assert ms.nn.utils.clip_grad_norm_([a, b], 1.0) == pytest.approx(np.sqrt(50))
    assert np.linalg.norm(np.concatenate([a.grad.data, b.grad.data])) == pytest.approx(1.0, rel=1e-5)
    assert seed.tolist() == [3.0, 4.0]


def test_retain_grad_twice_after_hooks_and_in_its_own_memory():
    u, v = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    p, q = u * 1, v * 1
    z = p + q
    for t in (p, q, z):
        t.retain_grad()
        t.retain_grad()
    p.register_hook(lambda g: g * 10)  # registered later, yet retain_grad sees what it returns
    seed = np.array([1.0, 1.0])
    z.backward(seed)
    assert p.grad.tolist() == [10.0, 10.0] and q.grad.tolist() == [1.0, 1.0]
    p.grad.data *= 100
    assert q.grad.tolist() == z.grad.tolist() == seed.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "hook, error",
    [(lambda g: g.sum(), ms.ShapeError), (lambda g: g.data, TypeError), (lambda g: 1.0, TypeError)],
)
def test_what_a_hook_returns_is_checked(hook, error):
    x = leaf([1.0, 2.0])
    x.register_hook(hook)
    with pytest.raises(error, match=r"a hook .*(\(\), expected \(2,\)|found ndarray|found float)"):
        (x * x).sum().backward()


def test_a_hook_keeps_the_dtype():
    x = ms.tensor([1.0], requires_grad=True)
    x.register_hook(lambda g: g.double())
    (x * x).sum().backward()
    assert x.grad.dtype == np.float32


def test_hidden_tensors_are_refused():
    class Square(ms.Function):
        @staticmethod
        def forward(ctx, x):
            return x[0].data ** 2 if isinstance(x, list) else x.data**2

    x = leaf([1.0])
    for call in (lambda: Square.apply(x=x), lambda: Square.apply([x, x])):
        with pytest.raises(TypeError, match="positional"):
            call()
    with ms.no_grad():
        assert Square.apply([x, x]).tolist() == [1.0]


def test_a_function_that_returns_its_argument_shares_the_version():
    class Same(ms.Function):
        @staticmethod
        def forward(ctx, x):
            return x.data

        @staticmethod
        def backward(ctx, g):
            return g

    h = leaf([1.0, 2.0]) * 1
    y = Same.apply(h)
    z = (h * h).sum()
    with ms.no_grad():
        y *= 5
    with pytest.raises(RuntimeError, match="in-place"):
        z.backward()


def test_second_backward_through_max_pool_is_refused_and_indices_are_let_go():
    x = leaf(np.arange(16.0).reshape(1, 1, 4, 4))
    loss = F.max_pool2d(x, 2).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="MaxPool2d a second time"):
        loss.backward()


def test_a_leaf_that_no_longer_requires_a_gradient_gets_none():
    w, x = leaf([1.0]), leaf([2.0])
    y = (w * x).sum()
    w.requires_grad = False
    y.backward()
    assert w.grad is None and x.grad.tolist() == [1.0]


def test_set_grad_enabled_acts_as_a_statement_and_as_a_block():
    ms.set_grad_enabled(False)
    try:
        assert not ms.is_grad_enabled()
        with ms.set_grad_enabled(True):
            assert ms.is_grad_enabled()
        assert not ms.is_grad_enabled()
    finally:
        ms.set_grad_enabled(True)
    assert ms.is_grad_enabled()


def test_no_grad_as_a_decorator():
    @ms.no_grad
    def bare():
        return ms.is_grad_enabled()

    @ms.no_grad()
    def called(depth):
        return ms.is_grad_enabled() or (depth > 0 and called(depth - 1))

    @ms.set_grad_enabled(False)
    def switched():
        return ms.is_grad_enabled()

    assert not bare() and not called(3) and not switched() and ms.is_grad_enabled()
    again = ms.no_grad()
    for _ in range(2):
        with again:
            assert not ms.is_grad_enabled()
    assert ms.is_grad_enabled()
    with pytest.raises(TypeError, match="generator"):

        @ms.no_grad()
        def numbers():
            yield 1


def test_dtype_is_kept_by_numpy_scalars():
    x = ms.tensor([0.2, 0.9])
    assert x.clamp(min=np.float64(0.5)).dtype == F.elu(x, np.float64(1)).dtype == np.float32


def test_generators_and_modules_that_hold_one_can_be_copied():
    g = ms.Generator(5)
    g.uniform((3,))
    for twin in (copy.deepcopy(g), pickle.loads(pickle.dumps(g))):
        assert np.array_equal(twin.uniform((4,)), copy.copy(g).uniform((4,)))


def test_two_models_train_in_two_threads_as_they_do_alone():
    def train(seed):
        rng = np.random.default_rng(seed)
        generator = ms.Generator(seed)
        w = ms.tensor(generator.normal((4, 3)), requires_grad=True)
        optimizer = ms.optim.Adam([w], lr=0.1)
        for _ in range(20):
            x = ms.tensor(rng.standard_normal((5, 4)).astype(np.float32))
            loss = ((x @ w).tanh() ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return w.data.copy()

    alone = [train(seed) for seed in (1, 2)]
    together = [None, None]

    def work(i):
        together[i] = train(i + 1)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_enable_grad_in_its_three_forms():
    @ms.enable_grad
    def bare():
        return ms.is_grad_enabled()

    @ms.enable_grad()
    def called():
        return ms.is_grad_enabled()

    with ms.no_grad():
        assert bare() and called() and not ms.is_grad_enabled()
        with ms.enable_grad():
            assert ms.is_grad_enabled()
        assert not ms.is_grad_enabled()


def test_a_decorated_function_that_raises_puts_the_switch_back():
    @ms.no_grad()
    def fails():
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fails()
    assert ms.is_grad_enabled()


def test_one_object_may_be_entered_inside_itself():
    off = ms.no_grad()
    with off, ms.enable_grad():
        with off:
            assert not ms.is_grad_enabled()
        assert ms.is_grad_enabled()
    assert ms.is_grad_enabled()


def test_set_grad_enabled_as_a_decorator_leaves_the_outside_alone():
    @ms.set_grad_enabled(True)
    def recorded():
        return ms.is_grad_enabled()

    with ms.no_grad():

        @ms.set_grad_enabled(True)
        def inside():
            return ms.is_grad_enabled()

        assert not ms.is_grad_enabled() and inside() and recorded()
        assert not ms.is_grad_enabled()


def test_a_hook_on_one_of_two_results():
    class Two(ms.Function):
        @staticmethod
        def forward(ctx, a):
            return a.data * 2, a.data * 3

        @staticmethod
        def backward(ctx, g, h):
            return 2 * g + 3 * h

    x = leaf([1.0])
    y, z = Two.apply(x)
    seen = []
    z.register_hook(lambda g: seen.append(g.tolist()) or g * 10)
    z.retain_grad()
    y.sum().backward(retain_graph=True)  # no gradient reaches z: its hook stays silent
    assert seen == [] and z.grad is None and x.grad.tolist() == [2.0]
    x.grad = None
    (y + z).sum().backward()
    assert seen == [[1.0]] and z.grad.tolist() == [10.0] and x.grad.tolist() == [32.0]


def test_hooks_run_in_ms_grad_too_and_on_the_way_to_an_inner_tensor():
    x = leaf([1.0, 2.0])
    y = x * 3
    x.register_hook(lambda g: g * 7)
    y.register_hook(lambda g: g * 10)
    to_y, to_x = ms.grad((y * y).sum(), [y, x])
    assert to_y.tolist() == [60.0, 120.0] and to_x.tolist() == [60.0 * 21, 120.0 * 21]


def test_hidden_tensors_that_need_no_gradient_are_allowed():
    class Scale(ms.Function):
        @staticmethod
        def forward(ctx, x, factors, extra=None):
            return x.data * factors[0].data * (1 if extra is None else extra.data)

        @staticmethod
        def backward(ctx, g):
            return g, None

    plain = ms.tensor([2.0], dtype="float64")
    assert Scale.apply(leaf([1.0]), [plain], extra=plain).tolist() == [4.0]
    assert Scale.apply(leaf([1.0]), (plain,)).tolist() == [2.0]
    for call in (
        lambda: Scale.apply(plain, [leaf([1.0])]),
        lambda: Scale.apply(plain, (plain, leaf([1.0]))),
        lambda: Scale.apply(leaf([1.0]), [plain], extra=leaf([1.0])),
    ):
        with pytest.raises(TypeError, match=r"Scale\.apply: a tensor that requires a gradient"):
            call()


def test_a_result_that_is_a_view_shares_the_version_of_its_source_only():
    class Half(ms.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a.data[:1]

        @staticmethod
        def backward(ctx, g):
            return None, None

    a, b = (ms.tensor([1.0, 2.0]) for _ in range(2))
    view = Half.apply(a, b)
    with ms.no_grad():
        view += 1
    assert (a.version, b.version) == (1, 0) and a.tolist() == [2.0, 2.0]


def test_an_operator_that_returns_its_argument_gives_a_detached_one():
    class Same(ms.Function):
        @staticmethod
        def forward(ctx, a):
            ctx.save_for_backward(a)
            return a

        @staticmethod
        def backward(ctx, g):
            (a,) = ctx.saved_tensors
            return g * a * 2

    x = ms.tensor([3.0])
    y = Same.apply(x)
    assert y is not x and np.shares_memory(y.data, x.data) and not y.requires_grad
    x = leaf([3.0])
    h = x * 1
    y = Same.apply(h)
    (first,) = ms.grad(y.sum(), x, create_graph=True)
    assert first.tolist() == [6.0]
    assert ms.grad(first.sum(), x)[0].tolist() == [2.0]
