"""PatchCNN: against the same network in PyTorch, as a convolution against the sliding window, and trained."""

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.models.fourier import FourierWeight


def random_model(dtype=np.float64, **options):
    """All weights random, the biases too, so that a lost one shows."""
    ms.manual_seed(0)
    model = ms.models.PatchCNN(2, 3, **options).to(dtype)
    for layer in (model.conv1, model.conv2, model.dense, model.head):
        ms.nn.init.normal_(layer.bias)
    return model


def noise(*shape, dtype=np.float64):
    return ms.tensor(np.random.default_rng(0).standard_normal(shape).astype(dtype))


@pytest.mark.parametrize("flatten", ["CHW", "HWC"])
@pytest.mark.parametrize("size", [10, 21, 30])
def test_same_as_pytorch_with_the_same_weights(size, flatten):
    torch = pytest.importorskip("torch")
    f = torch.nn.functional
    model = random_model(size=size, base_channels=3, hidden=7, flatten=flatten)
    x, cotangent = noise(4, 2, size, size), noise(4, 3)
    x.requires_grad = True
    y = model(x)
    y.backward(cotangent)
    weights = {k: torch.tensor(v.numpy(), requires_grad=True) for k, v in model.state_dict().items()}
    t = torch.tensor(x.data, requires_grad=True)
    u = torch.max_pool2d(torch.relu(f.conv2d(t, weights["conv1.weight"], weights["conv1.bias"])), 2)
    u = torch.max_pool2d(torch.relu(f.conv2d(u, weights["conv2.weight"], weights["conv2.bias"])), 2)
    u = (u if flatten == "CHW" else u.permute(0, 2, 3, 1)).flatten(1)  # Keras's maps are (N, H, W, C)
    u = torch.relu(f.linear(u, weights["dense.weight"], weights["dense.bias"]))
    z = f.linear(u, weights["head.weight"], weights["head.bias"])
    z.backward(torch.tensor(cotangent.data))
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(x.grad.data, t.grad.numpy(), rtol=1e-9, atol=1e-9)
    for name, p in model.named_parameters():
        np.testing.assert_allclose(p.grad.data, weights[name].grad.numpy(), rtol=1e-9, atol=1e-9)


