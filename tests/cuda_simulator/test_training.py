"""A U-Net's training step on the device gives the weights that the CPU's step gives; and the Trainer."""

import numpy as np

import minitorch_seg as ms
from minitorch_seg import functional as F
from minitorch_seg.kernels.cuda import driver, memory
from tests.cuda_simulator.conftest import poison


def trained(device, steps):
    ms.manual_seed(0)
    model = ms.models.UNet(1, 3, base_channels=2, depth=2).to(device)
    optimizer = ms.optim.AdamW(model.parameters(), lr=0.01)
    x = ms.randn(1, 1, 16, 16).to(device)
    target = (ms.rand(1, 16, 16) * 3).long().to(device)
    losses = []
    for _ in range(steps):
        logits = model(x)
        loss = F.cross_entropy(logits, target) + F.dice_loss(logits, target)
        optimizer.zero_grad()
        loss.backward()
        gradients = {name: p.grad.cpu().numpy() for name, p in model.named_parameters()}
        optimizer.step()
        losses.append(loss.item())
    return losses, gradients, {name: t.cpu().numpy() for name, t in model.state_dict().items()}


def test_a_step_of_a_unet_is_that_of_the_cpu():
    (loss, gradients, state), (loss_gpu, gradients_gpu, state_gpu) = trained("cpu", 1), trained("cuda", 1)
    np.testing.assert_allclose(loss_gpu, loss, rtol=1e-5)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradients_gpu[name], gradient, atol=1e-5, err_msg=name)
    # Where a gradient is nothing but rounding, AdamW's first step goes by its sign, which is anybody's.
    clear = {name: np.abs(gradient) > 1e-5 for name, gradient in gradients.items()}
    assert np.mean(np.concatenate([c.reshape(-1) for c in clear.values()])) > 0.7
    for name, value in state.items():
        places = clear.get(name, ...)
        np.testing.assert_allclose(state_gpu[name][places], value[places], rtol=1e-4, atol=1e-5, err_msg=name)


def test_the_trainer_moves_batches_to_the_model():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 2))
    y = (x[:, 0] > x[:, 1]).astype(np.int64)
    results = []
    for device in ("cpu", "cuda"):
        ms.manual_seed(0)
        model = ms.nn.Linear(2, 2).to(device)
        trainer = ms.Trainer(
            model, "cross_entropy", ms.optim.Adam(model.parameters(), lr=0.1), metrics=["accuracy"]
        )
        history = trainer.fit(
            x, y, batch_size=2, epochs=2, validation_data=(x, y), keep_best="val_loss", progress=False
        )
        results.append((history.history["val_loss"], trainer.predict(x)))
        trainer.load_state_dict(trainer.state_dict())
        assert next(iter(model.parameters())).device == device
    np.testing.assert_allclose(results[1][0], results[0][0], rtol=1e-4)
    np.testing.assert_allclose(results[1][1], results[0][1], rtol=1e-4)


class Miniature(ms.nn.Module):
    """A U-Net with one convolution a level, for memory that is read before it is written."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = ms.nn.Conv2d(3, 2, 3, padding=1, bias=False), ms.nn.BatchNorm2d(2)
        self.up, self.last = ms.nn.ConvTranspose2d(2, 2, 2, stride=2), ms.nn.Conv2d(4, 3, 1)

    def forward(self, x):
        skip = F.relu(self.norm(self.first(x)))
        return self.last(ms.cat([skip, self.up(F.max_pool2d(skip, 2))], 1))


def test_steps_in_memory_that_is_used_again(monkeypatch):
    """What is handed out holds the numbers of an array that is gone: here NaN, so that none is read."""
    monkeypatch.setattr(driver.Numba, "pooled", True)
    taken, take = [], memory._take

    def poisoned(backend, count, dtype):
        block = take(backend, count, dtype)
        poison(block._ary)
        taken.append(id(block))
        return block

    monkeypatch.setattr(memory, "_take", poisoned)
    rng = np.random.default_rng(0)
    x, target = rng.standard_normal((1, 3, 4, 4)).astype("float32"), rng.integers(0, 3, (1, 4, 4))
    losses, gradients = {}, {}
    for device in ("cpu", "cuda"):
        ms.manual_seed(0)
        model = Miniature().to(device)
        optimizer = ms.optim.Adam(model.parameters(), lr=0.01)
        losses[device] = []
        for _ in range(2):
            loss = F.cross_entropy(model(ms.tensor(x, device=device)), ms.tensor(target, device=device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[device].append(loss.item())
        gradients[device] = [p.grad.cpu().numpy() for p in model.parameters()]
    memory.release()
    np.testing.assert_allclose(losses["cuda"], losses["cpu"], rtol=1e-4)
    for found, expected in zip(gradients["cuda"], gradients["cpu"], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    assert len(set(taken)) < len(taken) / 2  # most blocks were used before
