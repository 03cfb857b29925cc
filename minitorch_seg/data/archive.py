"""Reads members of a downloaded zip archive without unpacking it.

Nothing is ever written under a name that comes from an archive, so a hostile one has no path to climb.  It is
refused all the same: names that are absolute or climb (".."), links, and more or larger members than limits
allow.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from minitorch_seg.errors import DataError

MAX_MEMBERS = 200_000
MAX_MEMBER_BYTES = 256 * 2**20
MAX_TOTAL_BYTES = 8 * 2**30


class SourceArchive:
    """The files of a zip archive by name, below its one top folder (GitHub's "repository-commit/").

    Raises DataError when the file is no zip archive, is damaged, or is refused.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._zip = zipfile.ZipFile(self.path)
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(f"{self.path}: no whole zip archive ({error}); download it again.") from None
        try:
            self._members = self._checked()
        except DataError:
            self._zip.close()
            raise

    def __enter__(self) -> SourceArchive:
        return self

    def __exit__(self, *exception: object) -> None:
        self._zip.close()

    @property
    def names(self) -> list[str]:
        return list(self._members)

    def read(self, name: str) -> bytes:
        """The content of one file; its checksum is verified."""
        if name not in self._members:
            raise DataError(
                f"{self.path}: it holds no {name}; this is not the archive that the registry names."
            )
        try:
            return self._zip.read(self._members[name])
        except (
            OSError,
            EOFError,
            zipfile.BadZipFile,
            zlib.error,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise DataError(f"{self.path}: {name} in it is damaged ({error}); download it again.") from None

    def _checked(self) -> dict[str, zipfile.ZipInfo]:
        infos = [info for info in self._zip.infolist() if not info.is_dir()]
        if len(infos) > MAX_MEMBERS or sum(info.file_size for info in infos) > MAX_TOTAL_BYTES:
            raise DataError(
                f"{self.path}: it holds more than {MAX_MEMBERS} files or {MAX_TOTAL_BYTES >> 30} GiB; "
                "it is not the one that the registry names."
            )
        for info in infos:
            reason = _refusal(info)
            if reason:
                raise DataError(f"{self.path}: refused: {info.filename!r} {reason}; remove it.")
        tops = {PurePosixPath(info.filename).parts[0] for info in infos}
        inside = len(tops) == 1 and all("/" in info.filename for info in infos)
        return {info.filename.split("/", 1)[1] if inside else info.filename: info for info in infos}


def _refusal(info: zipfile.ZipInfo) -> str | None:
    name = info.orig_filename
    if name.startswith(("/", "\\")) or (len(name) > 1 and name[1] == ":"):
        return "is an absolute path"
    if ".." in name.replace("\\", "/").split("/"):
        return "climbs out of the folder"
    if "\\" in name or "\0" in name:
        return "has a forbidden character"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a link"
    if info.file_size > MAX_MEMBER_BYTES:
        return f"is larger than {MAX_MEMBER_BYTES >> 20} MiB"
    return None
