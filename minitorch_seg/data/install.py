"""`get`: downloads a registered set from its own source, prepares it and compares it with the registry.

What could not be verified when this was written: the real servers and their archives (see prepare.py).  All
of this is tested against a server on loopback with small synthetic archives.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_seg.data.archive import SourceArchive
from minitorch_seg.data.download import fetch
from minitorch_seg.data.prepare import PREPARE
from minitorch_seg.data.registry import Entry, Verification, cache_folder, entry, verify
from minitorch_seg.errors import DataError

Progress = Callable[[str, int, int | None], None]  # stage ("download", "prepare"), done, total


def get(
    name: str,
    dest: str | Path | None = None,
    source_url: str | None = None,
    progress: Progress | None = None,
    force: bool = False,
) -> Verification:
    """Download and prepare a registered set into dest/NAME.  Returns how its pixels compare.

    dest: default, the user's cache, where `load` looks.  source_url: another place of the same archive.
    progress: called as progress(stage, done, total).  force: replace a set that is there already.

    The set appears under its name only when it is whole; an interrupted download goes on next time.  Raises
    DataError when the archive cannot be had or read, or when a set is already there that differs.
    """
    facts = entry(name)
    base = cache_folder() if dest is None else Path(dest)
    target = base / name
    if target.exists() and not force:
        found = verify(name, target)
        if found.ok:
            return found
        raise DataError(
            f"{found.text()} To replace the folder run: minitorch-seg datasets get {name} --force"
        )
    url = source_url or facts.archive
    archive = base / "downloads" / f"{name}.zip"
    if not archive.exists():
        report = None if progress is None else lambda done, total: progress("download", done, total)
        fetch(url, archive, report)
    try:
        with SourceArchive(archive) as source:
            result = _install(facts, source, target, progress, url)
    except DataError:
        archive.unlink(missing_ok=True)  # it is damaged or another one: the next call must not meet it again
        raise
    except OSError as error:
        raise DataError(
            f"{target}: the set cannot be written there ({error}); choose another folder."
        ) from None
    archive.unlink()
    return result


def _install(
    facts: Entry, source: SourceArchive, target: Path, progress: Progress | None, url: str
) -> Verification:
    """Prepare into a temporary folder beside the target, and give it its name at the end."""
    from PIL import Image

    temporary = Path(tempfile.mkdtemp(prefix=f".{facts.name}-", dir=target.parent))
    try:
        new = temporary / "new"
        for part in ("images", "masks"):
            (new / part).mkdir(parents=True)
        for done, (pair, image, mask) in enumerate(PREPARE[facts.name](source, facts), start=1):
            Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(
                new / "images" / f"{pair.stem}.png"
            )
            Image.fromarray(mask.astype(np.uint8)).save(new / "masks" / f"{pair.stem}.png")
            if progress is not None:
                progress("prepare", done, len(facts.pairs))
        result = verify(facts.name, new)
        _describe(new, facts, result, url)
        if target.exists():
            os.replace(target, temporary / "old")
        os.replace(new, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Verification(facts.name, target, result.equal, result.missing, result.different)


def _describe(folder: Path, facts: Entry, result: Verification, url: str) -> None:
    manifest: dict[str, Any] = {"classes": facts.classes}
    if facts.ignore_index is not None:
        manifest["ignore_index"] = facts.ignore_index
    compared = {"equal": result.equal, "missing": result.missing, "different": result.different}
    for name, content in (("manifest", manifest), ("split", facts.split), ("verification", compared)):
        (folder / f"{name}.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    (folder / "SOURCE.txt").write_text(
        f"{facts.title}\nSource: {facts.original}\nArchive: {url}\nPreparation: {facts.preparation}\n",
        "utf-8",
    )
    (folder / "LICENSE.txt").write_text(f"{facts.licence}\n{facts.attribution}\n", "utf-8")
