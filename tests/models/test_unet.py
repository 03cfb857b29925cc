"""U-Net: its parts against PyTorch's, odd sizes, gradients, memory order."""

import numpy as np
import pytest

import minitorch_seg as ms


def test_parameters_and_names():
    model = ms.models.UNet(3, 3, base_channels=16, depth=3)
    assert sum(p.numel() for p in model.parameters()) == 482_771
    names = list(model.state_dict())
    assert names[0] == "down.0.0.weight" and names[-1] == "head.bias"
    assert "merge.2.4.running_var" in names and "up.0.bias" in names and "down.0.0.bias" not in names


@pytest.mark.parametrize("size", [(16, 16), (17, 30), (1, 5), (8, 3)])
def test_any_size(size):
    ms.manual_seed(0)
    model = ms.models.UNet(1, 2, base_channels=4, depth=3).eval()
    y = model(ms.rand(2, 1, *size))
    assert y.shape == (2, 2, *size)


def test_padding_does_not_change_a_size_that_fits():
    ms.manual_seed(0)
    model = ms.models.UNet(1, 2, base_channels=4, depth=1).eval()
    x = ms.rand(1, 1, 9, 8)
    framed = ms.functional.pad(x, (0, 0, 0, 1), mode="replicate")
    assert np.array_equal(model(x).data, model(framed).data[:, :, :9])


def test_same_as_pytorch_with_the_same_weights():
    torch = pytest.importorskip("torch")

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            nn = torch.nn

            def double(a, b):
                return nn.Sequential(
                    nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(),
                    nn.Conv2d(b, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(),
                )  # fmt: skip

            self.down = nn.ModuleList([double(3, 4), double(4, 8), double(8, 16)])
            self.up = nn.ModuleList([nn.ConvTranspose2d(16, 8, 2, 2), nn.ConvTranspose2d(8, 4, 2, 2)])
            self.merge = nn.ModuleList([double(16, 8), double(8, 4)])
            self.head = nn.Conv2d(4, 5, 1)

        def forward(self, x):
            a = self.down[0](x)
            b = self.down[1](torch.max_pool2d(a, 2))
            c = self.down[2](torch.max_pool2d(b, 2))
            b = self.merge[0](torch.cat([b, self.up[0](c)], 1))
            return self.head(self.merge[1](torch.cat([a, self.up[1](b)], 1)))

    ms.manual_seed(1)
    ours = ms.models.UNet(3, 5, base_channels=4, depth=2).double()
    theirs = Theirs().double()
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    rng = np.random.default_rng(0)
    x, target = rng.standard_normal((2, 3, 12, 8)), rng.integers(0, 5, (2, 12, 8))
    loss = ms.functional.cross_entropy(ours(ms.tensor(x)), ms.tensor(target))
    loss.backward()
    expected = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(target))
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert np.allclose(p.grad.data, q.grad.numpy(), rtol=1e-8, atol=1e-12), name
    for (name, b), q in zip(ours.named_buffers(), theirs.buffers(), strict=True):
        assert np.allclose(b.data, q.numpy(), rtol=1e-12), name
    fresh = ms.models.UNet(3, 5, base_channels=4, depth=2).double().eval()
    fresh.load_state_dict(theirs.state_dict())  # PyTorch tensors as they are
    assert np.allclose(fresh(ms.tensor(x)).data, theirs.eval()(torch.tensor(x)).detach().numpy(), atol=1e-12)


def test_wrong_input_is_explained():
    with pytest.raises(ms.ShapeError, match=r"expected \(N, 3, H, W\)"):
        ms.models.UNet(3, 2, base_channels=4)(ms.zeros(1, 1, 16, 16))
    with pytest.raises(ms.ShapeError, match="in_channels=0"):
        ms.models.UNet(0, 2)


def test_gradients_reach_every_parameter():
    ms.manual_seed(0)
    model = ms.models.UNet(1, 3, base_channels=2, depth=2).double()
    x = ms.tensor(np.random.default_rng(0).standard_normal((2, 1, 8, 8)))
    names = [name for name, _ in model.named_parameters()]

    def loss(*values):
        state = dict(zip(names, values, strict=True))
        for name, value in state.items():
            owner = model
            *path, last = name.split(".")
            for part in path:
                owner = owner._modules[part]
            owner._parameters[last] = value
        return ms.functional.cross_entropy(model(x), ms.tensor(np.arange(128).reshape(2, 8, 8) % 3))

    arrays = [p.data for p in model.parameters()]
    report = ms.gradcheck(loss, arrays, max_jacobian=0, directions=1, rtol=1e-5, atol=1e-7, name="U-Net")
    assert report.compared == len(names)


def test_build_by_name():
    assert isinstance(ms.models.build("unet", 1, 2, base_channels=4, depth=1), ms.models.UNet)
    with pytest.raises(ms.UserError, match="did you mean unet"):
        ms.models.build("unnet", 1, 2)


def test_a_training_step_brings_nothing_but_the_input_into_another_memory_order(monkeypatch):
    """The image, as users have it, is converted once, for the first layer's product and weight gradient."""
    model = ms.models.UNet(3, 3, base_channels=4, depth=3)
    optimizer = ms.optim.Adam(model.parameters(), lr=0.01)
    x = ms.tensor(np.random.default_rng(0).random((2, 3, 32, 32), dtype=np.float32))
    target = ms.tensor(np.arange(2 * 32 * 32).reshape(2, 32, 32) % 3)
    converted = []
    monkeypatch.setattr(ms.kernels.layout, "_count", lambda array: converted.append(array.shape))
    loss = ms.functional.cross_entropy(model(x), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    assert converted == [(2, 3, 32, 32)]


def test_training_steps_have_the_same_bits_on_any_number_of_threads():
    def train(threads):
        before = ms.get_num_threads()
        ms.set_num_threads(threads)
        try:
            ms.manual_seed(0)
            model = ms.models.UNet(3, 3, base_channels=8, depth=2)
            optimizer = ms.optim.AdamW(model.parameters(), lr=0.01)
            x, target = ms.rand(4, 3, 40, 36), ms.tensor(np.arange(4 * 40 * 36).reshape(4, 40, 36) % 3)
            losses = []
            for _ in range(3):
                logits = model(x)
                loss = ms.functional.cross_entropy(logits, target) + ms.functional.dice_loss(logits, target)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
        finally:
            ms.set_num_threads(before)
        return losses, [p.data for p in model.parameters()]

    one = train(1)
    for threads in (2, 7):
        losses, weights = train(threads)
        assert losses == one[0]
        assert all(np.array_equal(a, b) for a, b in zip(weights, one[1], strict=True))
