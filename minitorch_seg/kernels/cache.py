"""Where compiled kernels are kept on disk, and when they are not.

The folder is named by a hash of all files of kernels/: an edit anywhere among them compiles everything
afresh, where Numba alone would overlook a changed helper in another file.  A process that finds the files
edited after it took the hash keeps nothing: its kernels are older or newer than the name says.  A full disk
or a broken file costs time, no result.
"""

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache

from minitorch_seg.locks import Lock

config: Any = numba.config  # Numba fills it from NUMBA_... variables while it is imported

ROOT = Path(__file__).parent


def cache_root() -> Path:
    """NUMBA_CACHE_DIR where it is set, else the folder `minitorch_seg` in the user's cache folder of this
    system.
    """
    if os.environ.get("NUMBA_CACHE_DIR"):
        return Path(os.environ["NUMBA_CACHE_DIR"])
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "minitorch_seg"


def source_hash() -> str:
    """A name for this version of all kernels, of Numba, and of the settings that change compiled code."""
    digest = hashlib.sha256(f"{numba.__version__} {config.OPT} {config.BOUNDSCHECK}".encode())
    for file in sorted(ROOT.rglob("*.py")):
        digest.update(file.relative_to(ROOT).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def keep(dispatcher: Any) -> None:
    """Lets a kernel be looked for in the folder before it is compiled, and put there afterwards."""
    with _lock:
        place = folder(dispatcher.py_func.__module__)
        if place is None:
            return
        before = config.CACHE_DIR
        config.CACHE_DIR = str(place)  # read at once: a user's own functions keep their setting
        try:
            dispatcher._cache = _Kept(dispatcher.py_func)
        finally:
            config.CACHE_DIR = before


def folder(module: str = __name__) -> Path | None:
    """Where the kernels of a module are kept; None where nothing can be written, or where the files were
    edited since: then each process compiles for itself.
    """
    with _lock:
        if not _found:
            stamps = _stamps()  # first: what is edited while the hash is taken counts as edited
            _found.append((_make(), stamps))
        place, stamps = _found[0]
        if module not in _unedited:
            _unedited[module] = _stamps() == stamps
        return place if _unedited[module] else None


def _make() -> Path | None:
    try:
        place = cache_root() / f"kernels-{source_hash()}"
        place.mkdir(parents=True, exist_ok=True)
        return place if os.access(place, os.W_OK) else None
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        return None


def _stamps() -> dict[str, tuple[int, int]]:
    """When each file of kernels/ was last written, and its length."""
    found = {}
    for where in (str(ROOT), *(entry.path for entry in os.scandir(ROOT) if entry.is_dir())):
        for entry in os.scandir(where):
            if entry.name.endswith(".py"):
                found[entry.path] = entry.stat().st_mtime_ns, entry.stat().st_size
    return found


_lock = Lock()
_found: list[
    tuple[Path | None, dict[str, tuple[int, int]]]
] = []  # the folder, once it is known, and the stamps then
_unedited: dict[str, bool] = {}  # by module, when it was imported


class _Kept(FunctionCache):
    """Numba's files, but an error while they are read or written only means that one compiles again."""

    said = False

    def load_overload(self, *args: Any) -> Any:
        try:
            return super().load_overload(*args)
        except Exception as error:  # a broken file may raise whatever unpickling can raise
            self._say("read", error)
        try:
            self.flush()
        except OSError:
            self.disable()
        return None

    def save_overload(self, *args: Any) -> None:
        try:
            super().save_overload(*args)
        except OSError as error:
            self._say("written", error)

    def _say(self, done: str, error: Exception) -> None:
        if not _Kept.said:
            _Kept.said = True
            reason = str(error) or type(error).__name__
            print(
                f"minitorch_seg: a compiled kernel in {self.cache_path} cannot be {done} ({reason}): "
                "it is compiled again",
                file=sys.stderr,
            )
