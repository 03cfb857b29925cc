"""The registered sets: what they are, where they lie, and whether their pixels are the ones we mean.

None of their files are part of this project.  `registered/NAME.json` says what a set is and where it comes
from; `registered/NAME.tsv` lists each pair: its split, name, SHA-256 of the decoded pixels, and its place in
the source. A set is looked for in the folder MINITORCH_SEG_DATA/NAME, then in the user's cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from minitorch_seg.data.dataset import SPLIT_NAMES, Splits
from minitorch_seg.data.folder import FolderDataset, logger, make_splits, read_all
from minitorch_seg.data.images import read_image, read_mask
from minitorch_seg.data.layout import Layout
from minitorch_seg.data.masks import MaskRule
from minitorch_seg.errors import DataError

REGISTERED = ("nuclei", "hippocampus", "road", "aerial")


@dataclass(frozen=True)
class Pair:
    """One image with its mask.  sha256: see `pair_hash`.  source: its name in the original set."""

    split: str
    stem: str
    sha256: str
    source: str = ""


@dataclass(frozen=True)
class Entry:
    """A registered set.  size: (height, width) of every image; archive: where the original can be had.

    symmetry, normalize: see `Splits`.
    """

    name: str
    title: str
    domain: str
    classes: list[str]
    channels: int
    size: tuple[int, int]
    licence: str
    attribution: str
    original: str
    preparation: str
    archive: str
    archive_megabytes: int | None
    ignore_index: int | None = None
    symmetry: str = "square"
    normalize: str = "image"
    pairs: tuple[Pair, ...] = field(default=(), repr=False)

    @property
    def split(self) -> dict[str, list[str]]:
        """{"train": [names], "val": [...], "test": [...]}"""
        return {which: [pair.stem for pair in self.pairs if pair.split == which] for which in SPLIT_NAMES}


@dataclass(frozen=True)
class Verification:
    """How the prepared files of a set compare with the registry."""

    name: str
    folder: Path
    equal: int
    missing: list[str]
    different: list[str]

    @property
    def ok(self) -> bool:
        return not self.missing and not self.different

    def text(self) -> str:
        total = self.equal + len(self.missing) + len(self.different)
        if self.ok:
            return (
                f"{self.name}: all {total} pairs in {self.folder} are the registered ones, pixel for pixel."
            )
        return (
            f"{self.name}: of {total} registered pairs, {self.equal} in {self.folder} are equal, "
            f"{len(self.different)} differ and {len(self.missing)} are missing; figures measured here cannot "
            "be compared with published ones."
        )


@cache
def entry(name: str) -> Entry:
    """What the registry knows of a set.  Raises DataError for an unknown name."""
    if name not in REGISTERED:
        raise DataError(f"{name!r} is not a registered set; there are {', '.join(REGISTERED)}.")
    folder = resources.files("minitorch_seg.data") / "registered"
    facts = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    lines = (folder / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    pairs = tuple(Pair(*line.split("\t")) for line in lines[1:])
    return Entry(name=name, pairs=pairs, **{**facts, "size": tuple(facts["size"])})


def pair_hash(image: np.ndarray, mask: np.ndarray) -> str:
    """SHA-256 over shapes and pixels: image uint8 (H, W, C), then mask as little-endian uint16 (H, W).

    The pixels are hashed, not the files, so that another PNG compression is no difference.
    """
    digest = hashlib.sha256()
    digest.update(f"image {image.shape}\n".encode())
    digest.update(np.ascontiguousarray(image, np.uint8).tobytes())
    digest.update(f"mask {mask.shape}\n".encode())
    digest.update(np.ascontiguousarray(mask, "<u2").tobytes())
    return digest.hexdigest()


def cache_folder() -> Path:
    """Where downloaded sets are kept: the user's cache directory, as each platform has it."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "minitorch_seg" / "data"


def search_folders(name: str) -> list[Path]:
    """Where a set is looked for, in this order."""
    named = os.environ.get("MINITORCH_SEG_DATA")
    return [*([Path(named) / name] if named else []), cache_folder() / name]


def find(name: str) -> Path | None:
    """The folder of a registered set, or None when it is not on this machine."""
    entry(name)
    folders = (folder for folder in search_folders(name) if (folder / "images").is_dir())
    return next(folders, None)


def load_registered(name: str) -> Splits:
    """The splits of a registered set, with the registry's classes, split and ignored value."""
    facts, folder = entry(name), _found(name)
    images = [folder / "images" / f"{pair.stem}.png" for pair in facts.pairs]
    masks = [folder / "masks" / f"{pair.stem}.png" for pair in facts.pairs]
    missing = [path for path in (*images, *masks) if not path.is_file()]
    if missing:
        raise DataError(
            f"{missing[0]}: this file of {name} is missing ({len(missing)} in all); remove its folder "
            f"and run: minitorch-seg datasets get {name}"
        )
    comparison = folder / "verification.json"
    if comparison.exists() and json.loads(comparison.read_text(encoding="utf-8"))["different"]:
        logger.warning(verify(name, folder).text())
    data = FolderDataset(images, masks, facts.channels, MaskRule(tuple(facts.classes), facts.ignore_index))
    layout = Layout(folder, symmetry=facts.symmetry, normalize=facts.normalize)
    return make_splits(name, data, facts.split, layout)


def verify(name: str, folder: str | Path | None = None) -> Verification:
    """Compare every pair with the registry, pixel for pixel.  folder: default, where `find` finds the set."""
    facts = entry(name)
    place = _found(name) if folder is None else Path(folder)
    missing, different = [], []

    def read(path: Path) -> str:
        image = read_image(path, facts.channels)
        return pair_hash(image, read_mask(place / "masks" / path.name))

    paths = [place / "images" / f"{pair.stem}.png" for pair in facts.pairs]
    for pair, path, result in zip(facts.pairs, paths, read_all(read, paths), strict=True):
        if not path.is_file() or not (place / "masks" / path.name).is_file():
            missing.append(pair.stem)
        elif result != pair.sha256:  # a DataError (an unreadable file) differs too
            different.append(pair.stem)
    equal = len(facts.pairs) - len(missing) - len(different)
    return Verification(name, place, equal, missing, different)


def _found(name: str) -> Path:
    folder = find(name)
    if folder is None:
        looked = " and ".join(str(place) for place in search_folders(name))
        hint = "" if os.environ.get("MINITORCH_SEG_DATA") else " (MINITORCH_SEG_DATA is not set)"
        raise DataError(
            f"the set {name} is not on this machine; looked in {looked}{hint}; "
            f"to get it run: minitorch-seg datasets get {name}"
        )
    return folder
