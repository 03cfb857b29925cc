"""The documented example beside Keras 3: the same weights and batches give the same losses, step by step.

    Conv2D relu, MaxPooling2D, Conv2D relu, MaxPooling2D, Flatten, Dense relu, Dense 1; adam; fit(...)

Keras flattens (N, k, k, C) pixel by pixel: PatchCNN(flatten="HWC").  Its loss is asked for logits here, since
the documented one, on a Dense without a sigmoid, has no gradient outside (0, 1).  And its Adam adds ε = 1e-7
by default, ours 1e-8: both get 1e-8.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

import minitorch_seg as ms
from minitorch_seg import functional as F
from minitorch_seg.errors import UserError


def beside_keras(
    size: int = 26, base: int = 4, hidden: int = 16, steps: int = 10, batch: int = 8, flatten: str = "HWC"
) -> dict[str, Any]:
    """Both libraries' losses, how far they are apart at most, and so the last layer's weights at the end.

    Images are noise and labels are drawn: nothing is learned here but by heart.  UserError without Keras.
    """
    keras = imported()
    ms.manual_seed(0)
    ours = ms.models.PatchCNN(3, 1, size, base, hidden, flatten=flatten)
    theirs = as_keras(keras, ours, size, base, hidden)
    theirs.compile(
        optimizer=keras.optimizers.Adam(1e-3, epsilon=1e-8),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
    )
    optimizer = ms.optim.Adam(ours.parameters(), lr=1e-3)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((steps, batch, size, size, 3)).astype(np.float32)
    y = rng.integers(0, 2, (steps, batch, 1)).astype(np.float32)
    losses: dict[str, list[float]] = {"ours": [], "keras": []}
    for images, labels in zip(x, y, strict=True):
        logits = ours(ms.tensor(images.transpose(0, 3, 1, 2)))
        loss = F.binary_cross_entropy_with_logits(logits, ms.tensor(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses["ours"].append(loss.item())
        losses["keras"].append(float(np.asarray(theirs.train_on_batch(images, labels)).ravel()[0]))
    apart = np.subtract(losses["ours"], losses["keras"])
    weights = ours.head.weight.data.T - theirs.get_weights()[-2]
    return {
        **losses,
        "loss_difference": float(np.abs(apart).max()),
        "weight_difference": float(np.abs(weights).max()),
        "keras_version": f"{keras.__version__}, {keras.backend.backend()}",
    }


def as_keras(keras: Any, ours: Any, size: int, base: int, hidden: int) -> Any:
    """The example in Keras's words, with our weights."""
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((size, size, 3)),
            layers.Conv2D(base, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(2 * base, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Flatten(),
            layers.Dense(hidden, activation="relu"),
            layers.Dense(1),
        ]
    )
    weights = []
    for layer in (ours.conv1, ours.conv2, ours.dense, ours.head):
        kernel = layer.weight.data
        weights += [kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel.T, layer.bias.data]
    model.set_weights([np.array(w) for w in weights])
    return model


def imported() -> Any:
    """Keras on PyTorch, unless the environment asks for another backend."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        import keras
    except ImportError as error:
        raise UserError(
            f"the row beside Keras needs Keras and its backend: pip install keras torch ({error})"
        ) from None
    return keras
