"""What a network has to beat: segmentations without one, all of one kind.

    baseline = baselines.build("otsu").fit(splits)        looks at the training images, and says what it needs
    mask = baseline.predict(image)                        uint8 (H, W, C) → class indices int64 (H, W)

    name              images   labels   what it does
    majority          no       yes      the most frequent class of the training masks, everywhere
    location_prior    no       yes      at each place the class that the training masks hold there most often
    otsu              yes      no       grey below or above the threshold that parts the image best
    kmeans            yes      names    k-means on colour; labels only name the clusters
    kmeans_blurred    yes      names    the same on blurred colour
    filter_bank       yes      yes      hand-made filters and a classifier of single pixels

"names": training masks say which cluster is which class, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from minitorch_seg.baselines.clusters import KMeansColour
from minitorch_seg.baselines.filter_bank import FilterBank
from minitorch_seg.baselines.masks import LocationPrior, Majority
from minitorch_seg.baselines.otsu import Otsu
from minitorch_seg.baselines.protocol import Baseline
from minitorch_seg.errors import UserError, nearest_name

NAMES: dict[str, Callable[[], Baseline]] = {
    "majority": Majority,
    "location_prior": LocationPrior,
    "otsu": Otsu,
    "kmeans": KMeansColour,
    "kmeans_blurred": partial(KMeansColour, sigma=3.0),
    "filter_bank": FilterBank,
}


def build(name: str) -> Baseline:
    """A baseline by name, not yet fitted.

    >>> import minitorch_seg as ms
    >>> coins = ms.data.load("coins")
    >>> build("otsu").fit(coins).predict(coins.test[0].image).shape == coins.test[0].mask.shape
    True
    """
    if name not in NAMES:
        raise UserError(f"there is no baseline named {name!r}{nearest_name(name, NAMES)}")
    return NAMES[name]()


__all__ = [
    "NAMES",
    "Baseline",
    "FilterBank",
    "KMeansColour",
    "LocationPrior",
    "Majority",
    "Otsu",
    "build",
]
