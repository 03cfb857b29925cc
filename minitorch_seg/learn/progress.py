"""Progress: which exercises were right, in progress.json beside the student's lessons.

`minitorch-seg learn NN` makes the file; a check notes its verdict there, and nowhere else.  Without the file
(in a test, in a copy of a lesson elsewhere) nothing is written.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

FILE = "progress.json"


def start(folder: Path) -> None:
    """Make the file where there is none."""
    path = folder / FILE
    if not path.exists():
        path.write_text("{}\n", encoding="utf-8")


def read(folder: Path) -> dict[str, str]:
    """Exercise -> "todo", "wrong" or "right"; empty where there is no file, or a broken one."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def note(name: str, status: str) -> None:
    """Remember a verdict in the folder of the lesson that runs; the latest one counts."""
    folder = _lesson_folder()
    if folder is None or not (folder / FILE).is_file():
        return
    known = read(folder)
    if known.get(name) != status:
        known[name] = status
        text = json.dumps(known, indent=1, sort_keys=True) + "\n"
        (folder / FILE).write_text(text, encoding="utf-8")


def _lesson_folder() -> Path | None:
    marimo = sys.modules.get("marimo")
    folder = marimo.notebook_dir() if marimo is not None else None
    return None if folder is None else Path(folder)
