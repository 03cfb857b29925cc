"""`check`: every problem of a data folder in one pass, each with what to do about it."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from minitorch_seg.data.dataset import SPLIT_NAMES
from minitorch_seg.data.folder import read_all, size_mismatch, understand_masks
from minitorch_seg.data.images import read_header, read_image
from minitorch_seg.data.layout import Layout, read_layout, seeded_split, some
from minitorch_seg.data.masks import MaskRule, MaskSurvey, survey_mask
from minitorch_seg.errors import DataError


class ImageFacts(NamedTuple):
    """What one decoded image tells."""

    size: tuple[int, int]
    channels: int
    mode: str
    digest: bytes


@dataclass
class Report:
    """What `check_folder` found.  problems stop a training, warnings and notes do not; each names file and
    fix.

    images: files in images/; pairs: how many of them could be read together with their masks.
    sizes: {(height, width): images}.  pixels: pixels of each stored mask value.  splits: images in each
    split.
    """

    path: Path
    images: int = 0
    pairs: int = 0
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)
    classes: list[str] = field(default_factory=list)
    ignore_index: int | None = None
    pixels: Counter[int] = field(default_factory=Counter)
    splits: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rule: MaskRule | None = None

    @property
    def ok(self) -> bool:
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "path": str(self.path),
            "ok": self.ok,
            "images": self.images,
            "pairs": self.pairs,
            "sizes": {f"{width}x{height}": count for (height, width), count in self.sizes.most_common()},
            "classes": self.classes,
            "ignore_index": self.ignore_index,
            "mask_values": {str(value): self.pixels[value] for value in sorted(self.pixels)},
            "splits": self.splits,
            "problems": self.problems,
            "warnings": self.warnings,
            "notes": self.notes,
        }

    def text(self) -> str:
        """The whole report, for people."""
        lines = [
            f"{self.path}: {self.images} images, {self.pairs} of them readable together with their masks"
        ]
        if self.sizes:
            sizes = [f"{width}x{height} ({count})" for (height, width), count in self.sizes.most_common()]
            lines.append(f"sizes (width x height): {some(sizes, 5)}")
            kinds = {1: "grey", 3: "RGB"}
            lines.append(
                "colours: " + ", ".join(f"{kinds[c]} ({n})" for c, n in sorted(self.channels.items()))
            )
        if self.splits:
            lines.append("splits: " + ", ".join(f"{name} {count}" for name, count in self.splits.items()))
        if self.pixels:
            lines += ["mask value  class                 share of pixels", *self._histogram()]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"warning: {warning}" for warning in self.warnings]
        lines += [f"problem: {problem}" for problem in self.problems]
        count = len(self.problems)
        lines.append("nothing stands against training on it" if self.ok else f"{count} problem(s) to mend")
        return "\n".join(lines)

    def _histogram(self) -> list[str]:
        total = sum(self.pixels.values())
        shown = sorted(self.pixels)[:20]
        rows = [f"{v:10d}  {self._meaning(v):20s}  {self.pixels[v] / total:8.2%}" for v in shown]
        return rows + ([f"       ...  {len(self.pixels) - 20} more values"] if len(self.pixels) > 20 else [])

    def _meaning(self, value: int) -> str:
        if value == self.ignore_index:
            return "(ignored)"
        if self.rule is not None and self.rule.convert is not None:
            return self.classes[0] if value == 0 else "object"
        index = 1 if self.rule is not None and self.rule.binary and value == 255 else value
        return self.classes[index] if 0 <= index < len(self.classes) else "?"


def check_folder(
    path: str | Path, classes: Sequence[str] | None = None, convert: str | None = None, seed: int = 0
) -> Report:
    """Read every file of a data folder and report all problems.  Raises nothing for a bad folder.

    classes: names to use in place of manifest.json's.  convert, seed: as for SegmentationFolder.
    """
    layout = read_layout(path)
    if classes is not None:
        layout.classes = list(classes)
    report = Report(layout.path, images=len(layout.images), ignore_index=layout.ignore_index)
    report.problems, report.warnings = layout.problems, layout.warnings
    images = _read(report, _image_facts, layout.images)
    surveys = _read(report, survey_mask, layout.masks)
    pairs = [stem for stem in layout.stems if stem in images and stem in surveys]
    report.pairs = len(pairs)
    report.sizes = Counter(facts.size for facts in images.values())
    report.channels = Counter(facts.channels for facts in images.values())
    for survey in surveys.values():
        report.pixels.update(survey.counts)
    unequal = [stem for stem in pairs if images[stem].size != surveys[stem].size]
    report.problems += _grouped(
        size_mismatch(layout.masks[stem], surveys[stem].size, images[stem].size) for stem in unequal
    )
    _check_values(report, layout, surveys, convert)
    _check_splits(report, layout, images, surveys, seed)
    _note_conversions(report, layout, images)
    return report


def _image_facts(path: Path) -> ImageFacts:
    image = read_image(path)
    digest = hashlib.sha256(f"{image.shape}".encode() + image.tobytes()).digest()
    return ImageFacts((image.shape[0], image.shape[1]), image.shape[2], read_header(path).mode, digest)


def _read(report: Report, read: Any, files: dict[str, Path]) -> dict[str, Any]:
    """What could be read, by stem; what could not becomes problems."""
    results = dict(zip(files, read_all(read, list(files.values())), strict=True))
    failed = [str(result) for result in results.values() if isinstance(result, DataError)]
    report.problems += _grouped(failed)
    return {stem: result for stem, result in results.items() if not isinstance(result, DataError)}


def _grouped(sentences: Iterable[str]) -> list[str]:
    """Sentences "FILE: the rest" with the same rest become one that counts its files.

    >>> _grouped(["a.png: cut short.", "b.png: cut short.", "c.png: too large."])
    ['a.png and 1 more (b.png): cut short.', 'c.png: too large.']
    """
    files: dict[str, list[str]] = defaultdict(list)
    for sentence in sentences:
        file, _, rest = sentence.partition(": ")
        files[rest].append(file)
    lines = []
    for rest, names in files.items():
        others = [Path(name).name for name in names[1:]]
        more = f" and {len(others)} more ({some(others)})" if others else ""
        lines.append(f"{names[0]}{more}: {rest}")
    return lines


def _check_values(
    report: Report, layout: Layout, surveys: dict[str, MaskSurvey], convert: str | None
) -> None:
    if not surveys:
        report.classes = layout.classes or []
        return
    try:
        rule, report.notes = understand_masks(layout, list(surveys.values()), convert)
    except DataError as error:
        report.problems.append(str(error))
        report.classes = layout.classes or []
        return
    report.rule, report.classes = rule, list(rule.classes)
    report.problems += _grouped(
        rule.outside(layout.masks[stem], wrong)
        for stem, survey in surveys.items()
        if (wrong := rule.wrong_values(survey.counts))
    )


def _check_splits(
    report: Report,
    layout: Layout,
    images: dict[str, ImageFacts],
    surveys: dict[str, MaskSurvey],
    seed: int,
) -> None:
    split = layout.split
    if split is None and (layout.path / "split.json").exists():
        return  # it could not be understood, which is among the problems already
    if split is None:
        if len(layout.stems) < 3:
            if layout.stems:
                report.problems.append(
                    f"{layout.path}: {len(layout.stems)} pair(s) cannot be split into train, val and test; "
                    "three are the least, a few dozen make sense."
                )
            return
        split = seeded_split(layout.stems, seed)
        report.notes.append(
            f"{layout.path}: without split.json, the pairs are split 70/15/15 by name, seed {seed}."
        )
    report.splits = {name: len(split[name]) for name in SPLIT_NAMES}
    _warn_of_twins(report, layout, split, images)
    _warn_of_absent_classes(report, split, surveys)


def _warn_of_twins(
    report: Report, layout: Layout, split: dict[str, list[str]], images: dict[str, ImageFacts]
) -> None:
    """The same pixels in two splits: the network is tested on what it has learned by heart."""
    first: dict[bytes, tuple[str, str]] = {}
    twins = []
    for which in SPLIT_NAMES:
        for stem in split[which]:
            if stem not in images:
                continue
            other, other_split = first.setdefault(images[stem].digest, (stem, which))
            if other_split != which:
                twins.append(f"{other} in {other_split} = {stem} in {which}")
    if twins:
        report.warnings.append(
            f"{layout.path}: one image in two splits: {some(twins)}; remove one of each or move both into "
            "the same split (split.json), or scores will be too good."
        )


def _warn_of_absent_classes(
    report: Report, split: dict[str, list[str]], surveys: dict[str, MaskSurvey]
) -> None:
    if report.rule is None or report.rule.convert is not None:
        return
    for which in SPLIT_NAMES:
        seen = {value for stem in split[which] if stem in surveys for value in surveys[stem].counts}
        if report.rule.binary and 255 in seen:
            seen.add(1)
        absent = [name for i, name in enumerate(report.classes) if i not in seen and i != report.ignore_index]
        if absent:
            effect = "it cannot be learned" if which == "train" else "its IoU there is undefined"
            report.warnings.append(
                f"{report.path}: in the split {which} no mask holds {some(absent, 5)}, so {effect}; "
                "move images between the splits or remove the class."
            )


def _note_conversions(report: Report, layout: Layout, images: dict[str, ImageFacts]) -> None:
    deep = [layout.images[s].name for s, f in images.items() if f.mode.startswith(("I", "F"))]
    if deep:
        report.notes.append(f"more than 8 bits, stretched to 0 ... 255 by its own percentiles: {some(deep)}.")
    alpha = [layout.images[s].name for s, f in images.items() if f.mode in ("RGBA", "LA", "PA")]
    if alpha:
        report.notes.append(f"with an alpha channel, laid over black: {some(alpha)}.")
    if len(report.channels) > 1:
        report.notes.append("grey and RGB images are mixed; the grey ones are read as RGB.")
    if len(report.sizes) > 1:
        report.notes.append("the images have several sizes; a batch of more than one needs random crops.")
