"""The soft normalised cut against the whole N×N matrix of tiny images, and against every possible cut."""

import itertools

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg.ops.soft_ncut import Affinity, AffinityProduct, soft_ncut_loss

OPTIONS = {"radius": 2, "color_scale": 0.8, "distance_scale": 1.5}


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def probabilities(*shape, seed=0):
    e = np.exp(random(*shape, seed=seed))
    return e / e.sum(axis=1, keepdims=True)


def matrix(image, radius, color_scale, distance_scale):
    """W (H·W, H·W) of one image (C, H, W): each pair of pixels by the formula."""
    pixels = list(itertools.product(*map(range, image.shape[1:])))
    w = np.zeros((len(pixels), len(pixels)))
    for (i, u), (j, v) in itertools.product(enumerate(pixels), repeat=2):
        distance = (u[0] - v[0]) ** 2 + (u[1] - v[1]) ** 2
        if distance <= radius**2:
            color = sum((c[u] - c[v]) ** 2 for c in image)
            w[i, j] = np.exp(-color / color_scale**2) * np.exp(-distance / distance_scale**2)
    return w


def by_matrix(p, images, options):
    total = 0.0
    for one, image in zip(p, images, strict=True):
        w = matrix(image, **options)
        assert np.array_equal(w, w.T)
        flat = one.reshape(len(one), -1)
        total += len(one) - sum((q @ w @ q) / (q @ w.sum(axis=1)) for q in flat)
    return total / len(p)


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 9])
@pytest.mark.parametrize("size", [(4, 5), (1, 6), (5, 2)])
def test_the_loss_is_that_of_the_whole_matrix(radius, size):
    options = OPTIONS | {"radius": radius}
    images, p = random(2, 3, *size), probabilities(2, 3, *size, seed=1)
    found = soft_ncut_loss(ms.tensor(p), ms.tensor(images), **options).item()
    assert found == pytest.approx(by_matrix(p, images, options), rel=1e-10, abs=1e-12)


def test_the_product_and_its_degrees():
    images, p = random(1, 2, 4, 3), random(1, 2, 4, 3, seed=1)
    affinity, w = Affinity(images, **OPTIONS), matrix(images[0], **OPTIONS)
    for found, channel in zip(affinity.times(p)[0], p[0], strict=True):
        np.testing.assert_allclose(found.ravel(), w @ channel.ravel(), rtol=1e-12)
    np.testing.assert_allclose(affinity.degrees(p).ravel(), w.sum(axis=1), rtol=1e-12)


def test_gradients():
    affinity = Affinity(random(2, 1, 3, 4), **OPTIONS)
    p = probabilities(2, 3, 3, 4, seed=1)
    assert ms.gradcheck(lambda p: soft_ncut_loss(p, affinity), [p], order=2, name="soft_ncut_loss").compared
    product = ms.gradcheck(lambda p: AffinityProduct.apply(p, affinity), [p], order=2, name="W p")
    assert product.compared


