"""Lists, copies, exports and grades, as students and teachers use them."""

import json
import re
import subprocess

import pytest
from click.testing import CliRunner

from minitorch_seg.cli import main
from minitorch_seg.errors import UserError
from minitorch_seg.learn import catalogue, exercises, grading, progress

GOOD = "import numpy as np\n\n" + "\n\n".join(e.source() for e in exercises("02"))


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def write(folder, text, name="lesson_02_convolution.py"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


# -- learn -------------------------------------------------------------------------------------------------


def test_the_list_shows_each_lesson_and_progress(tmp_path):
    (tmp_path / "progress.json").write_text('{"02.conv2d": "right", "02.same_size": "wrong"}')
    table = run("learn", "--folder", tmp_path).output
    for lesson in catalogue.lessons():
        assert f"{lesson.number}  {lesson.title}" in table
    assert re.search(r"^02 .*\.\.\*\. 1 of 4$", table, re.MULTILINE)
    assert re.search(r"^08 .* 07 +\.\.\.\. 0 of 4$", table, re.MULTILINE), "its needs have room"
    assert table.endswith("next: minitorch-seg learn 00\n")
    assert run("learn", "--folder", tmp_path / "none").output.endswith("first: minitorch-seg learn 00\n")
    everything = {e.name: "right" for lesson in catalogue.lessons() for e in exercises(lesson.number)}
    (tmp_path / "progress.json").write_text(json.dumps(everything))
    assert run("learn", "--folder", tmp_path).output.endswith("every exercise is right\n")


def test_a_copy_is_never_overwritten(tmp_path):
    lesson = catalogue.find("2")
    path, new = catalogue.copy_lesson(lesson, tmp_path / "mine")
    assert new and path.read_bytes() == lesson.path.read_bytes()
    assert "auto_instantiate = true" in (path.parent / "pyproject.toml").read_text()
    assert progress.read(path.parent) == {}
    path.write_text("# my work")
    (path.parent / "progress.json").write_text('{"02.conv2d": "right"}')
    (path.parent / "pyproject.toml").write_text("# my settings")
    assert catalogue.copy_lesson(lesson, path.parent) == (path, False)
    assert path.read_text() == "# my work" and (path.parent / "pyproject.toml").read_text() == "# my settings"
    assert progress.read(path.parent) == {"02.conv2d": "right"}


def test_learn_copies_and_says_how_to_go_on_in_a_terminal(tmp_path):
    pytest.importorskip("marimo", reason="the lessons are marimo notebooks, and marimo is not installed")
    result = run("learn", "02", "--terminal", "--folder", tmp_path)
    assert result.exit_code == 0 and f"python {tmp_path}" in result.output
    assert "your work" in run("learn", "02", "--terminal", "--folder", tmp_path).output


def test_learn_starts_marimo_beside_its_settings(tmp_path, monkeypatch):
    pytest.importorskip("marimo", reason="the lessons are marimo notebooks, and marimo is not installed")
    started = []

    def start(words, cwd):
        started.append((words[1:], cwd))
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr("minitorch_seg.cli.learn.subprocess.run", start)
    assert run("learn", "02", "--folder", tmp_path).exit_code == 0
    assert started == [(["-m", "marimo", "edit", "--watch", "lesson_02_convolution.py"], tmp_path)]
    assert 'watcher_on_save = "autorun"' in (tmp_path / "pyproject.toml").read_text()


def test_an_unknown_lesson_and_a_missing_marimo_are_said(tmp_path, monkeypatch):
    assert "there is no lesson '77'; there are" in run("learn", "77").output
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = run("learn", "02", "--folder", tmp_path / "none")
    assert result.exit_code == 2 and "minitorch_seg[tutorials]" in result.output
    assert not (tmp_path / "none").exists()


def test_an_export_has_no_answers_and_is_still_a_lesson(tmp_path):
    result = run("learn", "--export", tmp_path / "class")
    assert result.exit_code == 0 and "TEACHING.md" in result.output
    assert "Creative Commons" in (tmp_path / "class" / "README.md").read_text(encoding="utf-8")
    for lesson in catalogue.lessons():
        text = (tmp_path / "class" / lesson.path.name).read_text(encoding="utf-8")
        compile(text, lesson.path.name, "exec")
        assert "learn.answer" not in text and text.count("learn.check") == len(exercises(lesson.number))
        assert text.count("def ") < lesson.path.read_text(encoding="utf-8").count("def ")
    assert "not empty" in run("learn", "--export", tmp_path / "class").output


def test_progress_is_written_where_the_file_is_and_nowhere_else(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "_lesson_folder", lambda: tmp_path)
    progress.note("02.conv2d", "right")
    assert list(tmp_path.iterdir()) == []
    progress.start(tmp_path)
    progress.note("02.conv2d", "right")
    progress.note("02.conv2d", "wrong")
    assert progress.read(tmp_path) == {"02.conv2d": "wrong"}
    (tmp_path / "progress.json").write_text("broken")
    assert progress.read(tmp_path) == {}


# -- grade -------------------------------------------------------------------------------------------------


@pytest.fixture
def two_exercises(monkeypatch):
    """Each exercise is graded in a new process, so two have to do."""
    monkeypatch.setattr(grading, "exercises", lambda lesson: exercises(lesson)[1:3])


def test_a_class_gets_a_table_and_gradescopes_file(tmp_path, two_exercises):
    write(tmp_path / "ada", GOOD)
    write(
        tmp_path / "ben",
        GOOD.replace("flipped = h[::-1, ::-1]", "flipped = h").replace("def conv2d", "def mine"),
    )
    table = run("grade", tmp_path)
    assert table.exit_code == 0, table.output
    assert "ada: 2 of 2 exercises are right" in table.output
    assert "ben: 0 of 2 exercises are right" in table.output
    assert re.search(r"ben +02\.convolve2d +wrong +not flipped", table.output)
    assert re.search(r"ben +02\.conv2d +wrong +missing", table.output)
    refused = run("grade", tmp_path, "--gradescope", tmp_path / "results.json")
    assert refused.exit_code == 2 and "one student at a time" in refused.output
    assert not (tmp_path / "results.json").exists()
    assert run("grade", tmp_path / "ada", "--gradescope", tmp_path / "results.json").exit_code == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["score"] == 2 and [t["name"] for t in results["tests"]] == ["02.convolve2d", "02.conv2d"]
    failed = grading.gradescope([grading.Grade("", "02.conv2d", "wrong", "flipped", "flipped")])["tests"]
    assert [t["status"] for t in results["tests"] + failed] == ["passed", "passed", "failed"]
    assert all(t["max_score"] == 1 and t["output"] for t in results["tests"])


def test_one_student_as_json(tmp_path, two_exercises):
    write(tmp_path, GOOD.replace("return y", "print('noise'); return y"))
    found = json.loads(run("grade", tmp_path, "--json").output)
    assert [(g["student"], g["exercise"], g["status"]) for g in found] == [
        ("", "02.convolve2d", "right"),
        ("", "02.conv2d", "right"),
    ]


FAULTS = {
    "time": "def conv2d(x, w, b, s, p):\n    while True:\n        pass",
    "asleep": "import time\ndef conv2d(x, w, b, s, p):\n    time.sleep(1000)",
    "ended early": "import os\ndef conv2d(x, w, b, s, p):\n    os._exit(0)",
    "raises": "import numpy as np\ndef conv2d(x, w, b, s, p):\n    return np.ones(2**34)",
    "loads not": "def conv2d(x, w, b, s, p)\n    return x",
    "missing": "conv3d = None",
}


@pytest.mark.parametrize("diagnosis", FAULTS)
def test_loops_memory_exits_and_broken_files(diagnosis, tmp_path, monkeypatch):
    write(tmp_path, FAULTS[diagnosis])
    monkeypatch.setattr(grading, "PATIENCE", 6 if diagnosis != "asleep" else 3)
    seconds = 2 if diagnosis in ("time", "asleep") else 60
    diagnosis = "time" if diagnosis == "asleep" else diagnosis
    verdict = grading.grade_one(tmp_path / "lesson_02_convolution.py", "02.conv2d", seconds, 2048)
    assert (verdict.status, verdict.diagnosis) == ("wrong", diagnosis), verdict.message


def test_a_lesson_as_it_comes_is_still_to_be_done(tmp_path):
    pytest.importorskip("marimo", reason="the lessons are marimo notebooks, and marimo is not installed")
    path, _ = catalogue.copy_lesson(catalogue.find("02"), tmp_path)
    assert grading.grade_one(path, "02.conv2d", 60, 4096).status == "todo"


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="holds no lesson"):
        grading.students(tmp_path)
    assert "is no folder" in run("grade", tmp_path / "none").output


def test_an_answer_may_use_that_of_an_earlier_lesson_beside_it(tmp_path):
    write(tmp_path, GOOD)
    (answer,) = (e.source() for e in exercises("08") if e.function == "receptive_field")
    write(tmp_path, f"from lesson_02_convolution import conv2d\n\n{answer}", "lesson_08_unet.py")
    verdict = grading.grade_one(tmp_path / "lesson_08_unet.py", "08.receptive_field", 60, 4096)
    assert verdict.status == "right", verdict.message
