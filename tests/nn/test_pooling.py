"""Pooling and unpooling as modules, one behind the other (test_every_module.py compares with PyTorch)."""

import minitorch_seg as ms


def test_pool_and_unpool():
    pool, unpool = ms.nn.MaxPool2d(2, return_indices=True), ms.nn.MaxUnpool2d(2)
    x = ms.randn(1, 2, 4, 6)
    y, indices = pool(x)
    back = unpool(y, indices)
    assert back.shape == x.shape and ((back.data == x.data) | (back.data == 0)).all()
    assert (back.data != 0).sum() == y.data.size