def test_gradients_are_pytorch_s_of_the_whole_matrix():
    torch = pytest.importorskip("torch")
    image, p = random(1, 2, 3, 4), probabilities(1, 3, 3, 4, seed=1)
    ours, theirs = ms.tensor(p, requires_grad=True), torch.tensor(p, requires_grad=True)
    soft_ncut_loss(ours, image, **OPTIONS).backward()
    w, flat = torch.tensor(matrix(image[0], **OPTIONS)), theirs[0].reshape(3, -1)
    (3 - (((flat @ w) * flat).sum(1) / (flat @ w.sum(1))).sum()).backward()
    np.testing.assert_allclose(ours.grad.data, theirs.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_of_all_cuts_of_a_strip_the_edge_is_the_cheapest():
    """Every way to cut eight pixels in two is tried: none is cheaper than along the edge of the colours."""
    image = np.array([0, 0.1, 0, 0.1, 0, 2, 2.1, 2]).reshape(1, 1, 1, 8)
    affinity = Affinity(image, radius=2, color_scale=0.7, distance_scale=2.0)
    costs = {}
    for cut in range(1, 2**7):  # pixel 0 stays in segment 0
        second = np.array([cut >> bit & 1 for bit in range(7, -1, -1)], float)
        p = np.stack([1 - second, second]).reshape(1, 2, 1, 8)
        costs[tuple(second.astype(int))] = soft_ncut_loss(ms.tensor(p), affinity).item()
    assert min(costs, key=costs.get) == (0, 0, 0, 0, 0, 1, 1, 1)
    assert min(costs.values()) >= 0 and max(costs.values()) <= 2


def test_gradient_descent_finds_a_square():
    """From a weak hint; from noise it may end in another cut, for the loss is not convex."""
    rng = np.random.default_rng(0)
    truth = np.zeros((10, 10), int)
    truth[3:8, 2:7] = 1
    image = (truth + rng.normal(0, 0.05, truth.shape))[np.newaxis, np.newaxis]
    affinity = Affinity(image, radius=3, color_scale=0.4)
    hint = 0.5 * (image - image.mean()) * np.array([-1, 1]).reshape(1, 2, 1, 1)
    logits = ms.tensor(hint + 0.1 * random(1, 2, 10, 10, seed=2), requires_grad=True)
    optimizer = ms.optim.Adam([logits], lr=0.3)
    for _ in range(60):
        optimizer.zero_grad()
        loss = soft_ncut_loss(ms.softmax(logits, 1), affinity)
        loss.backward()
        optimizer.step()
    found = logits.data.argmax(axis=1)[0]
    best = soft_ncut_loss(ms.tensor(np.stack([1.0 - truth, truth])[np.newaxis]), affinity).item()
    assert np.array_equal(found, truth) and best <= loss.item() < best + 0.02


def test_an_empty_segment_counts_as_cut_off():
    p = np.zeros((1, 3, 2, 2))
    p[:, 0] = 1
    found = soft_ncut_loss(ms.tensor(p, requires_grad=True), np.zeros((1, 1, 2, 2)), radius=1)
    assert found.item() == pytest.approx(2.0)
    p = ms.tensor(p, requires_grad=True)
    soft_ncut_loss(p, np.zeros((1, 1, 2, 2)), radius=1).backward()
    assert np.isfinite(p.grad.data).all() and np.abs(p.grad.data[:, 0]).max() > 0


def block_diagonal(images):
    whole = np.zeros((len(images) * images[0].size // 2,) * 2)
    side = len(whole) // len(images)
    for k, image in enumerate(images):
        whole[k * side : (k + 1) * side, k * side : (k + 1) * side] = matrix(image, **OPTIONS)
    return whole


def test_a_batch_is_one_graph_without_edges_between_the_images():
    images, p = random(3, 2, 3, 4), probabilities(3, 3, 3, 4, seed=1)
    w, flat = block_diagonal(images), p.transpose(1, 0, 2, 3).reshape(3, -1)
    expected = 3 - sum((q @ w @ q) / (q @ w.sum(axis=1)) for q in flat)
    found = soft_ncut_loss(ms.tensor(p), images, **OPTIONS, reduction="batch")
    assert found.item() == pytest.approx(expected, rel=1e-10)
    ms.gradcheck(lambda p: soft_ncut_loss(p, images, **OPTIONS, reduction="batch"), [p], name="batch")
    one = soft_ncut_loss(ms.tensor(p[:1]), images[:1], **OPTIONS, reduction="batch").item()
    assert one == pytest.approx(soft_ncut_loss(ms.tensor(p[:1]), images[:1], **OPTIONS).item())


def test_what_each_graph_asks_for():
    """Absent segments cost 1 an image in "image"; in "batch" one segment an image is free."""
    p = np.zeros((2, 2, 2, 3))
    p[0, 0] = p[1, 1] = 1
    images = random(2, 1, 2, 3)
    assert soft_ncut_loss(ms.tensor(p), images).item() == pytest.approx(1)
    assert soft_ncut_loss(ms.tensor(p), images, reduction="batch").item() == pytest.approx(0, abs=1e-9)


def test_wrong_arguments_are_explained():
    p = ms.tensor(probabilities(1, 2, 4, 4))
    with pytest.raises(ms.ShapeError, match="N, H, W must agree"):
        soft_ncut_loss(p, np.zeros((1, 1, 4, 5)))
    with pytest.raises(ms.ShapeError, match="N, H, W must agree"):
        Affinity(np.zeros((1, 1, 4, 5))).times(p.data)
    with pytest.raises(
        ms.DTypeError, match="images must be floats, not uint8"
    ):  # their differences would wrap
        soft_ncut_loss(p, np.zeros((1, 1, 4, 4), np.uint8))
    with pytest.raises(ms.DTypeError, match="images must be floats, not uint8"):
        Affinity(np.zeros((1, 1, 4, 4), np.uint8))
    with pytest.raises(ms.ShapeError, match=r"expected \(N, K, H, W\)"):
        soft_ncut_loss(p[0], np.zeros((1, 1, 4, 4)))
    with pytest.raises(ms.ShapeError, match=r"expected \(N, C, H, W\)"):
        Affinity(np.zeros((4, 4)))
    with pytest.raises(ValueError, match="'image' or 'batch', not 'sum'"):
        soft_ncut_loss(p, np.zeros((1, 1, 4, 4)), reduction="sum")
    with pytest.raises(ValueError, match="color_scale=0"):
        Affinity(np.zeros((1, 1, 4, 4)), color_scale=0)
