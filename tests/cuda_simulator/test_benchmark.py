"""What benchmarks/gpu.py counts for the limit of a training step, and what it compares and times."""

from types import SimpleNamespace

import numpy as np
import pytest

import minitorch_seg as ms
from benchmarks import gpu
from minitorch_seg import functional as F
from minitorch_seg.kernels.cuda import driver


def test_a_convolution_and_its_gradients():
    """y = (2 images · 4 · 5 pixels) × 6 outputs of 3 channels · 9 taps."""
    x = ms.ones(2, 3, 4, 5, device="cuda").requires_grad_()
    weight = ms.ones(6, 3, 3, 3, device="cuda").requires_grad_()
    launches = []
    with gpu.counted(launches):
        F.conv2d(x, weight, padding=1).sum().backward()
    products = [flops for flops, _ in launches if flops]
    assert products == [2 * (2 * 4 * 5) * 6 * (3 * 9)] * 3
    assert "launch" not in vars(driver.backend)  # counted no longer
    maps = 4 * (2 * 3 * 4 * 5 + 2 * 6 * 4 * 5)
    assert all(moved >= maps for flops, moved in launches if flops)


def test_products_and_what_moves_alone():
    a, b = ms.ones(2, 5, 7, device="cuda"), ms.ones(2, 7, 3, device="cuda")
    launches = []
    with gpu.counted(launches):
        a @ b
    assert [flops for flops, _ in launches] == [2 * 2 * 5 * 7 * 3]
    launches.clear()
    with gpu.counted(launches):
        np.exp(a.data)
    (flops, moved), *more = launches
    assert not more and flops == 0 and moved >= 2 * 4 * a.data.size


def test_the_limit_is_the_longer_of_the_two():
    device = gpu.Device("a GPU", flops=1e12, bytes=1e11)
    assert device.milliseconds(1e9, 0) == 1.0 and device.milliseconds(1e9, 1e9) == 10.0


def test_copies_joined_parts_and_phases_count_what_they_touch():
    a, b = ms.ones(1, 2, 8, 8, device="cuda"), ms.ones(1, 2, 8, 8, device="cuda")
    weight = ms.ones(2, 3, 2, 2, device="cuda")
    launches = []
    with gpu.counted(launches):
        ms.cat([a, b], 1)
    assert sum(moved for _, moved in launches) == 4 * 2 * 2 * a.data.size  # each part read, and written
    launches.clear()
    with gpu.counted(launches):
        np.copy(a.data[:, :, :, :1])
    assert sum(moved for _, moved in launches) == 4 * 2 * 16
    launches.clear()
    with gpu.counted(launches):
        F.conv_transpose2d(a, weight, stride=2)  # four phases: each reads x and writes a quarter of y
    phases = [moved for flops, moved in launches if flops]
    y, packed = 3 * 16 * 16, 2 * 3
    assert len(phases) == 4 and sum(phases) >= 4 * (4 * a.data.size + y)
    assert sum(phases) <= 4 * (4 * a.data.size + y + 4 * packed + 4 * weight.data.size)


class Pretended:
    """A PyTorch whose products are right in float32, and wrong where TF32 is allowed."""

    def __init__(self):
        switch = SimpleNamespace(allow_tf32=True)
        self.backends = SimpleNamespace(cudnn=switch, cuda=SimpleNamespace(matmul=switch))
        self.cuda = SimpleNamespace()

    def from_numpy(self, array):
        tensor = SimpleNamespace(array=array)
        tensor.cuda = tensor.detach = tensor.cpu = lambda: tensor
        tensor.numpy = lambda: tensor.array
        return tensor

    def matmul(self, a, b):
        return self.from_numpy(a.array @ b.array * (1.1 if self.backends.cudnn.allow_tf32 else 1))


def test_results_are_compared_with_float32_and_timed_with_both(monkeypatch):
    torch, timed = Pretended(), []
    monkeypatch.setattr(gpu, "PRODUCTS", [(2, 3, 4), (3, 2, 5)])
    monkeypatch.setattr(gpu, "timed", lambda call: (2.0, 5.0))

    def timed_torch(torch, call):
        timed.append(torch.backends.cudnn.allow_tf32)
        return (1.0, 4.0) if timed[-1] else (3.0, 6.0)

    monkeypatch.setattr(gpu, "timed_torch", timed_torch)
    found = [(t.contestant, t.milliseconds, t.host) for t in gpu.products(gpu.Device("", 1.0, 1.0), torch)]
    assert found == 2 * [("minitorch_seg", 2, 5), ("torch float32", 3, 6), ("torch TF32", 1, 4)]
    assert timed[:4] == [False, True, False, True] and not torch.backends.cudnn.allow_tf32


def test_a_wrong_result_is_found():
    torch, a = Pretended(), np.ones((2, 2), np.float32)
    ours = SimpleNamespace(to_host=lambda: 1.01 * a)
    with pytest.raises(ArithmeticError, match="a case: differs from PyTorch's by"):
        gpu.compared("a case", torch, lambda: ours, lambda: torch.from_numpy(a))
