"""Tensors, modules and optimisers on the device: moving, refusing, saving."""

import copy
import pickle

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg import functional as F
from minitorch_seg.examples import examples
from minitorch_seg.kernels import devices, layout


def test_moving_there_and_back():
    x = ms.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = x.to("cuda")
    assert y.device == "cuda" and y.dtype == np.float32 and y.to("cuda:0") is y
    (y * y).sum().backward()
    assert x.grad.device == "cpu" and x.grad.tolist() == [[2.0, 4.0], [6.0, 8.0]]
    assert y.cpu().device == "cpu" and y.detach().cpu().numpy().tolist() == x.tolist()
    assert x.cuda().to("float64", device="cpu").dtype == np.float64


def test_creation():
    for made in (
        ms.tensor([1, 2], device="cuda"),
        ms.zeros(2, 3, device="cuda"),
        ms.ones(1, 2, 3, 4, device="cuda"),
        ms.full((2,), 7, device="cuda"),
        ms.arange(3, device="cuda"),
        ms.eye(2, device="cuda"),
        ms.zeros_like(ms.ones(2, device="cuda")),
        ms.full_like(ms.ones(2, device="cuda"), 3),
    ):
        assert made.device == "cuda" and made.is_leaf
    assert ms.tensor([1.0], device="cuda", requires_grad=True).requires_grad
    assert ms.eye(2, device="cuda").tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_numbers_that_are_all_alike_are_made_there_and_not_brought(monkeypatch):
    brought, move = [], devices.move
    monkeypatch.setattr(
        devices, "move", lambda array, device: brought.append(array.size) or move(array, device)
    )
    made = ms.zeros(20, 30, device="cuda"), ms.full((1, 2, 3, 4), 7, device="cuda"), ms.eye(9, device="cuda")
    assert [t.device for t in made] == ["cuda"] * 3 and max(brought) == 1
    assert layout.is_map(made[1].data) and made[1].sum().item() == 7 * 24


def test_a_generator_gives_the_same_numbers_on_both_devices():
    for make in (ms.rand, ms.randn):
        on_cpu = make(2, 3, generator=ms.Generator(5))
        on_gpu = make(2, 3, generator=ms.Generator(5), device="cuda")
        np.testing.assert_array_equal(on_gpu.cpu().numpy(), on_cpu.numpy())
    x = ms.ones(4, 5)
    dropped = [F.dropout(x.to(d), 0.4, generator=ms.Generator(1)).cpu().numpy() for d in ("cpu", "cuda")]
    np.testing.assert_array_equal(*dropped)


def test_looking_copies():
    x = ms.tensor([1.5, -2.0], device="cuda")
    assert str(x) == "tensor([ 1.5, -2. ], device='cuda')" and x.tolist() == [1.5, -2.0]
    assert repr(x.double()) == "tensor([ 1.5, -2. ], device='cuda', dtype=float64)"
    assert x[0].item() == 1.5 and float(x[1]) == -2.0 and bool(x[0] > 0) and f"{x[0]:.2f}" == "1.50"
    assert len(x) == 2 and [t.item() for t in x] == [1.5, -2.0] and int(ms.tensor(3, device="cuda")) == 3


def test_numpy_is_refused():
    x = ms.tensor([1.0], device="cuda")
    for call in (x.numpy, lambda: np.asarray(x), lambda: np.from_dlpack(x), x.__dlpack_device__):
        with pytest.raises(TypeError, match=r"t\.cpu\(\)\.numpy\(\)"):
            call()
    with pytest.raises(TypeError, match=r"ms\.stack"):
        ms.tensor([x[0], x[0]])
    with pytest.raises(RuntimeError, match=r"t\.detach\(\)"):
        pickle.dumps(ms.ones(1, device="cuda", requires_grad=True) * 2)


def test_a_copy_lies_where_its_original_lies():
    x = ms.tensor([1.0, 2.0], device="cuda")
    for copied in (ms.tensor(x), ms.tensor(x, dtype="float64"), ms.nn.Parameter(x), ms.ones(1).to(x)):
        assert copied.device == "cuda"
    copied = ms.tensor(x)
    copied[0] = 5
    assert x.tolist() == [1.0, 2.0] and ms.tensor(x, device="cpu").device == "cpu"


MIXED = {
    "add": lambda a, b: a + b,
    "matmul": lambda a, b: a @ b,
    "cat": lambda a, b: ms.cat([a, b]),
    "where": lambda a, b: ms.where(a > 0, a, b),
    "conv2d": lambda a, b: F.conv2d(a.reshape(1, 1, 2, 2), b.reshape(1, 1, 2, 2)),
    "mse_loss": lambda a, b: F.mse_loss(a, b),
    "linear": lambda a, b: F.linear(a, b),
}


