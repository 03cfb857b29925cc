"""ReSeg: any size, gradients, what a pixel has seen, a step that learns."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.models.receptive_field import gradient_map


@pytest.mark.parametrize("size", [(8, 12), (1, 3)])
@pytest.mark.parametrize("options", [{}, {"cell": "elman", "layers": 1}, {"skips": True, "truncate": 2}])
def test_any_size(size, options):
    ms.manual_seed(0)
    model = ms.models.ReSeg(3, 4, base_channels=2, depth=2, **options).eval()
    y = model(ms.rand(2, 3, *size))
    assert y.shape == (2, 4, *size) and np.isfinite(y.data).all()


def test_about_as_many_parameters_as_the_unet_of_the_same_options():
    count = [sum(p.numel() for p in m(3, 3).parameters()) for m in (ms.models.UNet, ms.models.ReSeg)]
    assert count[0] == 482_771 and 0.9 < count[1] / count[0] < 1.1


def test_every_pixel_hears_from_every_other_where_convolutions_alone_do_not():
    """With the recurrent layers taken out, the same network sees a neighbourhood only."""
    ms.manual_seed(0)
    model = ms.models.ReSeg(1, 2, base_channels=4, depth=2, layers=1)
    strength = gradient_map(model, (1, 32, 32), (1, 1), draws=4).max(axis=0)
    assert (strength > 0).mean() > 0.9 and strength[-4:, -4:].max() > 0
    model.renets[0].forward = lambda x: ms.cat([ms.functional.max_pool2d(x, 2)] * 2, 1)
    strength = gradient_map(model, (1, 32, 32), (1, 1), draws=4).max(axis=0)
    assert strength[16:].max() == 0 and strength[:, 16:].max() == 0


@pytest.mark.parametrize("skips", [False, True])
def test_gradients_reach_every_parameter(skips):
    ms.manual_seed(0)
    model = ms.models.ReSeg(1, 3, base_channels=2, depth=1, layers=1, skips=skips).double()
    rng = np.random.default_rng(0)
    x, target = ms.tensor(rng.standard_normal((2, 1, 4, 6))), ms.tensor(rng.integers(0, 3, (2, 4, 6)))
    ms.functional.cross_entropy(model(x), target).backward()
    for name, p in model.named_parameters():
        assert np.abs(p.grad.data).max() > 1e-9, name
        direction = rng.standard_normal(p.shape)
        start, losses = p.data.copy(), []
        for step in (1e-6, -1e-6):
            p.data = start + step * direction
            with ms.no_grad():
                losses.append(ms.functional.cross_entropy(model(x), target).item())
        p.data = start
        slope = (losses[0] - losses[1]) / 2e-6
        assert (p.grad.data * direction).sum() == pytest.approx(slope, rel=1e-4, abs=1e-7), name


def test_wrong_input_is_explained():
    with pytest.raises(ms.ShapeError, match=r"expected \(N, 3, H, W\)"):
        ms.models.ReSeg(3, 2, base_channels=2)(ms.zeros(1, 1, 16, 16))
    with pytest.raises(ms.ShapeError, match="depth=0"):
        ms.models.ReSeg(3, 2, depth=0)
