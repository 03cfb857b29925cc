"""A folder of images and masks as a data set: the user's own, and the registered ones.

FOLDER/images/a.png   FOLDER/masks/a.png      the same name before the suffix
FOLDER/split.json     optional: {"train": [...], "val": [...], "test": [...]}
FOLDER/manifest.json  optional: {"classes": [...], "ignore_index": 255, "pixel_size": 0.5, "pixel_unit": "µm",
                      "symmetry": "none|mirror|square", "normalize": "image|dataset"}, see `Splits`
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from minitorch_seg.data.dataset import SPLIT_NAMES, Sample, Splits
from minitorch_seg.data.images import read_header, read_image, read_mask
from minitorch_seg.data.layout import Layout, read_layout, seeded_split, some
from minitorch_seg.data.masks import (
    CONVERSIONS,
    MaskRule,
    MaskSurvey,
    is_binary_255,
    looks_like_instances,
    survey_mask,
)
from minitorch_seg.errors import DataError

logger = logging.getLogger("minitorch_seg.data")
CACHE_BYTES = 256 * 2**20
_READERS = 4
T = TypeVar("T")


class SampleCache:
    """Keeps the first samples that fit into max_bytes.

    It never evicts: an epoch visits every sample once, so a rule that throws out the oldest would throw out
    each sample before it is asked for again.
    """

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self.max_bytes, self.bytes = max_bytes, 0
        self._samples: dict[str, Sample] = {}
        self._lock = threading.Lock()

    def get(self, name: str, read: Callable[[], Sample]) -> Sample:
        with self._lock:
            sample = self._samples.get(name)
        if sample is not None:
            return sample
        sample = read()
        sample.image.flags.writeable = sample.mask.flags.writeable = False  # shared by all who ask
        size = sample.image.nbytes + sample.mask.nbytes
        with self._lock:
            if name not in self._samples and self.bytes + size <= self.max_bytes:
                self._samples[name] = sample
                self.bytes += size
        return sample


class FolderDataset:
    """Pairs of files, read when they are asked for.  names: the stems; rule: what mask values mean."""

    def __init__(
        self,
        images: Sequence[Path],
        masks: Sequence[Path],
        channels: int,
        rule: MaskRule,
        cache: SampleCache | None = None,
    ) -> None:
        self.images, self.masks = list(images), list(masks)
        self.names = [path.stem for path in self.images]
        self.channels, self.rule = channels, rule
        self._cache = SampleCache() if cache is None else cache

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        return self._cache.get(self.names[index], lambda: self._read(index))

    def _read(self, index: int) -> Sample:
        path = self.masks[index]
        image = read_image(self.images[index], self.channels)
        mask = self.rule(read_mask(path), path)
        if image.shape[:2] != mask.shape:
            raise DataError(size_mismatch(path, mask.shape, image.shape[:2]))
        return Sample(image, mask, self.names[index])


class SegmentationFolder(FolderDataset):
    """All pairs of a folder as one data set, with the classes and `.splits()`.

    convert: "foreground" or "boundary" turns numbered objects (instance labels) into classes.  Without
    split.json the pairs are split 70/15/15 by `seed`.  Everything that headers and masks can tell is checked
    here, once; images are decoded when they are asked for.  notes: sentences on how the masks were
    understood, logged too.

    Raises DataError with one sentence that names the file and the fix; `check_folder` lists all problems.
    """

    def __init__(
        self,
        path: str | Path,
        convert: str | None = None,
        seed: int = 0,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        layout = read_layout(path)
        stop_at_first(layout.problems, layout.path)
        image_paths = [layout.images[stem] for stem in layout.stems]
        mask_paths = [layout.masks[stem] for stem in layout.stems]
        headers, unreadable = good_and_bad(read_all(read_header, image_paths))
        surveys, undecodable = good_and_bad(read_all(survey_mask, mask_paths))
        stop_at_first([*unreadable, *undecodable])
        stop_at_first(
            size_mismatch(mask, survey.size, header.size)
            for mask, survey, header in zip(mask_paths, surveys, headers, strict=True)
            if survey.size != header.size
        )
        rule, self.notes = understand_masks(layout, surveys, convert)
        stop_at_first(
            rule.outside(mask, wrong)
            for mask, survey in zip(mask_paths, surveys, strict=True)
            if (wrong := rule.wrong_values(survey.counts))
        )
        for note in self.notes:
            logger.warning(note)
        self.path, self.layout, self.seed = layout.path, layout, seed
        self.classes, self.ignore_index = list(rule.classes), rule.ignore_index
        channels = max(header.channels for header in headers)
        super().__init__(image_paths, mask_paths, channels, rule, SampleCache(cache_bytes))

    def splits(self) -> Splits:
        """Train, val and test as split.json says, or 70/15/15."""
        split = self.layout.split
        if split is None:
            if len(self) < 3:
                raise DataError(
                    f"{self.path}: {len(self)} image(s) cannot be split into train, val and test; "
                    "three are the least, a few dozen make sense."
                )
            split = seeded_split(self.names, self.seed)
        return make_splits(self.path.name, self, split, self.layout)


def make_splits(name: str, data: FolderDataset, split: dict[str, list[str]], layout: Layout) -> Splits:
    """The three parts of a data set, sharing its cache."""
    place = {stem: index for index, stem in enumerate(data.names)}

    def part(stems: Iterable[str]) -> FolderDataset:
        indices = [place[stem] for stem in stems]
        images, masks = [data.images[i] for i in indices], [data.masks[i] for i in indices]
        return FolderDataset(images, masks, data.channels, data.rule, data._cache)

    train, val, test = (part(split[which]) for which in SPLIT_NAMES)
    classes, ignore = list(data.rule.classes), data.rule.ignore_index
    size, unit = layout.pixel_size, layout.pixel_unit
    kind = layout.symmetry, layout.normalize
    return Splits(name, train, val, test, classes, ignore, data.channels, size, unit, *kind)


def understand_masks(
    layout: Layout, surveys: Sequence[MaskSurvey], convert: str | None = None
) -> tuple[MaskRule, list[str]]:
    """Decide from all masks of a folder what their values mean.  Returns the rule and notes to be said."""
    ignore, path = layout.ignore_index, layout.path
    values = {value for survey in surveys for value in survey.counts} - {ignore}
    if convert is not None:
        if convert not in CONVERSIONS:
            raise DataError(f"--convert {convert} is not known; use one of {', '.join(CONVERSIONS)}.")
        classes = CONVERSIONS[convert]
        note = f"{path}: every mask value above 0 is taken as one object; classes: {', '.join(classes)}."
        return MaskRule(tuple(classes), ignore, convert=convert), [note]
    if is_binary_255(values) and (layout.classes is None or len(layout.classes) == 2):
        classes = layout.classes or ["background", "foreground"]
        note = f'{path}: the masks hold exactly 0 and 255; 255 is taken as class 1, "{classes[1]}".'
        return MaskRule(tuple(classes), ignore, binary=True), [note]
    allowed = None if layout.classes is None else set(range(len(layout.classes)))
    if (allowed is None or values - allowed) and looks_like_instances(surveys):
        most = max(survey.objects for survey in surveys)
        raise DataError(
            f"{path}: the masks hold numbered objects (up to {most} an image), not classes; convert them "
            "with --convert foreground (object or not) or --convert boundary (objects that touch stay "
            'apart); in Python: convert="foreground".'
        )
    if layout.classes is not None:
        return MaskRule(tuple(layout.classes), ignore), []
    classes = _unnamed_classes(path, values)
    note = (
        f"{path}: manifest.json lists no classes; the mask values 0 to {len(classes) - 1} are taken as such."
    )
    return MaskRule(tuple(classes), ignore), [note]


def _unnamed_classes(path: Path, values: set[int]) -> list[str]:
    highest = max(values, default=0)
    found = some([str(value) for value in sorted(values)], 6)
    if highest == 0:
        raise DataError(
            f"{path}: all masks hold nothing but 0, so there is nothing to learn; check the masks."
        )
    if highest == 255 and len(values) > 1:
        raise DataError(
            f'{path}: the masks hold {found}; if 255 means "do not count", write {{"ignore_index": 255}} '
            "into manifest.json, else renumber the classes 0, 1, 2, ..."
        )
    if highest >= 2 * len(values) + 8:
        raise DataError(
            f"{path}: the masks hold {found}, not class indices; renumber them 0, 1, 2, ... or list all "
            f"{highest + 1} classes in manifest.json."
        )
    return ["background", *(f"class {value}" for value in range(1, highest + 1))]


def size_mismatch(mask: Path, mask_size: Sequence[int], image_size: Sequence[int]) -> str:
    return (
        f"{mask}: the mask is {mask_size[1]}x{mask_size[0]} (width x height), its image {image_size[1]}x"
        f"{image_size[0]}; export both at the same size (a mask is resized without interpolation)."
    )


def read_all(read: Callable[[Path], T], paths: Sequence[Path]) -> list[T | DataError]:
    """read(path) for each path on a few threads; an unreadable file gives its DataError instead."""

    def one(path: Path) -> T | DataError:
        try:
            return read(path)
        except DataError as error:
            return error

    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(one, paths))


def good_and_bad(results: Iterable[T | DataError]) -> tuple[list[T], list[str]]:
    """What `read_all` gave, as the results and the sentences of the errors."""
    results = list(results)
    good = [result for result in results if not isinstance(result, DataError)]
    return good, [str(result) for result in results if isinstance(result, DataError)]


def stop_at_first(problems: Iterable[str], folder: Path | None = None) -> None:
    """Raise the first problem, and say where to see the others."""
    problems = list(problems)
    if problems:
        place = folder or "FOLDER"
        more = f" ({len(problems) - 1} more: minitorch-seg check {place})" if len(problems) > 1 else ""
        raise DataError(problems[0] + more)
