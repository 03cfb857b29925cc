"""Figures of the lessons: matplotlib pictures that carry a text for those who cannot see them."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Picture", "picture", "registered_sets", "tiles"]


@dataclass(frozen=True)
class Picture:
    """A drawn figure: PNG bytes and the text that says what is to be seen."""

    png: bytes
    alt: str

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png).decode("ascii")
        return (
            f'<img src="data:image/png;base64,{data}" alt="{escape(self.alt, quote=True)}" '
            'style="max-width:100%;height:auto;background:white">'
        )

    def __str__(self) -> str:
        return f"[picture: {self.alt}]"


def picture(figure: Figure, alt: str) -> Picture:
    """Draw a figure.  `alt` says in one or two sentences what it shows.

    >>> from matplotlib.figure import Figure
    >>> str(picture(Figure(), "an empty sheet"))
    '[picture: an empty sheet]'
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return Picture(buffer.getvalue(), alt)


def tiles(
    images: Mapping[str, Any],
    alt: str,
    *,
    signed: bool = False,
    together: bool = False,
    numbers: bool = False,
    height: float = 2.6,
    rows: int = 1,
) -> Picture:
    """Images side by side, or in so many rows, from left to right; a title above each.

    images: title -> array (H, W), or (H, W, 3) for colour.  signed: red for positive, blue for negative
    numbers, white for 0, one scale for all.  together: one scale of grey for all, from 0.  numbers: write
    each number into its pixel (for small arrays).
    """
    from matplotlib.figure import Figure

    arrays = {title: np.asarray(image, float) for title, image in images.items()}
    shares = [max(0.6, a.shape[1] / a.shape[0]) for a in arrays.values()]
    widths = shares if rows == 1 else [max(shares)] * -(-len(shares) // rows)
    size = min(10.0, height * sum(widths))
    # A page is about 6.5 inches wide: a wider figure is drawn smaller there, so its letters are larger here.
    letters = 10 * max(1.0, size / 7.5)
    room = [size * share / sum(widths) * 72 / (0.56 * letters) for share in widths]  # in letters
    titles = [textwrap.fill(title, max(8, int(room[i % len(widths)]))) for i, title in enumerate(arrays)]
    lines = max((title.count("\n") + 1 for title in titles), default=1)
    tall = size / sum(widths) + 0.2 + 0.2 * lines * letters / 10  # of one image and its title
    figure = Figure(figsize=(size, rows * tall), layout="constrained")
    limit = max((float(np.abs(a).max(initial=0)) for a in arrays.values()), default=1.0) or 1.0
    grid = figure.subplots(rows, len(widths), squeeze=False, width_ratios=widths)
    for axes in grid.flat[len(arrays) :]:
        axes.set_axis_off()
    for axes, title, array in zip(grid.flat, titles, arrays.values(), strict=False):
        if signed:
            axes.imshow(array, cmap="RdBu_r", vmin=-limit, vmax=limit)
        else:
            scale = {"vmin": 0, "vmax": limit} if together else {}
            axes.imshow(array if array.ndim == 2 else np.clip(array, 0, 1), cmap="gray", **scale)
        axes.set_title(title, fontsize=letters)
        axes.set_xticks([])
        axes.set_yticks([])
        if numbers:
            written = {place: f"{value + 0.0:.3g}" for place, value in np.ndenumerate(array)}  # + 0.0: no -0
            pixel = 72 * size / sum(widths) / array.shape[0]  # in points, as letters are
            fitting = min(letters, 1.4 * pixel / max(map(len, written.values())), 0.8 * pixel)
            middle = (array.min() + array.max()) / 2
            for (y, x), text in written.items():
                dark = abs(array[y, x]) > 0.6 * limit if signed else array[y, x] < middle
                ink = "white" if dark else "black"
                axes.text(x, y, text, size=fitting, ha="center", va="center", color=ink)
    return picture(figure, alt)


def registered_sets() -> str:
    """An image and its truth of each registered set on this machine, in Markdown; else how to get one.

    Their pictures are drawn live, and stand in no file of the project: the site leaves them out too.
    """
    from minitorch_seg.data import load, registry
    from minitorch_seg.data.palette import colourise

    images: dict[str, np.ndarray] = {}
    truths: dict[str, np.ndarray] = {}
    for name in registry.REGISTERED:
        if registry.find(name) is None:
            continue
        sample = max(load(name).test, key=lambda s: len(np.unique(s.mask)))  # the first with most classes
        classes = registry.entry(name).classes
        counts = np.bincount(sample.mask.ravel(), minlength=256)[: len(classes)]
        image = sample.image[..., 0] if sample.image.shape[2] == 1 else sample.image
        images[name] = image / 255
        share = counts.max() / counts.sum()
        truths[f"{name}: {share:.0%} {classes[counts.argmax()]}"] = colourise(sample.mask, len(classes)) / 255
    if not images:
        return "None of the four registered sets is on this machine; `minitorch-seg datasets` lists them."
    alt = "Above an image of each set, below its truth in colours: " + "; ".join(truths) + "."
    return tiles({**images, **truths}, alt, rows=2)._repr_html_()
