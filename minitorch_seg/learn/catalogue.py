"""The lessons in the package: their list, copies for students, and copies for teachers without the answers.

A lesson is lessons/lesson_NN_name.py, a marimo notebook whose docstring says its number, title, time and what
it needs:

    Lesson 02: Convolution forward.
    Time: 45 minutes.  Needs: 00.
"""

from __future__ import annotations

import ast
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from minitorch_seg.errors import UserError
from minitorch_seg.learn import progress

__all__ = ["Lesson", "copy_lesson", "export", "find", "lessons", "without_answers"]

FOLDER = Path(__file__).parent / "lessons"
#: marimo's settings for the folder of copies: run on opening, and follow edits made in another editor.
SETTINGS = """\
# Settings of marimo for the lessons in this folder; `minitorch-seg learn` made this file.
[tool.marimo.runtime]
auto_instantiate = true
watcher_on_save = "autorun"
"""


@dataclass(frozen=True)
class Lesson:
    """number: "02".  minutes: of a careful reader.  needs: the numbers of lessons to know before."""

    number: str
    title: str
    minutes: int
    needs: tuple[str, ...]
    path: Path


def lessons() -> list[Lesson]:
    """All lessons, in order.

    >>> [lesson.title for lesson in lessons() if lesson.number == "02"]
    ['Convolution forward']
    """
    return [_read(path) for path in sorted(FOLDER.glob("lesson_[0-9][0-9]_*.py"))]


def find(number: str) -> Lesson:
    """The lesson of a number, "02" or "2"."""
    for lesson in lessons():
        if lesson.number == number.zfill(2):
            return lesson
    valid = ", ".join(lesson.number for lesson in lessons())
    raise UserError(f"there is no lesson {number!r}; there are {valid}")


def copy_lesson(lesson: Lesson, folder: Path) -> tuple[Path, bool]:
    """Copy a lesson to a student's folder; (its place, was it copied now?).  What is there stays as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    settings, target = folder / "pyproject.toml", folder / lesson.path.name
    if not settings.exists():
        settings.write_text(SETTINGS, encoding="utf-8")
    progress.start(folder)
    if target.exists():
        return target, False
    shutil.copyfile(lesson.path, target)
    return target, True


def export(folder: Path) -> list[Path]:
    """Write every lesson without its answers into a new folder, with the licence, to be handed out."""
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty: name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(FOLDER / "README.md", folder / "README.md")
    written = []
    for lesson in lessons():
        target = folder / lesson.path.name
        target.write_text(without_answers(lesson.path.read_text(encoding="utf-8")), encoding="utf-8")
        written.append(target)
    return written


def without_answers(source: str) -> str:
    """The text of a lesson less the cells that show a hidden answer.

    >>> print(without_answers('''a = 1
    ... @app.cell
    ... def _():
    ...     mo.md(learn.answer("02.conv2d"))
    ...     return
    ... b = 2'''))
    a = 1
    b = 2
    """
    lines = source.splitlines()
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.FunctionDef) and "learn.answer(" in ast.unparse(node):
            first = min(d.lineno for d in node.decorator_list)
            del lines[first - 1 : node.end_lineno]
    text = "\n".join(lines)
    return re.sub(r"\n{4,}", "\n\n\n", text)


def _read(path: Path) -> Lesson:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    found = re.match(r"Lesson (\d\d): (.+)\.\s+Time: (\d+) minutes\.\s+Needs: ([\d, ]+|nothing)\.", text)
    if found is None:
        raise UserError(f"{path.name}: its docstring does not say number, title, time and needs")
    number, title, minutes, needs = found.groups()
    return Lesson(number, title, int(minutes), tuple(re.findall(r"\d\d", needs)), path)
