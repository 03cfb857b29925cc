"""Training of a model that classifies patches: balanced patches for images, single pixels for maps.

training      a step takes PATCHES · batch_size patches out of all training images, every class as often as
              any other; so "8 images a step" means 8·PATCHES patches
validation    every pixel of the validation images, by the model's `segment`, as for any other model
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minitorch_seg.data import PatchLoader
from minitorch_seg.data.transforms import Compose, Normalize

__all__ = ["PATCHES", "as_maps", "patch_loader"]

#: Patches where another model is shown a whole image.
PATCHES = 16


def patch_loader(
    dataset: Any, images: int, changes: list[Any], normalize: Normalize, **options: Any
) -> PatchLoader:
    """Batches of PATCHES · `images` patches.

    changes: transforms of each patch: flips, turns, colours.
    """
    return PatchLoader(
        dataset,
        batch_size=PATCHES * images,
        transform=normalize,
        patch_transform=Compose(changes),
        **options,
    )


def as_maps(loss: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A loss for logits (N, K, H, W) that takes logits (n, K) of single pixels as well.

    >>> import minitorch_seg as ms
    >>> as_maps(ms.functional.dice_loss)(ms.tensor([[9.0, -9.0]]), ms.tensor([0])).item() < 1e-6
    True
    """

    def apply(logits: Any, target: Any) -> Any:
        if logits.ndim == 2:
            logits, target = logits.reshape(*logits.shape, 1, 1), target.reshape(-1, 1, 1)
        return loss(logits, target)

    return apply
