"""Which files a data folder holds: images/, masks/, split.json, manifest.json.

Nothing is decoded here.  `read_layout` never raises for a bad folder: it collects sentences, so that `check`
can show them all and `SegmentationFolder` can raise the first.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minitorch_seg.data.dataset import NORMALISATIONS, SPLIT_NAMES, SYMMETRIES
from minitorch_seg.data.images import SUFFIXES


@dataclass
class Layout:
    """The pairs of a folder, its manifest and split.  problems stop the work, warnings do not."""

    path: Path
    images: dict[str, Path] = field(default_factory=dict)
    masks: dict[str, Path] = field(default_factory=dict)
    split: dict[str, list[str]] | None = None
    classes: list[str] | None = None
    ignore_index: int | None = None
    pixel_size: float | None = None
    pixel_unit: str | None = None
    symmetry: str = "square"
    normalize: str = "image"
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def stems(self) -> list[str]:
        """The names that have both an image and a mask, sorted."""
        return sorted(self.images.keys() & self.masks.keys())


def read_layout(path: str | Path) -> Layout:
    layout = Layout(Path(path))
    if not layout.path.is_dir():
        layout.problems.append(f"{layout.path}: there is no such folder; check the name.")
        return layout
    layout.images = _files(layout, "images")
    layout.masks = _files(layout, "masks")
    if layout.images or layout.masks:
        _pair(layout)
    _read_manifest(layout)
    _read_split(layout)
    return layout


def some(names: list[str], shown: int = 3) -> str:
    """
    >>> some(["a", "b"]), some(list("abcdef"))
    ('a, b', 'a, b, c and 3 more')
    """
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _digest(text: str) -> bytes:
    """SHA-256; a file name that is not UTF-8 counts with the bytes it has."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def seeded_split(stems: list[str], seed: int = 0) -> dict[str, list[str]]:
    """70/15/15 by a hash of the seed and each stem: the order of the files and added files change little.

    >>> {name: len(part) for name, part in seeded_split([str(i) for i in range(20)]).items()}
    {'train': 14, 'val': 3, 'test': 3}
    """
    order = sorted(stems, key=lambda stem: _digest(f"{seed}/{stem}"))
    held_back = max(1, round(0.15 * len(order)))
    parts = (order[2 * held_back :], order[:held_back], order[held_back : 2 * held_back])
    return {name: sorted(part) for name, part in zip(SPLIT_NAMES, parts, strict=True)}


def _files(layout: Layout, kind: str) -> dict[str, Path]:
    folder = layout.path / kind
    if not folder.is_dir():
        layout.problems.append(
            f"{folder}: there is no such folder; images/ and masks/ hold files of the same names."
        )
        return {}
    found: dict[str, Path] = {}
    others = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.lower() in ("thumbs.db", "desktop.ini"):
            continue
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            others.append(path.name)
        elif path.stem in found:
            layout.problems.append(
                f"{path}: {found[path.stem].name} has the same name but for the suffix; rename or remove one."
            )
        else:
            found[path.stem] = path
    if others:
        layout.warnings.append(
            f"{folder}: {some(others)} passed over; PNG, JPEG, TIFF and BMP files are read."
        )
    if not found:
        layout.problems.append(
            f"{folder}: the folder holds no images; put PNG, JPEG, TIFF or BMP files there."
        )
    return found


def _pair(layout: Layout) -> None:
    lonely = sorted(layout.images.keys() - layout.masks.keys())
    if lonely:
        first = layout.images[lonely[0]]
        alike = sorted(
            stem for stem in layout.masks.keys() - layout.images.keys() if stem.startswith(lonely[0])
        )
        fix = "add the masks or remove the images"
        if alike:
            found = layout.masks[alike[0]]
            fix = f"rename masks/{found.name} to {lonely[0]}{found.suffix} and so on"
        layout.problems.append(
            f"{first}: there is no mask for this image (masks/{lonely[0]}.png){_count(lonely)}; {fix}."
        )
    orphans = sorted(layout.masks.keys() - layout.images.keys())
    if orphans:
        first = layout.masks[orphans[0]]
        layout.problems.append(
            f"{first}: there is no image for this mask{_count(orphans)}; add the images or remove the masks."
        )