def test_from_keras_s_flatten_order_to_pytorch_s_as_documented():
    chw, hwc = (random_model(size=30, base_channels=3, hidden=7, flatten=f) for f in ("CHW", "HWC"))
    state = chw.state_dict()
    weight, k = state["dense.weight"].numpy(), chw.side
    state["dense.weight"] = weight.reshape(7, 6, k, k).transpose(0, 2, 3, 1).reshape(7, -1)
    x = noise(3, 2, 30, 30)
    assert not np.allclose(hwc(x).data, chw(x).data)
    hwc.load_state_dict(state)
    np.testing.assert_allclose(hwc(x).data, chw(x).data, rtol=1e-12)


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("size, flatten", [(10, "CHW"), (13, "HWC"), (24, "CHW"), (25, "HWC"), (32, "CHW")])
def test_as_a_convolution_it_gives_the_sliding_window_s_numbers(dtype, tolerance, size, flatten):
    model = random_model(dtype, size=size, base_channels=3, hidden=9, flatten=flatten)
    x = noise(2, 2, 9, 14, dtype=dtype)
    expected = model.sliding_window(x, batch_size=50).data
    assert expected.shape == (2, 3, 9, 14) and expected.dtype == dtype
    for found in (model.fully_convolutional(x), model.segment(x)):
        assert found.dtype == dtype
        np.testing.assert_allclose(found.data, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def test_the_sliding_window_asks_for_the_pixel_in_the_middle():
    model = random_model(size=12, base_channels=2, hidden=5)
    x = noise(1, 2, 20, 23)
    for row, column in ((6, 6), (9, 14)):
        patch = x.data[:, :, row - 6 : row + 6, column - 6 : column + 6]
        expected = model(ms.tensor(patch)).data[0]
        np.testing.assert_allclose(model.sliding_window(x).data[0, :, row, column], expected, rtol=1e-12)


def test_as_a_convolution_it_has_the_sliding_window_s_gradients():
    """The gradient of a sum over all pixels is the sum of the patches' gradients."""
    model = random_model(size=14, base_channels=2, hidden=5)
    x, cotangent = noise(1, 2, 6, 5), noise(1, 3, 6, 5)
    model.fully_convolutional(x).backward(cotangent)
    whole = [p.grad.data.copy() for p in model.parameters()]
    model.zero_grad()
    framed = ms.functional.pad(x, (7, 6, 7, 6), mode="replicate").data
    patches = [framed[0, :, i : i + 14, j : j + 14] for i in range(6) for j in range(5)]
    each = ms.tensor(cotangent.data[0].reshape(3, -1).T)
    model(ms.tensor(np.stack(patches))).backward(each)
    for found, p in zip(whole, model.parameters(), strict=True):
        np.testing.assert_allclose(found, p.grad.data, rtol=1e-10, atol=1e-12)


def test_new_weights_are_noticed_by_segment():
    model = random_model(size=26, base_channels=2, hidden=5)
    x = noise(1, 2, 5, 7)
    model.segment(x)
    optimizer = ms.optim.SGD(model.parameters(), lr=0.1)
    model.fully_convolutional(x).sum().backward()
    optimizer.step()
    np.testing.assert_allclose(model.segment(x).data, model.fully_convolutional(x).data, rtol=1e-9)


@pytest.mark.parametrize("k, tile", [(4, 8), (5, 16), (3, 7)])
def test_fourier_weights_against_scipy(k, tile, monkeypatch):
    from scipy.signal import correlate

    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 17, 12, 3)), rng.standard_normal((4, 3, k, k))
    monkeypatch.setattr("minitorch_seg.models.fourier.CHANNELS", 3)  # so that there are two parts of results
    y = np.full((2, 18 - k, 13 - k, 4), np.nan)
    for places, results, sums in FourierWeight(w, tile).correlate(x):
        for number, (image, top, left) in enumerate(places):
            part = y[image, top : top + sums.shape[0], left : left + sums.shape[1], results]
            part[...] = sums[: part.shape[0], : part.shape[1], number]
    for n in range(2):
        for o in range(4):
            expected = sum(correlate(x[n, :, :, c], w[o, c], mode="valid") for c in range(3))
            np.testing.assert_allclose(y[n, :, :, o], expected, rtol=0, atol=1e-12)


