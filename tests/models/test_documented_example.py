"""The documented example beside Keras 3: the same weights and batches give the same losses, step by step.

    Conv2D relu, MaxPooling2D, Conv2D relu, MaxPooling2D, Flatten, Dense relu, Dense 1; adam; fit(...)

Keras flattens (N, k, k, C) pixel by pixel: PatchCNN(flatten="HWC").  Its loss is asked for logits here, since
the documented one, on a Dense without a sigmoid, has no gradient outside (0, 1).
"""

import os

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg import functional as F

SIZE, BASE, HIDDEN, STEPS, BATCH = 26, 4, 16, 10, 8


@pytest.fixture(scope="module")
def keras():
    pytest.importorskip("torch")
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras")


def theirs(keras):
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((SIZE, SIZE, 3)),
            layers.Conv2D(BASE, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(2 * BASE, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Flatten(),
            layers.Dense(HIDDEN, activation="relu"),
            layers.Dense(1),
        ]
    )


def test_ten_steps_have_keras_losses(keras):
    ms.manual_seed(0)
    ours, other = ms.models.PatchCNN(3, 1, SIZE, BASE, HIDDEN, flatten="HWC"), theirs(keras)
    weights = []
    for layer in (ours.conv1, ours.conv2, ours.dense, ours.head):
        kernel = layer.weight.data
        weights += [kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel.T, layer.bias.data]
    other.set_weights([np.array(w) for w in weights])
    other.compile(
        optimizer=keras.optimizers.Adam(1e-3, epsilon=1e-8),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
    )
    rng = np.random.default_rng(0)
    x = rng.standard_normal((STEPS, BATCH, SIZE, SIZE, 3)).astype(np.float32)
    y = rng.integers(0, 2, (STEPS, BATCH, 1)).astype(np.float32)
    optimizer = ms.optim.Adam(ours.parameters(), lr=1e-3)
    for images, labels in zip(x, y, strict=True):
        logits = ours(ms.tensor(images.transpose(0, 3, 1, 2)))
        loss = F.binary_cross_entropy_with_logits(logits, ms.tensor(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        expected = other.train_on_batch(images, labels)
        assert loss.item() == pytest.approx(float(np.asarray(expected).ravel()[0]), abs=1e-4)
    found = ours.head.weight.data.T
    np.testing.assert_allclose(found, other.get_weights()[-2], atol=1e-4)
