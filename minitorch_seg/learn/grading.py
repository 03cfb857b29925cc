"""Grading: every exercise of a folder of lessons, each in a process of its own, within limits.

`python -m minitorch_seg.learn.grading FILE EXERCISE REPORT MEGABYTES SECONDS` is such a process: it loads the
student's file (functions only, the notebook does not run), judges one exercise and writes the verdict as JSON
to REPORT.  What the student's code prints goes nowhere.  The limits guard against endless loops and runaway
memory; they are no sandbox: grade the work of strangers in a container.

The seconds are of processor time, so that a busy machine makes no right answer wrong.  Who sleeps uses none:
on the clock there are PATIENCE times as many.
"""

from __future__ import annotations

import importlib.util
import json
import math
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minitorch_seg.errors import UserError
from minitorch_seg.learn.exercises import exercise, exercises
from minitorch_seg.learn.judge import judge
from minitorch_seg.learn.verdict import Verdict

__all__ = ["Grade", "grade_folder", "gradescope", "students"]


#: Seconds on the clock for each of processor time.
PATIENCE = 6


@dataclass(frozen=True)
class Grade:
    """The verdict on one exercise of one student ("" where the folder is that of a single one)."""

    student: str
    exercise: str
    status: str
    message: str
    diagnosis: str = ""

    @property
    def points(self) -> int:
        return int(self.status == "right")


def students(folder: Path) -> dict[str, list[Path]]:
    """Student -> lesson files.  A folder with lessons is one student's, one of such folders a class."""
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder")
    own = _lesson_files(folder)
    found = {"": own} if own else {d.name: f for d in sorted(folder.iterdir()) if (f := _lesson_files(d))}
    if not found:
        raise UserError(f"{folder} holds no lesson_NN_name.py, nor does a folder in it")
    return found


def _lesson_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("lesson_[0-9][0-9]_*.py")) if folder.is_dir() else []


def grade_folder(
    folder: Path,
    seconds: float = 20.0,
    megabytes: int = 2048,
    tell: Callable[[Grade], None] | None = None,
) -> list[Grade]:
    """Every exercise of every lesson file found, student by student; `tell` hears of each at once."""
    grades = []
    for student, files in students(folder).items():
        for path in files:
            found = re.match(r"lesson_(\d\d)", path.name)
            for each in exercises(found[1] if found else ""):
                verdict = grade_one(path, each.name, seconds, megabytes)
                grades.append(Grade(student, each.name, verdict.status, verdict.message, verdict.diagnosis))
                if tell is not None:
                    tell(grades[-1])
    return grades


def grade_one(path: Path, name: str, seconds: float, megabytes: int) -> Verdict:
    """One exercise in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "verdict.json"
        words = [sys.executable, "-m", "minitorch_seg.learn.grading", path.resolve(), name, report, megabytes]
        late = Verdict(
            "wrong", f"not finished after {seconds:g} s: a loop that does not end, or far too slow", "time"
        )
        try:
            done = subprocess.run(
                [str(word) for word in [*words, math.ceil(seconds)]],
                cwd=folder,  # what the code writes is gone with it
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=PATIENCE * seconds,
                text=True,
                errors="replace",
            )
        except subprocess.TimeoutExpired:
            return late
        if hasattr(signal, "SIGXCPU") and done.returncode == -signal.SIGXCPU:
            return late
        try:
            return Verdict(**json.loads(report.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            return Verdict("wrong", f"the program ended before there was a verdict: {last}", "ended early")


def gradescope(grades: Sequence[Grade]) -> dict[str, Any]:
    """The contents of Gradescope's results.json: a point for each exercise that is right."""
    return {
        "score": sum(g.points for g in grades),
        "tests": [
            {
                "name": g.exercise,
                "score": g.points,
                "max_score": 1,
                "status": "passed" if g.points else "failed",
                "output": g.message,
            }
            for g in grades
        ],
    }


def load_function(path: Path, name: str) -> Any:
    """The function `name` of a student's lesson; the notebook's cells are not run."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return getattr(module, name, None)


def verdict_of(path: Path, name: str) -> Verdict:
    """Load and judge, in this process."""
    each = exercise(name)
    try:
        function = load_function(path, each.function)
    except (Exception, SystemExit) as error:
        return Verdict("wrong", f"{path.name} cannot be loaded: {type(error).__name__}: {error}", "loads not")
    if function is None:
        return Verdict("wrong", f"{path.name} has no function {each.function}: was it renamed?", "missing")
    return judge(function, each)


def _limit(megabytes: int, seconds: int) -> None:
    """Let a larger allocation fail with a MemoryError, and a longer work end; nothing of it on Windows."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20, megabytes * 2**20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 2))


if __name__ == "__main__":
    _limit(int(sys.argv[4]), int(sys.argv[5]))
    sys.path.append(str(Path(sys.argv[1]).parent))  # a lesson may use answers to earlier ones beside it
    Path(sys.argv[3]).write_text(
        json.dumps(asdict(verdict_of(Path(sys.argv[1]), sys.argv[2]))), encoding="utf-8"
    )
