"""`minitorch-seg learn [NN]`: the list of lessons with your progress, or one lesson, copied and opened."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import click

from minitorch_seg.errors import UserError


@click.command()
@click.argument("lesson", metavar="[NN]", required=False)
@click.option("--folder", type=click.Path(path_type=Path), default=Path("my_lessons"), help="Your copies.")
@click.option("--terminal", is_flag=True, help="Copy only; work with an editor and python.")
@click.option("--export", "target", type=click.Path(path_type=Path), help="All lessons without answers.")
def command(lesson: str | None, folder: Path, terminal: bool, target: Path | None) -> None:
    """Without NN: what there is, and how far you are.  With NN: copy the lesson to your folder and open it.

    A copy that is there already is never overwritten: it is your work.  To begin again, rename it.
    """
    from minitorch_seg.learn import catalogue

    if target is not None:
        written = catalogue.export(target)
        click.echo(f"{len(written)} lessons without answers in {target}, and their licence")
        click.echo(f"syllabus and notes for you: {catalogue.FOLDER / 'TEACHING.md'}")
    elif lesson is None:
        click.echo(overview(folder))
    else:
        _open(catalogue.find(lesson), folder, terminal)


def overview(folder: Path) -> str:
    """The table of lessons; a star stands for each exercise that is right."""
    from minitorch_seg.learn import catalogue, progress
    from minitorch_seg.learn.exercises import exercises

    known = progress.read(folder)
    lines = [f"{'':4}{'lesson':46}{'minutes':>8}  {'needs':16}exercises"]
    unfinished = []
    for lesson in catalogue.lessons():
        done = [known.get(e.name) == "right" for e in exercises(lesson.number)]
        marks = "".join("*" if right else "." for right in done) + f" {sum(done)} of {len(done)}"
        needs = " ".join(lesson.needs) or "-"
        lines.append(f"{lesson.number:4}{lesson.title:46}{lesson.minutes:>8}  {needs:16}{marks}")
        unfinished += [] if all(done) else [lesson.number]
    if not unfinished:
        return "\n".join([*lines, "", "every exercise is right"])
    word = "next" if any(status == "right" for status in known.values()) else "first"
    return "\n".join([*lines, "", f"{word}: minitorch-seg learn {unfinished[0]}"])


def _open(lesson: object, folder: Path, terminal: bool) -> None:
    from minitorch_seg.learn import catalogue

    assert isinstance(lesson, catalogue.Lesson)
    if importlib.util.find_spec("marimo") is None:
        raise UserError('the lessons are marimo notebooks: pip install "minitorch_seg[tutorials]"')
    path, new = catalogue.copy_lesson(lesson, folder)
    click.echo(f"{path}: {'copied' if new else 'your work, as you left it'}")
    if terminal:
        click.echo(f"edit it, then: python {path}")
        return
    click.echo(f"opening it (Ctrl-C ends); in a terminal alone: python {path}")
    words = [sys.executable, "-m", "marimo", "edit", "--watch", path.name]
    raise SystemExit(subprocess.run(words, cwd=path.parent).returncode)
