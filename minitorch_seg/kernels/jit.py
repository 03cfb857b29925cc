"""The only file that imports numba: how kernels are compiled, and where the compiled code is kept.

`@kernel` marks a kernel.  It compiles when it is first called with a new dtype, releases Python's lock while
it runs, divides by zero as NumPy does, and may reorder sums (so that they vectorise) but never assumes away
NaN or infinity.  Compiled code is kept on disk in a folder named by a hash of the kernels' source files: an
edit anywhere among them compiles everything afresh, where Numba alone would overlook a changed helper in
another file.
"""

import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import event
from numba.core.registry import cpu_target

config: Any = numba.config  # Numba fills it from NUMBA_... variables while it is imported
FAST_MATH = {"reassoc", "nsz", "contract", "arcp", "afn"}  # not "nnan", not "ninf": both must stay visible
NOTICE_AFTER = 2.0  # seconds of compiling

_TRIPLE, _, _FEATURES = cpu_target.target_context.codegen().magic_tuple()[:3]
_FEATURES = _FEATURES.split(",")
#: Bytes of a vector register, and how many registers there are.
VECTOR_BYTES = 64 if "+avx512f" in _FEATURES else 32 if "+avx2" in _FEATURES else 16
REGISTERS = 32 if VECTOR_BYTES == 64 or _TRIPLE.startswith(("aarch64", "arm64")) else 16


def part(function: Callable) -> Callable:
    """A function that kernels call: it is compiled within each of them, not on its own as well, which saves
    time.
    """
    return numba.njit(inline="always")(function)


def kernel(function: Callable) -> Callable:
    """Compiles `function` on its first call.  With NUMBA_DISABLE_JIT=1 it stays plain Python."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": FAST_MATH}
    folder = _cache_folder()
    if folder is None:
        return numba.njit(**options)(function)
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)  # read by njit at once: a user's own functions keep their setting
    try:
        return numba.njit(cache=True, **options)(function)
    finally:
        config.CACHE_DIR = before


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
    root = Path(__file__).parent
    for file in sorted(root.rglob("*.py")):
        digest.update(file.relative_to(root).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


_folder: Path | None = None
_folder_is_known = False


def _cache_folder() -> Path | None:
    """Where compiled kernels are kept; None where nothing can be written (then each process compiles for
    itself).
    """
    global _folder, _folder_is_known
    if not _folder_is_known:
        _folder_is_known = True
        try:
            folder = cache_root() / f"kernels-{source_hash()}"
            folder.mkdir(parents=True, exist_ok=True)
            _folder = folder if os.access(folder, os.W_OK) else None
        except (OSError, RuntimeError):  # RuntimeError: there is no home folder
            _folder = None
    return _folder


class _Notice(event.Listener):
    """Says once, on stderr, that kernels are being compiled, when that has taken longer than one waits
    without asking.

    Numba compiles under a lock, one kernel at a time; a kernel that calls others compiles them within its own
    time.
    """

    def __init__(self) -> None:
        self.spent = 0.0
        self.depth = 0
        self.started = 0.0
        self.timer: threading.Timer | None = None
        self.said = False

    def on_start(self, event: event.Event) -> None:
        if self.said or not _is_ours(event):
            return
        self.depth += 1
        if self.depth == 1:
            self.started = time.monotonic()
            self.timer = threading.Timer(max(NOTICE_AFTER - self.spent, 0), self.say)
            self.timer.daemon = True
            self.timer.start()

    def on_end(self, event: event.Event) -> None:
        if self.timer is None or not _is_ours(event):
            return
        self.depth -= 1
        if self.depth == 0:
            self.timer.cancel()
            self.timer = None
            self.spent += time.monotonic() - self.started

    def say(self) -> None:
        self.said = True
        where = "kept for the next run" if _cache_folder() else f"not kept: {cache_root()} cannot be written"
        print(
            f"minitorch_seg: compiling kernels, about 10 seconds ({where}) ...", file=sys.stderr, flush=True
        )


def _is_ours(event: event.Event) -> bool:
    return event.data["dispatcher"].py_func.__module__.startswith(f"{__package__}.")


event.register("numba:compile", _Notice())
