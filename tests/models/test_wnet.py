"""W-Net: its objective is both terms, it learns segments without labels, and they can be named."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg import functional as F
from minitorch_seg.metrics import count_segments, match_segments
from minitorch_seg.models import WNet
from minitorch_seg.ops.soft_ncut import soft_ncut_loss

AFFINITY = {"radius": 2}


def test_the_objective_is_cut_and_reconstruction():
    ms.manual_seed(0)
    model = WNet(2, 3, 2, 1, reconstruction_weight=0.7, affinity=AFFINITY).double().eval()
    x = ms.tensor(np.random.default_rng(0).standard_normal((2, 2, 6, 5)))
    logits = model(x)
    p = F.softmax(logits, 1)
    error = ((model.decoder(p).data - x.data) ** 2).mean()
    expected = soft_ncut_loss(p, x, **AFFINITY).item() + 0.7 * error
    assert model.objective(logits, x).item() == pytest.approx(expected, rel=1e-12)


def test_gradients_reach_both_networks():
    ms.manual_seed(0)
    model = WNet(1, 3, 2, 1, affinity=AFFINITY).double()
    rng = np.random.default_rng(0)
    x = ms.tensor(rng.standard_normal((2, 1, 6, 6)))
    model.objective(model(x), x).backward()
    for name, p in model.named_parameters():
        direction, start, values = rng.standard_normal(p.shape), p.data.copy(), []
        for step in (1e-6, -1e-6):
            p.data = start + step * direction
            with ms.no_grad():
                values.append(model.objective(model(x), x).item())
        p.data = start
        slope = (values[0] - values[1]) / 2e-6
        assert (p.grad.data * direction).sum() == pytest.approx(slope, rel=1e-3, abs=1e-6), name


def test_it_learns_squares_without_labels():
    rng = np.random.default_rng(0)
    masks = np.zeros((6, 12, 12), int)
    for mask in masks:
        y, x = rng.integers(1, 6, 2)
        mask[y : y + 5, x : x + 5] = 1
    images = (2.0 * masks - 0.4 + rng.normal(0, 0.1, masks.shape))[:, np.newaxis].astype(np.float32)
    ms.manual_seed(0)
    model = WNet(1, 2, 4, 1, affinity={"radius": 3})
    trainer = ms.Trainer(model, model.objective, ms.optim.Adam(model.parameters(), lr=0.02))
    history = trainer.fit(images, images, batch_size=6, epochs=80, progress=False).history["loss"]
    assert history[-1] < 0.5 * history[0]
    segments = trainer.predict(images).argmax(axis=1)
    counts = count_segments(segments, masks, 2, 2)
    model.name_segments(match_segments(counts))
    named = trainer.predict(images).argmax(axis=1)
    assert (named == masks).mean() > 0.95


def test_naming_changes_the_order_of_the_logits_and_nothing_else():
    ms.manual_seed(0)
    model = WNet(1, 3, 2, 1, affinity=AFFINITY).double().eval()
    x = ms.tensor(np.random.default_rng(0).standard_normal((1, 1, 6, 6)))
    before, loss = model(x).data, model.objective(model(x), x).item()
    model.name_segments(np.array([2, 0, 1]))  # segment 0 is class 2 …
    after = model(x).data
    for segment, name in enumerate([2, 0, 1]):
        np.testing.assert_array_equal(after[:, name], before[:, segment])
    assert model.objective(model(x), x).item() == pytest.approx(loss, rel=1e-12)
    model.name_segments(np.array([1, 0, 2]))  # of the logits as they are now
    np.testing.assert_array_equal(model(x).data[:, [1, 0, 2]], after)
    fresh = WNet(1, 3, 2, 1, affinity=AFFINITY).double().eval()
    fresh.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(fresh(x).data, model(x).data)
    with pytest.raises(ms.UserError, match="a class of its own"):
        model.name_segments(np.array([0, 0, 1]))
