"""`minitorch-seg grade DIR`: the verdict on every exercise of a student or a class, a table or JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from minitorch_seg.errors import UserError

#: Of these the table shows the message's first line, which says more than the name does.
BETTER_SAID = ("raises", "time", "ended early", "loads not")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of the table.")
@click.option("--gradescope", "results", type=click.Path(path_type=Path), help="Write a results.json here.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    help="Of processor time, for an exercise.",
)
@click.option("--megabytes", type=click.IntRange(min=512), default=2048, help="For an exercise.")
def command(folder: Path, as_json: bool, results: Path | None, seconds: float, megabytes: int) -> None:
    """Judge the lessons in DIR (my_lessons), or in each folder of DIR (a class), with limits.

    Each exercise runs in a process of its own.  This is no sandbox: grade the work of strangers in a
    container.  `minitorch-seg learn --export` says where the notes for teachers are.
    """
    from minitorch_seg.learn.grading import Grade, grade_folder, gradescope, students

    found = students(folder)
    if results is not None and len(found) > 1:
        raise UserError(
            f"Gradescope asks for one student at a time, and {folder} holds {len(found)}: "
            f"name the folder of one of them, such as {folder / next(iter(found))}"
        )
    width = max(map(len, found))

    def show(g: Grade) -> None:
        first = "" if g.status == "right" else g.message.splitlines()[0]
        note = first if g.diagnosis in BETTER_SAID else g.diagnosis or first
        click.echo(f"{g.student:{width}}{'  ' if width else ''}{g.exercise:26}{g.status:7}{note}")

    grades = grade_folder(folder, seconds, megabytes, None if as_json else show)
    if results is not None:
        results.write_text(json.dumps(gradescope(grades), indent=1) + "\n", encoding="utf-8")
    if as_json:
        click.echo(json.dumps([asdict(g) for g in grades], indent=1))
        return
    for student in dict.fromkeys(g.student for g in grades):
        own = [g for g in grades if g.student == student]
        name = f"{student}: " if student else ""
        click.echo(f"{name}{sum(g.points for g in own)} of {len(own)} exercises are right")
