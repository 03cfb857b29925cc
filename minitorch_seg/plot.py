"""Pictures of a training: curves, a gallery of predictions with a legend, overlays; graph.py draws the graph.

Each function returns a matplotlib Figure (or an array); `save` writes it as PNG.  Figures are made without
pyplot, so nothing global is touched: no window, no backend choice, no memory that has to be freed by hand;
notebooks show a returned Figure by themselves.  matplotlib takes seconds to import, so it is imported when
the first figure is drawn.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_seg.data.palette import palette
from minitorch_seg.errors import ShapeError
from minitorch_seg.graph import graph
from minitorch_seg.io import atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["contours", "curves", "decay", "errors", "gallery", "graph", "overlay", "save", "strengths"]

WRONG = (214, 39, 40)
IGNORED = (110, 110, 110)


def curves(history: Any, title: str = "") -> Figure:
    """Loss and scores over the epochs: training as a line, validation as dots on a line.

    `history`: a History (columns such as "loss", "val_loss", "miou", "val_miou").
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    columns, epochs = history.history, np.array(history.epoch)
    scores = [name for name in columns if name != "loss" and not name.startswith("val_") and name != "lr"]
    panels = [("loss", ["loss"]), ("score", scores)] if scores else [("loss", ["loss"])]
    figure = Figure(figsize=(5.2 * len(panels), 3.6), layout="constrained")
    for axes, (label, names) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for color, name in enumerate(names):
            for prefix, style in (("", "-"), ("val_", "o--")):
                if prefix + name in columns:
                    values = np.array(columns[prefix + name])
                    known = ~np.isnan(values)
                    axes.plot(
                        epochs[known],
                        values[known],
                        style,
                        color=f"C{color}" if len(names) > 1 else f"C{int(prefix != '')}",
                        markersize=3,
                        label=_LABELS.get(name, name) + (", validation" if prefix else ", training"),
                    )
        if label == "loss":
            axes.set_yscale("log")  # the first epochs fall by powers of ten
        else:
            axes.set_ylim(top=1.0)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="upper right" if label == "loss" else "lower right")
    figure.suptitle(_drawable(title), parse_math=False)
    return figure


