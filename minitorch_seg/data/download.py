"""Downloads one file over HTTP: resumable, retried, bounded, and never half in place.

The bytes go to TARGET.part, which is renamed when it is whole; a later call goes on where an earlier one
stopped (HTTP Range, with If-Range where the server names a version, so that two versions are not spliced).
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minitorch_seg.errors import DataError

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all (None: the server does not say)
MAX_BYTES = 4 * 2**30
_CHUNK = 2**18
_FINAL_STATUS = {401, 403, 404, 410, 451}  # asking again will not help


class _TryAgain(Exception):
    """A failure that another try may mend."""


def fetch(
    url: str,
    target: str | Path,
    progress: Progress | None = None,
    sha256: str | None = None,
    tries: int = 5,
    wait: float = 1.0,
    timeout: float = 30.0,
    max_bytes: int = MAX_BYTES,
) -> Path:
    """Download url to target.  Returns target.

    sha256: the expected checksum, where one is known.  tries: with pauses of wait, 2·wait, 4·wait ... seconds
    between them; a try that brought new bytes does not count.  timeout: seconds without an answer.

    Raises DataError with the reason; what has arrived stays in TARGET.part, and the next call goes on from
    there.
    """
    if not url.startswith(("http://", "https://")):
        raise DataError(f"{url}: only http and https addresses can be downloaded.")
    target = Path(target)
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        failures = 0
        for restarts_left in range(20 * tries, -1, -1):
            before = _size(part)
            try:
                _once(url, part, progress, timeout, max_bytes)
                break
            except _TryAgain as error:
                failures = 1 if _size(part) > before else failures + 1
                if failures >= tries or not restarts_left:
                    raise DataError(
                        f"{url}: the download failed ({error}); check the connection and run the command "
                        "again, it goes on where it stopped."
                    ) from None
                time.sleep(wait * 2 ** (failures - 1))
        if sha256 is not None and file_hash(part) != sha256:
            _forget(part)
            raise DataError(f"{url}: the file that arrived has another checksum; run the command again.")
        os.replace(part, target)
        _tag(part).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error}); choose another folder.") from None
    return target


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _once(url: str, part: Path, progress: Progress | None, timeout: float, max_bytes: int) -> None:
    have = _size(part)
    headers = {"User-Agent": "minitorch-seg", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if _tag(part).exists():
            headers["If-Range"] = _tag(part).read_text()
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:  # nothing beyond what we have: either it is whole, or it is stale
            whole = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
            if whole and int(whole[1]) == have:
                return
            _forget(part)
            raise _TryAgain("the file on the server has changed") from None
        if error.code in _FINAL_STATUS:
            raise DataError(
                f"{url}: the server answers {error.code} ({error.reason}); the source has moved or closed, "
                "give another address if you know one."
            ) from None
        raise _TryAgain(f"the server answers {error.code}, {error.reason}") from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise _TryAgain(str(getattr(error, "reason", error)) or type(error).__name__) from None
    with response:
        _receive(response, part, have, progress, max_bytes)


def _receive(response: Any, part: Path, have: int, progress: Progress | None, max_bytes: int) -> None:
    if have and response.status == 206:
        sent = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        if not sent or int(sent[1]) != have:
            _forget(part)
            raise _TryAgain("the server sent another part than the one asked for")
    else:
        have = 0  # the server sends the whole file
    length = response.headers.get("Content-Length")
    total = have + int(length) if length and length.isdigit() else None
    tag = response.headers.get("ETag", "")
    if tag.startswith('"'):  # a weak tag (W/"...") does not promise equal bytes
        _tag(part).write_text(tag)
    else:
        _tag(part).unlink(missing_ok=True)
    with part.open("ab" if have else "wb") as file:
        while True:
            if max(have, total or 0) > max_bytes:
                raise DataError(f"{response.url}: the file is larger than the {max_bytes} bytes allowed.")
            try:
                chunk = response.read(_CHUNK)
            except (http.client.HTTPException, OSError) as error:
                raise _TryAgain(f"the connection broke, {error}") from None
            if not chunk:
                break
            file.write(chunk)
            have += len(chunk)
            if progress is not None:
                progress(have, total)
    if total is not None and have < total:
        raise _TryAgain(f"the connection closed after {have} of {total} bytes")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _tag(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _tag(part).unlink(missing_ok=True)
