"""Module: attributes, walking, modes, state_dict, conversion."""

import copy
import pickle

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DTypeError, ShapeError, SizeError


class Net(ms.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = ms.nn.Linear(2, 3)
        self.norm = ms.nn.BatchNorm2d(3)
        self.scale = ms.nn.Parameter(np.ones(3, np.float32))
        self.again = self.first
        self.register_buffer("count", ms.zeros(1))
        self.plain = 5


def test_names():
    net = Net()
    assert [n for n, _ in net.named_parameters()] == [
        "scale",
        "first.weight",
        "first.bias",
        "norm.weight",
        "norm.bias",
    ]
    assert [n for n, _ in net.named_modules()] == ["", "first", "norm"]
    assert [n for n, _ in net.named_children()] == ["first", "norm", "again"]
    buffers = ["count", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked"]
    assert [n for n, _ in net.named_buffers()] == buffers
    assert "again.weight" in net.state_dict()


def test_attributes():
    net = Net()
    net.scale = None
    assert net.scale is None and len(list(net.parameters())) == 4
    net.again = net.first = None
    assert net.first is None and [n for n, _ in net.named_parameters()] == ["norm.weight", "norm.bias"]
    net.plain = ms.nn.Linear(1, 1)
    assert "plain" in dict(net.named_modules())
    del net.plain
    assert not hasattr(net, "plain")


def test_attributes_are_guarded():
    net = Net()
    with pytest.raises(TypeError, match="scale is a parameter"):
        net.scale = np.ones(3)
    with pytest.raises(TypeError, match="norm is a module"):
        net.norm = len
    with pytest.raises(AttributeError, match="Net has no attribute 'secnd'"):
        _ = net.secnd

    class Forgetful(ms.nn.Module):
        def __init__(self):
            self.layer = ms.nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"super\(\).__init__"):
        Forgetful()
    with pytest.raises(NotImplementedError, match="Net"):
        net(1)


def test_modes_and_gradients():
    net = Net()
    assert net.training and net.norm.training
    assert not net.eval().norm.training and net.train().norm.training
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    net.requires_grad_()
    net.first(ms.ones(1, 2)).sum().backward()
    assert net.first.weight.grad is not None
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_state_dict_round_trip():
    a, b = Net(), Net()
    a.norm(ms.randn(4, 3, 2, 2))
    b.load_state_dict(a.state_dict())
    for name, tensor in a.state_dict().items():
        np.testing.assert_array_equal(tensor.data, b.state_dict()[name].data)
    assert b.norm.num_batches_tracked.item() == 1
    arrays = {k: t.data.astype(np.float64) for k, t in a.state_dict().items()}
    b.load_state_dict(arrays)
    assert b.first.weight.dtype == np.float32


def test_loading_raises_the_version_that_guards_saved_arrays():
    layer = ms.nn.Linear(2, 2)
    y = layer(ms.ones(1, 2, requires_grad=True)).sum()
    layer.load_state_dict(layer.state_dict())
    with pytest.raises(RuntimeError, match="in-place"):
        y.backward()


def test_loading_changes_nothing_unless_all_fits():
    net = Net()
    before = {k: t.data.copy() for k, t in net.state_dict().items()}
    good = {k: np.zeros_like(v) for k, v in before.items()}
    for wrong, error, words in [
        ({k: v for k, v in good.items() if k != "scale"}, KeyError, "missing: scale"),
        ({**good, "extra": np.ones(1)}, KeyError, "unexpected: extra"),
        ({**good, "scale": np.ones(4)}, ShapeError, r"scale \(4,\) \(expected \(3,\)\)"),
    ]:
        with pytest.raises(error, match=words):
            net.load_state_dict(wrong)
        for name, tensor in net.state_dict().items():
            np.testing.assert_array_equal(tensor.data, before[name])
    net.load_state_dict({"scale": np.full(3, 7.0), "extra": 1}, strict=False)
    assert net.scale.tolist() == [7, 7, 7]


def test_conversion():
    net = Net().double()
    assert {p.dtype.name for p in net.parameters()} == {
        "float64"
    } and net.norm.num_batches_tracked.dtype == np.int64
    assert net.float().norm.running_mean.dtype == np.float32 and net.to("cpu") is net
    with pytest.raises(ValueError, match="there is no device 'cuda:3'"):
        net.to("cuda:3")
    assert net.to(dtype="float64").scale.dtype == np.float64 and net.to(ms.ones(1)).scale.dtype == np.float32
    assert net.cpu() is net
    for wrong, words in (("gpu", "'gpu' is no dtype and no device"), ("int64", "parameters are floats")):
        with pytest.raises(DTypeError, match=words):
            net.to(wrong)


def test_a_move_that_fails_half_way_changes_nothing(monkeypatch):
    from minitorch_seg.kernels import devices

    moved = []

    def full_after_three(array, device):
        moved.append(array)
        if len(moved) > 3:
            raise SizeError("the GPU is full")
        return array.copy()

    monkeypatch.setattr(devices, "move", full_after_three)
    net = Net()
    before = [t.data for t in (*net.parameters(), *net.buffers())]
    with pytest.raises(SizeError):
        net.to("cuda")
    assert all(t.data is old for t, old in zip((*net.parameters(), *net.buffers()), before, strict=True))


def test_copy_and_pickle():
    net = Net()
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert isinstance(other.scale, ms.nn.Parameter) and other.again is other.first
        assert not np.shares_memory(other.scale.data, net.scale.data)
        np.testing.assert_array_equal(other.first.weight.data, net.first.weight.data)


def test_apply_and_repr():
    seen = []
    net = Net().apply(lambda m: seen.append(type(m).__name__))
    assert seen[-1] == "Net" and "Linear" in seen
    assert "(first): Linear(in_features=2, out_features=3, bias=True)" in repr(net)
    assert "Parameter containing" in repr(net.scale)
