"""FCN: against the same network in PyTorch, how it begins, what each stride adds."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.models.fcn import begin_as_bilinear
from tests.models.copies import same_as_pytorch


def in_pytorch(torch, widths, classes, stride):
    """FCN as the paper has it, from PyTorch's modules, under the same names."""
    nn = torch.nn

    def block(a, b):
        return [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]

    class Theirs(nn.Module):
        def __init__(self):
            super().__init__()
            pairs = zip([3, *widths], widths, strict=False)
            self.stages = nn.ModuleList(nn.Sequential(*block(a, b), *block(b, b)) for a, b in pairs)
            last, rest = widths[-1], [nn.Dropout(0.0), nn.Conv2d(widths[-1], widths[-1], 1), nn.ReLU()]
            self.classifier = nn.Sequential(*block(last, last), *rest, nn.Dropout(0.0))
            skips = {32: 0, 16: 1, 8: 2}[stride]
            self.scores = nn.ModuleList(nn.Conv2d(w, classes, 1) for w in widths[::-1][: skips + 1])
            up = [nn.ConvTranspose2d(classes, classes, 4, 2, 1, bias=False) for _ in range(skips)]
            self.enlarge = nn.ModuleList(up)

        def forward(self, x):
            maps = []
            for stage in self.stages:
                x = torch.max_pool2d(stage(x), 2)
                maps.append(x)
            y = self.scores[0](self.classifier(x))
            for k, enlarge in enumerate(self.enlarge):
                y = enlarge(y) + self.scores[k + 1](maps[-2 - k])
            return nn.functional.interpolate(y, scale_factor=stride, mode="bilinear", align_corners=False)

    return Theirs()


@pytest.mark.parametrize("stride", [32, 16, 8])
def test_same_as_pytorch_with_the_same_weights(stride):
    torch = pytest.importorskip("torch")
    model = ms.models.FCN(3, 4, base_channels=2, stride=stride, dropout=0.0)
    same_as_pytorch(model, in_pytorch(torch, [2, 4, 8, 16, 16], 4, stride), (2, 3, 64, 96), 4)


def test_number_of_parameters():
    """3×3 convolutions (a → b) with batch norm hold 9ab + 2b; the classifier and scores have biases."""
    b, c, k = 4, 3, 5
    widths = [b, 2 * b, 4 * b, 8 * b, 8 * b]
    stages = sum(9 * a * w + 2 * w + 9 * w * w + 2 * w for a, w in zip([c, *widths], widths, strict=False))
    top = widths[-1]
    classifier = 9 * top * top + 2 * top + top * top + top
    for stride, scored in ((32, [8]), (16, [8, 8]), (8, [8, 8, 4])):
        scores = sum((n * b + 1) * k for n in scored) + 16 * k * k * (len(scored) - 1)
        model = ms.models.FCN(c, k, base_channels=b, stride=stride)
        assert sum(p.numel() for p in model.parameters()) == stages + classifier + scores


@pytest.mark.parametrize("size", [(1, 1), (33, 20), (64, 32)])
def test_any_size(size):
    ms.manual_seed(0)
    for name in ("fcn32", "fcn16s", "fcn8"):
        model = ms.models.build(name, 1, 2, base_channels=2).eval()
        assert model(ms.rand(2, 1, *size)).shape == (2, 2, *size)


def test_at_the_start_finer_scores_add_nothing_and_the_coarse_ones_are_enlarged():
    ms.manual_seed(0)
    model = ms.models.FCN(1, 2, base_channels=2, stride=8).eval()
    x = ms.rand(1, 1, 96, 96)
    assert np.array_equal(model(x).data, np.zeros((1, 2, 96, 96), np.float32))
    ms.nn.init.normal_(model.scores[0].weight)
    coarse = ms.models.FCN(1, 2, base_channels=2, stride=32).eval()
    state = model.state_dict()
    coarse.load_state_dict({name: state[name] for name in coarse.state_dict()})
    fine, expected = model(x).data, coarse(x).data
    inside = (..., slice(24, 72), slice(24, 72))  # bilinear there, in one step or in three
    assert np.corrcoef(fine[inside].ravel(), expected[inside].ravel())[0, 1] > 0.98
    assert np.ptp(fine[inside]) == pytest.approx(np.ptp(expected[inside]), rel=0.1)  # no factor in between
    ms.nn.init.normal_(model.scores[1].weight)
    assert np.abs(model(x).data - fine).max() > np.ptp(expected)


@pytest.mark.parametrize("steps", [2, 8])
def test_the_bilinear_weights_interpolate(steps):
    """In the interior, and between channels nothing is mixed."""
    weight = begin_as_bilinear(ms.zeros(3, 3, 2 * steps, 2 * steps, dtype=np.float64))
    x = ms.tensor(np.random.default_rng(0).standard_normal((1, 3, 5, 6)))
    y = ms.functional.conv_transpose2d(x, weight, stride=steps, padding=steps // 2).data
    expected = ms.functional.interpolate(x, scale_factor=steps, mode="bilinear").data
    inside = (..., slice(steps, -steps), slice(steps, -steps))
    assert y.shape == expected.shape
    np.testing.assert_allclose(y[inside], expected[inside], rtol=0, atol=1e-14)
    assert np.abs(y - expected)[..., 0].max() > 0.01  # at the border it fades to zero


def test_wrong_options_are_explained():
    with pytest.raises(ms.ShapeError, match="stride must be 32, 16 or 8, found 4"):
        ms.models.FCN(3, 2, stride=4)
    with pytest.raises(ms.ShapeError, match="num_classes=0"):
        ms.models.FCN(3, 0)
    with pytest.raises(ms.ShapeError, match=r"FCN: input has shape .* expected \(N, 3, H, W\)"):
        ms.models.FCN(3, 2, base_channels=1)(ms.zeros(1, 1, 32, 32))