@pytest.mark.parametrize("operator", MIXED)
def test_mixing_devices_names_the_operator_what_lies_where_and_the_fix(operator):
    a = ms.tensor([[1.0, 2.0], [3.0, 4.0]])
    for pair, places in (((a, a.to("cuda")), "cpu .*, cuda "), ((a.to("cuda"), a), "cuda .*, cpu ")):
        with pytest.raises(
            TypeError, match=rf"^{operator}: .* lie on {places}.*\.to\('cuda'\) or \.to\('cpu'\)"
        ):
            MIXED[operator](*pair)


@pytest.mark.parametrize("place, other", [("cpu", "cuda"), ("cuda", "cpu")])
def test_every_operator_refuses_each_argument_that_lies_elsewhere(place, other):
    calls = 0
    for example in examples(place):
        for i in range(len(example.arrays) if len(example.arrays) > 1 else 0):
            places = [other if k == i else place for k in range(len(example.arrays))]
            arguments = [ms.tensor(a, device=d) for a, d in zip(example.arrays, places, strict=True)]
            with pytest.raises(TypeError, match=rf"^{example.operator}: the arguments lie on .*to\('cpu'\)"):
                example.call(*arguments)
            calls += 1
    assert calls > 100


def test_an_error_of_another_kind_is_not_taken_for_mixed_devices():
    x = ms.tensor([1.0, 2.0, 3.0], device="cuda")
    with pytest.raises(IndexError, match="out of bounds"):
        x[ms.tensor([7])]
    with pytest.raises(IndexError, match="mask of shape"):
        x[ms.tensor([True])]


class Half(ms.Function):
    """y = 2 x, with half of its gradient."""

    @staticmethod
    def forward(ctx, x):
        assert x.device == "cuda"
        return x.data * 2

    @staticmethod
    def backward(ctx, grad):
        return grad


class Twice(ms.Function):
    """An operator of a user, that forgets a device in its gradient."""

    @staticmethod
    def forward(ctx, x):
        return x.data * 2

    @staticmethod
    def backward(ctx, grad):
        return grad.cpu() * 2


