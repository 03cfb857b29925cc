"""SegNet: against the same network in PyTorch, and its unpooling puts numbers where they came from."""

import numpy as np
import pytest

import minitorch_seg as ms
from tests.models.copies import same_as_pytorch


def in_pytorch(torch, widths, classes):
    nn = torch.nn

    def double(a, b):
        layers = [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
        return nn.Sequential(*layers, nn.Conv2d(b, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())

    class Theirs(nn.Module):
        def __init__(self):
            super().__init__()
            up = [*widths[::-1][1:], widths[0]]
            self.encoder = nn.ModuleList(map(double, [3, *widths[:-1]], widths))
            self.decoder = nn.ModuleList(map(double, widths[::-1], up))
            self.head = nn.Conv2d(widths[0], classes, 1)

        def forward(self, x):
            pool, unpool, places = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2), []
            for block in self.encoder:
                x, where = pool(block(x))
                places.append(where)
            for block in self.decoder:
                x = block(unpool(x, places.pop()))
            return self.head(x)

    return Theirs()


@pytest.mark.parametrize("depth", [1, 3])
def test_same_as_pytorch_with_the_same_weights(depth):
    torch = pytest.importorskip("torch")
    model = ms.models.SegNet(3, 4, base_channels=2, depth=depth)
    same_as_pytorch(model, in_pytorch(torch, [2, 4, 8][:depth], 4), (2, 3, 16, 24), 4)


def test_number_of_parameters():
    """Pairs of 3×3 convolutions (a → b) with batch norm hold 9ab + 9b² + 4b."""
    b, c, k = 3, 1, 2
    pairs = [(c, b), (b, 2 * b), (2 * b, 4 * b), (4 * b, 2 * b), (2 * b, b), (b, b)]
    expected = sum(9 * x * y + 9 * y * y + 4 * y for x, y in pairs) + (b + 1) * k
    assert sum(p.numel() for p in ms.models.SegNet(c, k, b, depth=3).parameters()) == expected


@pytest.mark.parametrize("size", [(1, 1), (17, 30), (16, 8)])
def test_any_size(size):
    ms.manual_seed(0)
    model = ms.models.build("segnet", 1, 2, base_channels=2, depth=3).eval()
    assert model(ms.rand(2, 1, *size)).shape == (2, 2, *size)


@pytest.mark.parametrize("shifted", [False, True])
def test_the_decoder_sees_each_number_where_the_encoder_found_it(monkeypatch, shifted):
    """And zeros elsewhere; places that are off by one are noticed."""
    ms.manual_seed(0)
    model = ms.models.SegNet(1, 2, base_channels=4, depth=1).eval()
    x = ms.rand(1, 1, 8, 6)
    encoded = model.encoder[0](x).data
    if shifted:
        right = ms.functional.max_unpool2d
        wrong = lambda x, places, size: right(x, ms.tensor(places.data ^ 1), size)  # noqa: E731
        monkeypatch.setattr(ms.functional, "max_unpool2d", wrong)
    seen = []
    monkeypatch.setattr(model.decoder[0], "forward", lambda x: seen.append(x.data) or x)
    model(x)
    windows = encoded.reshape(1, 4, 4, 2, 3, 2).transpose(0, 1, 2, 4, 3, 5).reshape(1, 4, 4, 3, 4)
    first = windows.argmax(axis=-1)[..., None] == np.arange(4)
    expected = np.where(first, windows, 0).reshape(1, 4, 4, 3, 2, 2).transpose(0, 1, 2, 4, 3, 5)
    assert np.array_equal(seen[0], expected.reshape(encoded.shape)) != shifted
    assert (expected > 0).sum() > 20


def test_wrong_options_are_explained():
    with pytest.raises(ms.ShapeError, match=r"SegNet: sizes must be positive, found .*depth=0"):
        ms.models.SegNet(3, 2, depth=0)
    with pytest.raises(ms.ShapeError, match=r"SegNet: input has shape .* expected \(N, 3, H, W\)"):
        ms.models.SegNet(3, 2, base_channels=1)(ms.zeros(3, 32, 32))
