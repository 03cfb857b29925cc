"""`load`: any set by its name or folder, and what `minitorch-seg datasets` shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minitorch_seg.data.dataset import Dataset, Splits
from minitorch_seg.data.folder import SegmentationFolder
from minitorch_seg.data.palette import colourise, palette
from minitorch_seg.data.registry import REGISTERED, entry, find, load_registered
from minitorch_seg.errors import DataError, nearest_name
from minitorch_seg.io import atomic_file

# The licences of the photographs, as scikit-image states them; the masks are ours and MIT.
BUNDLED = {
    "coins": "no known copyright restrictions (Brooklyn Museum)",
    "textures": "CC0",
    "signs": "synthetic: drawn by us (MIT) on the road set's images (CC BY 4.0) or scikit-image's",
}
NAMES = (*BUNDLED, *REGISTERED)


class Status(NamedTuple):
    """One line of `minitorch-seg datasets`.  where: None when the set is not on this machine."""

    name: str
    where: str | None
    licence: str
    sizes: dict[str, int]
    how_to_get: str


def load(name_or_folder: str | Path, convert: str | None = None, seed: int = 0) -> Splits:
    """The splits of a data set: one of NAMES, or a folder with images/ and masks/.

    convert ("foreground" or "boundary") and seed are for folders: see SegmentationFolder.  A name wins over a
    folder of the same name; write ./nuclei for the folder.

    >>> load("coins").classes
    ['background', 'coin']
    >>> load("nucleus")
    Traceback (most recent call last):
    ...
    minitorch_seg.errors.DataError: there is no data set and no folder 'nucleus'; did you mean nuclei? ...
    """
    name = str(name_or_folder)
    if name not in NAMES or isinstance(name_or_folder, Path):
        path = Path(name_or_folder)
        if not path.is_dir():
            raise DataError(unknown_name(name))
        return SegmentationFolder(path, convert=convert, seed=seed).splits()
    if convert is not None:
        raise DataError(
            f"convert={convert!r} is for a folder of your own; the set {name} needs no conversion."
        )
    if name in REGISTERED:
        return load_registered(name)
    return _bundled(name)


def _bundled(name: str) -> Splits:
    if name == "coins":
        from minitorch_seg.data.coins import load_coins

        return load_coins()
    if name == "signs":
        from minitorch_seg.data.signs import load_signs

        return load_signs()
    from minitorch_seg.data.textures import load_textures

    return load_textures()


def unknown_name(name: str) -> str:
    return f"there is no data set and no folder {name!r}{nearest_name(name, NAMES)}; or give a folder"


def status() -> list[Status]:
    """Where each set is, or how to get it.

    >>> [line.name for line in status()] == list(NAMES)
    True
    """
    lines = []
    for name, licence in BUNDLED.items():
        parts = {which: len(part) for which, part in _bundled(name).items()}
        lines.append(Status(name, "comes with the installation", licence, parts, "nothing to do"))
    for name in REGISTERED:
        facts, folder = entry(name), find(name)
        sizes = {which: len(stems) for which, stems in facts.split.items()}
        how = f"minitorch-seg datasets get {name}"
        lines.append(Status(name, None if folder is None else str(folder), facts.licence, sizes, how))
    return lines


def contact_sheet(splits: Splits, path: str | Path, columns: int = 6) -> Path:
    """Write a PNG: for each split a few images, spread over the split, each above its mask, and a legend.

    Ignored pixels are white.  Returns the path.
    """
    from PIL import Image, ImageDraw

    cell, gap, line = 128, 6, 20
    width = columns * (cell + gap) + gap
    legend = _legend_rows(splits, width)
    height = 3 * (line + 2 * (cell + gap)) + line * (len(legend) + 1)
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    y = 0
    for which, part in splits.items():
        draw.text((gap, y + 4), f"{splits.name}: {which}, {len(part)} images", fill="black")
        y += line
        for column, index in enumerate(_spread(part, columns)):
            sample = part[index]
            x = gap + column * (cell + gap)
            colours = colourise(sample.mask, splits.num_classes)
            sheet.paste(_fit(sample.image, cell), (x, y))
            sheet.paste(_fit(colours, cell, nearest=True), (x, y + cell + gap))
        y += 2 * (cell + gap)
    colours = palette(splits.num_classes)
    for row in legend:
        for x, index in row:
            draw.rectangle((x, y + 4, x + 12, y + 16), fill=tuple(colours[index].tolist()), outline="grey")
            draw.text((x + 18, y + 4), splits.classes[index], fill="black")
        y += line
    with atomic_file(path) as file:
        sheet.save(file, format="PNG")
    return Path(path)


def _legend_rows(splits: Splits, width: int) -> list[list[tuple[int, int]]]:
    """(x, class index) of each class, in rows that are not wider than the sheet."""
    rows: list[list[tuple[int, int]]] = [[]]
    x = 6
    for index, name in enumerate(splits.classes):
        needed = 34 + 7 * len(name)
        if rows[-1] and x + needed > width:
            rows.append([])
            x = 6
        rows[-1].append((x, index))
        x += needed
    return rows


def _spread(part: Dataset, count: int) -> Sequence[int]:
    return np.unique(np.linspace(0, len(part) - 1, min(count, len(part))).round().astype(int)).tolist()


def _fit(image: np.ndarray, cell: int, nearest: bool = False):
    from PIL import Image, ImageOps

    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).convert("RGB")
    method = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    return ImageOps.pad(picture, (cell, cell), method, color="white")
