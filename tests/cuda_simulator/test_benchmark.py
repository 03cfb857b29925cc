"""The operations and bytes that benchmarks/gpu.py counts for the limit of a training step."""

import numpy as np

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