def _count(names: list[str]) -> str:
    return f", nor for {len(names) - 1} more" if len(names) > 1 else ""


def _read_json(layout: Layout, name: str) -> dict[str, Any] | None:
    path = layout.path / name
    if not path.exists():
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        layout.problems.append(f"{path}: this is not valid JSON ({error}); mend or remove it.")
        return None
    if not isinstance(value, dict):
        layout.problems.append(f"{path}: the file must hold one JSON object {{...}}; mend or remove it.")
        return None
    return value


def _read_manifest(layout: Layout) -> None:
    manifest = _read_json(layout, "manifest.json")
    if manifest is None:
        return
    path = layout.path / "manifest.json"
    classes = manifest.get("classes")
    if classes is not None:
        if (
            not isinstance(classes, list)
            or not all(isinstance(c, str) and c for c in classes)
            or len(classes) < 2
        ):
            layout.problems.append(
                f'{path}: "classes" must be a list of at least two names, one per mask value, such as '
                '["background", "cell"].'
            )
        elif len(set(classes)) < len(classes):
            layout.problems.append(f'{path}: "classes" names a class twice; give each its own name.')
        else:
            layout.classes = classes
    ignore = manifest.get("ignore_index")
    if ignore is not None:
        if not isinstance(ignore, int) or isinstance(ignore, bool):
            layout.problems.append(f'{path}: "ignore_index" must be a whole number, such as 255.')
        else:
            layout.ignore_index = ignore
    size = manifest.get("pixel_size")
    if size is not None:
        if not isinstance(size, int | float) or isinstance(size, bool) or not 0 < size < float("inf"):
            layout.problems.append(f'{path}: "pixel_size" must be a positive number, the side of a pixel.')
        else:
            layout.pixel_size = float(size)
    unit = manifest.get("pixel_unit")
    if unit is not None:
        if not isinstance(unit, str):
            layout.problems.append(f'{path}: "pixel_unit" must be a text, such as "µm" or "m".')
        else:
            layout.pixel_unit = unit
    for name, known in (("symmetry", SYMMETRIES), ("normalize", NORMALISATIONS)):
        value = manifest.get(name)
        if value is not None and value not in known:
            layout.problems.append(f'{path}: "{name}" must be one of {", ".join(known)}, not {value!r}.')
        elif value is not None:
            setattr(layout, name, value)


def _read_split(layout: Layout) -> None:
    raw = _read_json(layout, "split.json")
    if raw is None:
        return
    path = layout.path / "split.json"
    if set(raw) != set(SPLIT_NAMES) or not all(
        isinstance(raw[name], list) and all(isinstance(stem, str) for stem in raw[name])
        for name in SPLIT_NAMES
    ):
        layout.problems.append(
            f'{path}: the file must hold exactly the lists "train", "val" and "test" of file names; '
            f"it has {some(sorted(map(str, raw)), 5) or 'nothing'}."
        )
        return
    known = layout.images.keys() | layout.masks.keys()
    split: dict[str, list[str]] = {}
    where: dict[str, str] = {}
    twice, unknown = [], []
    for name in SPLIT_NAMES:
        split[name] = []
        for given in raw[name]:
            stem = given if given in known else Path(given).stem  # "a.png" means "a"
            if stem not in known:
                unknown.append(given)
            elif stem in where:
                twice.append(f"{stem} (in {where[stem]} and {name})")
            else:
                where[stem] = name
                split[name].append(stem)
        if not raw[name]:
            layout.problems.append(f'{path}: the split "{name}" is empty; list at least one image there.')
    if unknown:
        layout.problems.append(f"{path}: no such image: {some(unknown)}; remove the names or add the files.")
    if twice:
        layout.problems.append(
            f"{path}: listed twice: {some(twice)}; an image may be in one split only, or the test is no test."
        )
    missing = sorted(known - where.keys())
    if missing:
        layout.warnings.append(f"{path}: not listed, so not used: {some(missing)}.")
    layout.split = split