def test_an_operator_of_a_user_is_named_by_its_class():
    class Plus(ms.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a.data + b.data

    with pytest.raises(TypeError, match=r"^Plus: the arguments lie on cuda \(3,\), cpu \(3,\)"):
        Plus.apply(ms.ones(3, device="cuda"), ms.ones(3))


def test_the_gradient_of_a_leaf_lies_where_the_leaf_lies():
    x = ms.tensor([1.0, 2.0], device="cuda", requires_grad=True)
    for cotangent in (ms.ones(2), np.ones(2, np.float32), ms.ones(2, device="cuda")):
        x.grad = None
        (2 * x).backward(cotangent)
        assert x.grad.device == "cuda" and x.grad.tolist() == [2.0, 2.0]
    x.grad = None
    with pytest.raises(TypeError, match=r"a gradient arrived on cpu, its tensor lies on cuda"):
        Twice.apply(x).sum().backward()
    x.register_hook(lambda grad: grad.cpu())
    with pytest.raises(TypeError, match=r"hook .*\.to\('cuda'\)"):
        (2 * x).sum().backward()
    assert x.grad is None


def test_derivatives():
    x, cube = ms.tensor([1.0, 2.0], device="cuda"), lambda a: a**3
    for v in (ms.ones(2), np.ones(2, np.float32), ms.ones(2, device="cuda")):
        for _, product in (ms.vjp(cube, x, v), ms.jvp(cube, x, v)):
            assert product.device == "cuda" and product.tolist() == [3.0, 12.0]
        assert ms.hvp(lambda a: cube(a).sum(), x, v)[1].tolist() == [6.0, 12.0]
    assert ms.jacobian(cube, x).tolist() == [[3.0, 0.0], [0.0, 12.0]]
    empty = ms.jacobian(lambda a: a[:0], x)
    assert empty.device == "cuda" and empty.shape == (0, 2)


def test_gradcheck_of_what_is_computed_there():
    factor = ms.tensor([2.0, 3.0], dtype="float64", device="cuda")
    report = ms.gradcheck(lambda a, b: a * b * factor, [cuda([1, 2]), np.array([3.0, 4.0])], directions=1)
    assert report.compared == 10 and report.max_error < 1e-6
    second = ms.gradcheck(lambda a: a * a * factor[0], cuda([1]), order=2, directions=1)
    assert second.compared > 2 and second.max_error < 1e-6
    with pytest.raises(ms.GradcheckError, match=r"Half: d output\[0\] / d argument 0\[0\] is 2 .* says 1"):
        ms.gradcheck(Half.apply, ms.ones(1, device="cuda"))


def test_running_statistics_elsewhere():
    x, mean = ms.ones(2, 3, 2, 2), ms.zeros(3)
    for place, other in (("cpu", "cuda"), ("cuda", "cpu")):
        statistics = mean.to(other), mean.to(other)
        with pytest.raises(TypeError, match=rf"^batch_norm: the arguments lie on {place} .*, {other} \(3,\)"):
            F.batch_norm(x.to(place), *statistics)


def test_numbers_and_zero_dimensional_tensors_mix():
    x = ms.tensor([1.0, 2.0], device="cuda", requires_grad=True)
    y = (x * ms.tensor(3.0) + 1) / np.float32(2)
    y.sum().backward()
    assert y.tolist() == [2.0, 3.5] and x.grad.tolist() == [1.5, 1.5]


def test_in_place():
    x = ms.tensor([[1.0, 2.0], [3.0, 4.0]], device="cuda")
    x += 1
    x *= ms.tensor([1.0, 10.0], device="cuda")
    x[0] = ms.tensor([7.0, 8.0])
    x[1, 0] = 9
    assert x.tolist() == [[7.0, 8.0], [9.0, 50.0]] and x.version == 4
    on_cpu = ms.zeros(3)
    on_cpu[:2] = x[0]  # an assignment copies, from either side to the other
    on_cpu[2] = x[1, 1]
    assert on_cpu.tolist() == [7.0, 8.0, 50.0]
    for wrong in (1j, "a", [1.0, 2.0]):
        with pytest.raises(TypeError):
            x += wrong
    y = x.clone()
    y[:] = 0
    assert x.tolist() != y.tolist()


def test_copies_and_pickles():
    x = ms.tensor([1.0, 2.0], device="cuda", requires_grad=True)
    for other in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert other.device == "cuda" and other.requires_grad and other.tolist() == x.tolist()


def test_a_module_moves_in_place():
    model = ms.nn.Sequential(ms.nn.Linear(2, 3), ms.nn.BatchNorm1d(3))
    weight = model[0].weight
    before = weight.detach().numpy().copy()
    assert model.to("cuda") is model and weight is model[0].weight
    assert {t.device for t in (*model.parameters(), *model.buffers())} == {"cuda"}
    state = model.state_dict()
    np.testing.assert_array_equal(state["0.weight"].cpu().numpy(), before)
    other = ms.nn.Sequential(ms.nn.Linear(2, 3), ms.nn.BatchNorm1d(3))
    other.load_state_dict(state)
    np.testing.assert_array_equal(other[0].weight.detach().numpy(), before)
    model.load_state_dict({k: 2 * v.cpu().numpy() for k, v in state.items()})
    np.testing.assert_array_equal(weight.detach().cpu().numpy(), 2 * before)
    assert model.to("cpu")[0].weight.device == "cpu"
    assert model.cuda()[0].weight.device == "cuda" and model.cpu()[0].weight.device == "cpu"
    model.to(device="cuda", dtype="float64")
    assert (weight.device, weight.dtype, model[1].num_batches_tracked.dtype) == ("cuda", np.float64, np.int64)


OPTIMIZERS = {
    "sgd": lambda p: ms.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda p: ms.optim.Adam(p, lr=0.1, amsgrad=True),
    "adamw": lambda p: ms.optim.AdamW(p, lr=0.1),
    "rmsprop": lambda p: ms.optim.RMSprop(p, lr=0.1, momentum=0.9, centered=True),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_optimisers_step_as_on_the_cpu_and_go_on_from_their_state(make):
    weights, states = [], []
    for device in ("cpu", "cuda"):
        w = ms.tensor([[1.0, -2.0], [0.5, 3.0]], device=device, requires_grad=True)
        optimizer = make([w])
        for step in range(4):
            if step == 2:  # a checkpoint
                state = optimizer.state_dict()
                assert all(not hasattr(v, "to_host") for s in state["state"].values() for v in s.values())
                states.append(state)
                optimizer = make([w])
                optimizer.load_state_dict(state)
            optimizer.zero_grad()
            (w * w * w).sum().backward()
            optimizer.step()
        weights.append(w.detach().cpu().numpy())
    np.testing.assert_allclose(weights[1], weights[0], rtol=1e-5)
    for name, value in states[0]["state"][0].items():
        np.testing.assert_allclose(states[1]["state"][0][name], value, rtol=1e-5)


def test_gradients_are_clipped():
    w = ms.tensor([3.0, 4.0], device="cuda", requires_grad=True)
    (w * w).sum().backward()
    assert ms.nn.utils.clip_grad_norm_([w], 1.0) == pytest.approx(10.0)
    np.testing.assert_allclose(w.grad.cpu().numpy(), [0.6, 0.8], rtol=1e-5)


def test_what_is_said_of_the_device():
    assert "simulator" in devices.describe()[0] and devices.problem() == ""


def test_commands_say_what_they_compute_on():
    from click.testing import CliRunner

    from minitorch_seg.cli import main

    result = CliRunner().invoke(main, ["evaluate", "no-such-run", "--device", "cuda"])
    assert result.exit_code == 2 and result.stderr.startswith("device cuda: Numba's simulator")
    result = CliRunner().invoke(main, ["gradcheck", "neg", "--device", "cuda"])
    assert result.exit_code == 0 and "1 of 1 passed" in result.stdout


def cuda(values, dtype="float32"):
    return ms.tensor(np.asarray(values, dtype), device="cuda")


def test_losses_of_volumes():
    logits = np.random.default_rng(0).standard_normal((1, 2, 2, 2, 3))
    target = np.random.default_rng(1).integers(0, 2, (1, 2, 2, 3))
    results = []
    for device in ("cpu", "cuda"):
        x = ms.tensor(logits, device=device, requires_grad=True)
        loss = F.cross_entropy(x, ms.tensor(target, device=device), reduction="none")
        (loss * loss).sum().backward()
        results.append((loss.tolist(), x.grad.tolist()))
    np.testing.assert_allclose(results[1][0], results[0][0], atol=1e-12)
    np.testing.assert_allclose(results[1][1], results[0][1], atol=1e-12)


def test_a_parameter_in_another_memory_order_is_moved():
    for momentum in (0, 0.9):
        w = ms.tensor(np.ones((4, 3), "float32"), device="cuda").data.T
        w = ms.Tensor(w, requires_grad=True)
        optimizer = ms.optim.SGD([w], lr=0.1, momentum=momentum)
        w.sum().backward()
        optimizer.step()
        np.testing.assert_allclose(w.tolist(), np.full((3, 4), 0.9), atol=1e-6)


@pytest.mark.parametrize("rule", [ms.optim.SGD, ms.optim.AdamW, ms.optim.RMSprop])
def test_an_optimiser_follows_a_model_that_is_moved_between_its_steps(rule):
    options = {"momentum": 0.9} if rule is ms.optim.SGD else {}
    ends = []
    for places in (("cpu",) * 3, ("cpu", "cuda", "cpu")):
        ms.manual_seed(0)
        model = ms.nn.Linear(3, 2)
        optimizer = rule(model.parameters(), lr=0.1, **options)
        for place in places:
            model.to(place)
            optimizer.zero_grad()
            (model(ms.ones(4, 3, device=place)) ** 2).sum().backward()
            optimizer.step()
        ends.append(model.weight.tolist())
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-5)


def test_assignment_from_the_same_memory():
    x = cuda(np.arange(32))
    x[np.arange(31, -1, -1)] = x
    assert x.tolist() == list(range(31, -1, -1))


def test_what_cannot_be_written_is_refused():
    x = cuda([3], "int64")
    for change in (lambda: x.__iadd__(0.5), lambda: x.__itruediv__(2)):
        with pytest.raises(TypeError, match="does not fit in place"):
            change()
    with pytest.raises(OverflowError):
        cuda([3], "uint8").__iadd__(300)
    assert x.tolist() == [3]
    repeated = cuda([[1], [2]]).expand(2, 3)
    with pytest.raises(ValueError, match="repeats its numbers"):
        repeated += 1
    with pytest.raises(ValueError, match="does not fit in place"):
        np.multiply(cuda(np.ones((2, 3))).data, 2, out=cuda(np.ones((1, 3))).data)
    with pytest.raises(ms.errors.DTypeError, match="convert it first"):
        ms.tensor([1.0], dtype="float16").to("cuda")


def test_masks_behind_an_ellipsis():
    x = np.arange(24.0).reshape(2, 3, 4)
    mask = np.array([True, False, True, True])
    assert cuda(x)[..., mask].tolist() == x[..., mask].tolist()
    with pytest.raises(IndexError, match="one ellipsis"):
        cuda(x)[..., ...]
    with pytest.raises(IndexError, match="single bool"):
        cuda(x)[True]


def test_the_smallest_as_a_norm():
    assert float(np.linalg.norm(cuda([3, -4]).data, -np.inf)) == 3