def test_number_of_parameters_of_the_documented_network():
    """By formula; at 224 × 224 × 3 it is 191 million, which no test needs to lay out."""

    def count(c, s, b, d, k):
        side = ((s - 2) // 2 - 2) // 2
        return (9 * c + 1) * b + (9 * b + 1) * 2 * b + (2 * b * side**2 + 1) * d + (d + 1) * k

    assert count(3, 224, 32, 1024, 1) == 191_124_417
    for s in (10, 23, 32):
        model = ms.models.PatchCNN(3, 1, size=s, base_channels=4, hidden=6)
        assert sum(p.numel() for p in model.parameters()) == count(3, s, 4, 6, 1)


@pytest.mark.slow
def test_the_documented_size_runs_forward_and_backward_and_takes_a_step():
    """All 191 million weights of 224×224×3: PyTorch's logits and gradients, and Adam's step by its formula.

    A minute or two, and 6 GB.
    """
    torch = pytest.importorskip("torch")
    f, rng = torch.nn.functional, np.random.default_rng(0)
    ms.manual_seed(0)
    model = ms.models.PatchCNN(3, 1, size=224)
    assert sum(p.numel() for p in model.parameters()) == 191_124_417
    x, y = rng.standard_normal((2, 3, 224, 224)).astype(np.float32), np.array([[0.0], [1.0]], np.float32)
    weights = {k: torch.from_numpy(p.data).requires_grad_() for k, p in model.named_parameters()}
    u = torch.max_pool2d(
        torch.relu(f.conv2d(torch.from_numpy(x), weights["conv1.weight"], weights["conv1.bias"])), 2
    )
    u = torch.max_pool2d(torch.relu(f.conv2d(u, weights["conv2.weight"], weights["conv2.bias"])), 2)
    u = torch.relu(f.linear(u.flatten(1), weights["dense.weight"], weights["dense.bias"]))
    logits = f.linear(u, weights["head.weight"], weights["head.bias"])
    f.binary_cross_entropy_with_logits(logits, torch.from_numpy(y)).backward()
    found = model(ms.tensor(x))
    np.testing.assert_allclose(found.data, logits.detach().numpy(), rtol=1e-3)
    loss = ms.functional.binary_cross_entropy_with_logits(found, ms.tensor(y))
    loss.backward()
    for name, p in model.named_parameters():
        expected = weights[name].grad.numpy()
        largest = np.abs(expected).max()
        assert largest > 0 and np.abs(p.grad.data - expected).max() < 1e-3 * largest, name
    before, gradient = model.conv1.weight.data.copy(), model.conv1.weight.grad.data.copy()
    ms.optim.Adam(model.parameters(), lr=1e-3).step()
    moved = -1e-3 * gradient / (np.abs(gradient) + 1e-8)  # of the first step both averages are the gradient
    np.testing.assert_allclose(model.conv1.weight.data - before, moved, rtol=1e-2, atol=1e-6)


def test_it_trains_as_in_the_documented_call():
    """adam, binary cross-entropy, accuracy; `fit` with these very arguments; is there a bright spot?"""
    rng = np.random.default_rng(0)
    x, y = rng.random((320, 3, 12, 12)), (np.arange(320) % 2).astype(np.float64)[:, np.newaxis]
    x[y[:, 0] == 1, :, 3:7, 4:8] += 1
    (x_train, x_test), (y_train, y_test) = np.split(x, [256]), np.split(y, [256])
    ms.manual_seed(0)
    model = ms.models.PatchCNN(3, 1, size=12, base_channels=8, hidden=64)
    trainer = ms.Trainer(model, "binary_cross_entropy_with_logits", "adam", metrics=["accuracy"])
    history = trainer.fit(x_train, y_train, batch_size=32, epochs=10, validation_data=(x_test, y_test))
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history.epoch == list(range(1, 11))
    assert history.history["val_accuracy"][-1] > 0.9 > history.history["accuracy"][0]


def test_wrong_sizes_are_explained():
    with pytest.raises(ms.ShapeError, match="size must be at least 10, found 9"):
        ms.models.PatchCNN(size=9)
    with pytest.raises(ValueError, match="flatten must be 'CHW' or 'HWC', found 'NHWC'"):
        ms.models.PatchCNN(size=10, flatten="NHWC")
    model = ms.models.PatchCNN(3, 1, size=12, base_channels=1, hidden=1)
    with pytest.raises(ms.ShapeError, match=r"expected patches \(N, 3, 12, 12\); segment\(images\)"):
        model(ms.zeros(1, 3, 16, 16))
    with pytest.raises(ms.ShapeError, match=r"expected \(N, 3, H, W\)"):
        model.segment(ms.zeros(1, 1, 16, 16))


def test_the_prior_is_added_wherever_it_segments_and_patches_stay_balanced():
    model = random_model(size=26, base_channels=2, hidden=5)
    x, patch = noise(1, 2, 5, 7), noise(1, 2, 26, 26)
    ways = (model.sliding_window, model.fully_convolutional, model.segment)
    plain, of_a_patch = [way(x).data for way in ways], model(patch).data
    model.set_prior(np.array([70, 25, 5]))
    for before, way in zip(plain, ways, strict=True):
        expected = before + np.log([0.7, 0.25, 0.05]).reshape(1, 3, 1, 1)
        np.testing.assert_allclose(way(x).data, expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(model(patch).data, of_a_patch)
    single = ms.models.PatchCNN(1, 1, size=10, base_channels=1, hidden=2)
    single.set_prior(np.array([75, 25]))
    assert single.log_prior.item() == pytest.approx(np.log(0.25 / 0.75))
    with pytest.raises(ms.ShapeError, match="3 logits need a prior of 3 classes, not 2"):
        model.set_prior(np.array([1, 2]))


def test_weights_that_are_written_into_are_noticed_by_segment():
    model = random_model(size=26, base_channels=2, hidden=5)
    x = noise(1, 2, 5, 7)
    model.segment(x)
    model.dense.weight.data *= 0.5  # no version is raised by that
    np.testing.assert_allclose(model.segment(x).data, model.fully_convolutional(x).data, rtol=1e-9)