def decay(values: Mapping[str, np.ndarray], title: str = "") -> Figure:
    """Gradient norm over distance, a line for each model, both as `models.gradient_by_distance` gives them.

    values: name -> norms (D,), entry d at distance d.  Zeros, where nothing was seen, end a line.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, norms in values.items():
        axes.plot(np.where(norms > 0, norms, np.nan), ".-", label=_drawable(name))
    axes.set_yscale("log")
    axes.set_xlabel("distance in pixels")
    axes.set_ylabel("norm of the gradient")
    axes.grid(alpha=0.3)
    for text in axes.legend(fontsize=8).get_texts():
        text.set_parse_math(False)
    figure.suptitle(_drawable(title), parse_math=False)
    return figure


def strengths(maps: Mapping[str, np.ndarray], title: str = "") -> Figure:
    """How strongly each input pixel acts on one output pixel, an image for each model, dark where strong.

    maps: name -> norms (H, W), such as the mean of `models.gradient_map` over its draws.  Colours go with the
    logarithm of the norm relative to the largest one, down to 10⁻⁶; what was not seen at all stays white.
    """
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    if not maps:
        raise ShapeError("strengths: there is no map to draw; give at least one")
    figure = Figure(figsize=(2.6 * len(maps) + 0.8, 3.0), layout="constrained")
    grid = figure.subplots(1, len(maps), squeeze=False)[0]
    for axes, (name, norms) in zip(grid, maps.items(), strict=True):
        relative = norms / norms.max() if norms.max() > 0 else norms
        shown = np.where(norms > 0, np.maximum(relative, 1e-6), np.nan)
        picture = axes.imshow(shown, cmap="viridis_r", norm=LogNorm(1e-6, 1), interpolation="nearest")
        axes.set_title(_drawable(name), fontsize=9, parse_math=False)
        axes.set_xticks([])
        axes.set_yticks([])
    figure.colorbar(picture, ax=list(grid), shrink=0.8, label="norm, relative to the largest")
    figure.suptitle(_drawable(title), parse_math=False)
    return figure


_LABELS = {"miou": "mean IoU", "mean_dice": "mean Dice", "pixel_accuracy": "pixel accuracy"}


def overlay(
    image: np.ndarray, mask: np.ndarray, opacity: float = 0.45, skip: Sequence[int] = (0,)
) -> np.ndarray:
    """The image with each class tinted in its colour: uint8 (H, W, 3).

    image: uint8 (H, W, 1 or 3); mask: class indices (H, W); classes in `skip` stay untinted (class 0, mostly
    the background).

    >>> picture = overlay(np.full((2, 2, 1), 100, np.uint8), np.array([[0, 1], [0, 0]]))
    >>> picture.shape, picture[0, 0].tolist(), bool((picture[0, 1] != 100).any())
    ((2, 2, 3), [100, 100, 100], True)
    """
    grey = _rgb(image)
    if grey.shape[:2] != mask.shape:
        raise ShapeError(f"overlay: image of size {grey.shape[:2]} and mask of size {mask.shape} differ")
    colors = palette(int(mask.max(initial=0)) + 1)[np.maximum(mask, 0)]
    tint = np.where(np.isin(mask, list(skip)) | (mask < 0), 0.0, opacity)[..., np.newaxis]
    return np.rint(grey * (1 - tint) + colors * tint).astype(np.uint8)


def contours(mask: np.ndarray) -> np.ndarray:
    """True where a pixel's right or lower neighbour has another class: outlines one pixel wide, bool (H, W).

    >>> contours(np.array([[0, 0, 1], [0, 0, 1]])).astype(int).tolist()
    [[0, 1, 0], [0, 1, 0]]
    """
    edge = np.zeros(mask.shape, bool)
    edge[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    edge[:-1] |= mask[:-1] != mask[1:]
    return edge


def errors(
    image: np.ndarray, truth: np.ndarray, prediction: np.ndarray, ignore_index: int | None = None
) -> np.ndarray:
    """The image, faint, with wrong pixels in red and uncounted ones in grey: uint8 (H, W, 3)."""
    picture = 255 - (255 - _rgb(image).mean(axis=-1, keepdims=True).repeat(3, axis=-1)) * 0.35
    counted = truth != ignore_index if ignore_index is not None else np.ones(truth.shape, bool)
    picture[~counted] = IGNORED
    picture[counted & (truth != prediction)] = WRONG
    return np.rint(picture).astype(np.uint8)


def gallery(
    images: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    predictions: Sequence[np.ndarray],
    classes: Sequence[str],
    *,
    ignore_index: int | None = None,
    names: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """One row an image: image, truth, prediction, errors; below them the legend.

    images: uint8 (H, W, 1 or 3); truths, predictions: class indices (H, W); `names` are written beside the
    rows.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    if not len(images) == len(truths) == len(predictions) or not len(images):
        raise ShapeError(
            f"gallery: {len(images)} images, {len(truths)} truths, {len(predictions)} predictions; "
            "expected equally many of each, and at least one"
        )
    # A row is as high as its images are at the width of a column; a tall one is drawn narrower.
    heights = [2.35 * min(1.0, max(0.3, image.shape[0] / image.shape[1])) for image in images]
    figure = Figure(figsize=(9.6, 0.9 + sum(heights)), layout="constrained")
    grid = figure.subplots(len(images), 4, squeeze=False, height_ratios=heights)
    colors = palette(len(classes))
    for row, (image, truth, prediction) in enumerate(zip(images, truths, predictions, strict=True)):
        shown = np.where(truth == ignore_index, -1, truth) if ignore_index is not None else truth
        pictures = [
            _rgb(image),
            _colored(shown, colors),
            _colored(prediction, colors),
            errors(image, truth, prediction, ignore_index),
        ]
        for axes, picture in zip(grid[row], pictures, strict=True):
            axes.imshow(picture.astype(np.uint8), interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
        if names is not None:
            grid[row, 0].set_ylabel(_drawable(names[row]), fontsize=8, parse_math=False)
    for axes, heading in zip(grid[0], ("image", "truth", "prediction", "errors"), strict=True):
        axes.set_title(heading, fontsize=11)
    shades = [(*colors.tolist()[k], name) for k, name in enumerate(classes)]
    shades.append((*WRONG, "wrong"))
    if ignore_index is not None:
        shades.append((*IGNORED, "not counted"))
    entries = [
        Patch(facecolor=(r / 255, g / 255, b / 255), edgecolor="0.4", label=name) for r, g, b, name in shades
    ]
    legend = figure.legend(
        handles=entries, loc="outside lower center", ncols=min(len(entries), 6), fontsize=9, frameon=False
    )
    for text in legend.get_texts():
        text.set_parse_math(False)  # a "$" in a class's name is a "$"
    figure.suptitle(_drawable(title), parse_math=False)
    return figure


def save(figure: Figure, path: str | os.PathLike[str], dpi: int = 120) -> None:
    """Write a figure as PNG, whole or not at all."""
    with atomic_file(path) as file:
        figure.savefig(file, format="png", dpi=dpi)


def _drawable(text: str) -> str:
    """Text that matplotlib can draw: bytes of a file name that are not UTF-8 become escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _rgb(image: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) of a grey (H, W), (H, W, 1) or colour (H, W, 3) image, as float64 for mixing."""
    if image.ndim == 2:
        image = image[..., np.newaxis]
    if image.ndim != 3 or image.shape[2] not in (1, 3):
        raise ShapeError(f"expected an image of shape (H, W), (H, W, 1) or (H, W, 3), got {image.shape}")
    return np.broadcast_to(image, (*image.shape[:2], 3)).astype(np.float64)


def _colored(mask: np.ndarray, colors: np.ndarray) -> np.ndarray:
    picture = colors[np.clip(mask, 0, len(colors) - 1)].copy()
    picture[mask < 0] = IGNORED
    return picture
