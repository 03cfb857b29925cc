"""Segment image files: a class map, an overlay, and tables of what was found.

For each image, into one folder:
    NAME.png            the class of each pixel, as index and, for viewers, in colour
    NAME_overlay.png    the image with each class tinted
and for all of them:
    areas.csv           a row for each image and class: pixels, share, area, number of connected objects
    objects.csv         a row for each connected object: pixels, area, centroid
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_seg import plot
from minitorch_seg.data.images import SUFFIXES, read_image
from minitorch_seg.data.palette import palette
from minitorch_seg.errors import UserError
from minitorch_seg.io import write_csv, write_png
from minitorch_seg.train.inference import Preparation, predict_logits

__all__ = ["connected_objects", "find_images", "predict_files", "predict_image", "write_segmentations"]

AREAS = ["image", "class", "pixels", "share", "area", "unit", "objects"]
OBJECTS = ["image", "class", "object", "pixels", "area", "unit", "centroid_x", "centroid_y"]


def predict_image(model: Any, image: np.ndarray, prepare: Preparation | None = None) -> np.ndarray:
    """The class map int64 (H, W) of one uint8 image (H, W, C) of any size; the model is in eval mode.

    prepare: `Preparation.of(config)` of the model's run; default, the image normalised by itself.
    """
    prepare = prepare or Preparation()
    return predict_logits(model, prepare.as_input([image]), symmetry=prepare.symmetry)[0].argmax(axis=0)


def connected_objects(mask: np.ndarray, class_index: int) -> list[tuple[int, float, float]]:
    """(pixels, centroid x, centroid y) of each connected object of a class, from top to bottom.

    Pixels are connected along edges and corners.  (0, 0) is the centre of the upper left pixel.

    >>> connected_objects(np.array([[1, 1, 0], [0, 0, 0], [0, 0, 1]]), 1)
    [(2, 0.5, 0.0), (1, 2.0, 2.0)]
    """
    from scipy import ndimage

    labels, count = ndimage.label(mask == class_index, structure=np.ones((3, 3)))
    pixels = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    rows, columns = np.nonzero(labels)
    found = labels[rows, columns]
    x = np.bincount(found, weights=columns, minlength=count + 1)[1:] / np.maximum(pixels, 1)
    y = np.bincount(found, weights=rows, minlength=count + 1)[1:] / np.maximum(pixels, 1)
    return [(int(n), float(cx), float(cy)) for n, cx, cy in zip(pixels, x, y, strict=True)]


def find_images(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The image files among `paths`; a folder stands for the images in it (or in its images/)."""
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            folder = path / "images" if (path / "images").is_dir() else path
            inside = sorted(entry for entry in folder.iterdir() if entry.suffix.lower() in SUFFIXES)
            if not inside:
                raise UserError(f"{folder} holds no image; known are {', '.join(SUFFIXES)}")
            files += inside
        elif path.exists():
            files.append(path)
        else:
            raise UserError(f"{path}: there is no such file or folder")
    return files


def predict_files(
    model: Any,
    config: dict[str, Any],
    files: Sequence[Path],
    out: str | os.PathLike[str],
    *,
    pixel_size: float | None = None,
    pixel_unit: str | None = None,
    force: bool = False,
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Write everything for each file; yields (file, {class: (share, objects)}) as it goes.

    pixel_size: side of a pixel, for areas in pixel_unit².
    """
    prepare = Preparation.of(config)
    return write_segmentations(
        lambda image: predict_image(model, image, prepare),
        config["in_channels"],
        config["classes"],
        files,
        out,
        pixel_size=pixel_size,
        pixel_unit=pixel_unit,
        force=force,
    )


def write_segmentations(
    segment: Callable[[np.ndarray], np.ndarray],
    channels: int,
    classes: Sequence[str] | None,
    files: Sequence[Path],
    out: str | os.PathLike[str],
    *,
    pixel_size: float | None = None,
    pixel_unit: str | None = None,
    force: bool = False,
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """As `predict_files`, for whatever makes a class map int64 (H, W) of an image uint8 (H, W, channels).

    All files are read once before anything is written, so that a broken one stops the command first.  The
    tables are written at the end.  classes: their names; None calls them "segment 1" and so on, as many as
    an image has.
    """
    names = _output_names(files)
    folder = Path(out)
    for path in files:
        read_image(path, channels)
    _prepare_folder(folder, files, names, force)
    unit = f"{pixel_unit or 'unit'}²" if pixel_size is not None else "px"
    scale = pixel_size**2 if pixel_size is not None else 1.0
    areas: list[list[Any]] = []
    objects: list[list[Any]] = []
    for path, name in zip(files, names, strict=True):
        image = read_image(path, channels)
        mask = segment(image)
        known = classes or [f"segment {number + 1}" for number in range(int(mask.max()) + 1)]
        class_map, overlay = _results(name)
        write_png(folder / class_map, mask, palette(len(known)))
        write_png(folder / overlay, plot.overlay(image, mask))
        found: dict[str, Any] = {}
        for index, class_name in enumerate(known):
            pixels = int(np.count_nonzero(mask == index))
            # A background is one region with holes, not objects that one would count.
            listed = [] if class_name == "background" else connected_objects(mask, index)
            number = None if class_name == "background" else len(listed)
            areas.append([path.name, class_name, pixels, pixels / mask.size, pixels * scale, unit, number])
            objects += [
                [path.name, class_name, k, n, n * scale, unit, round(x, 2), round(y, 2)]
                for k, (n, x, y) in enumerate(listed, start=1)
            ]
            found[class_name] = (pixels / mask.size, number)
        yield path, found
    write_csv(folder / "areas.csv", AREAS, areas)
    write_csv(folder / "objects.csv", OBJECTS, objects)


def _results(name: str) -> tuple[str, str]:
    """The files that one image gives."""
    return f"{name}.png", f"{name}_overlay.png"


def _output_names(files: Sequence[Path]) -> list[str]:
    """A name for each file's results: its stem; two files that share a result are refused."""
    seen: dict[str, Path] = {}
    for path in files:
        for result in _results(path.stem):
            if result in seen:
                raise UserError(
                    f"{path} and {seen[result]} would both be written as {result}; use two folders"
                )
        seen |= dict.fromkeys(_results(path.stem), path)
    return [path.stem for path in files]


def _prepare_folder(folder: Path, files: Sequence[Path], names: Sequence[str], force: bool) -> None:
    results = ["areas.csv", "objects.csv", *(result for name in names for result in _results(name))]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"--out {folder}: cannot write there ({error.strerror}); choose another folder"
        ) from error
    there = [name for name in results if (folder / name).exists()]
    inputs = {_identity(path) for path in files}
    for name in there:  # whatever --force says: an image is not a result
        if _identity(folder / name) in inputs:
            raise UserError(f"--out {folder}: {name} there is one of the images; choose another folder")
    if there and not force:
        raise UserError(f"--out {folder} holds {there[0]} already; choose another folder or add --force")


def _identity(path: Path) -> tuple[int, int]:
    """Equal for two paths of one file, however they are written."""
    state = path.stat()
    return state.st_dev, state.st_ino
