"""Every lesson: the order of its sections, the length of its cells, and that it runs as a script."""

import ast
import os
import re
import subprocess
import sys

import pytest

from minitorch_seg.learn import catalogue, exercises

LESSONS = catalogue.lessons()
EACH = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.path.stem)
#: Lessons that derive an operator have these sections, in this order.
SECTIONS = [
    "Why",
    "By hand",
    "Formula",
    "Derivation",
    "Code",
    "Picture",
    "Gradient check",
    "Exercises",
    "Cost",
]
SECTIONS += ["Go further"]
#: The others keep the spirit: they begin with Why, and end with Exercises and Go further.
FREE = {"00"}
MARKDOWN = re.compile(r'mo\.md\(r?"""(.*?)"""\)', re.DOTALL)


def text(lesson):
    return lesson.path.read_text(encoding="utf-8")


def cells(lesson):
    """(is it code, lines) of each cell."""
    for node in ast.parse(text(lesson)).body:
        if isinstance(node, ast.FunctionDef):
            body = "\n".join(text(lesson).splitlines()[node.lineno : node.end_lineno])
            yield "mo.md(r" not in body, len([line for line in body.splitlines() if line.strip() != "return"])


@EACH
def test_the_sections_stand_in_their_order(lesson):
    prose = "\n".join(MARKDOWN.findall(text(lesson)))
    headings = re.findall(r"^ *## (.+)$", prose, re.MULTILINE)
    if lesson.number in FREE:
        assert headings[0] == "Why" and headings[-2:] == ["Exercises", "Go further"]
    else:
        assert headings == SECTIONS
    assert len(re.findall(r"^ *# .+$", prose, re.MULTILINE)) == 1, "one title"


@EACH
def test_a_cell_of_code_can_be_taken_in_at_a_glance(lesson):
    assert max(length for is_code, length in cells(lesson) if is_code) <= 25


@EACH
def test_the_teaching_devices_are_there(lesson):
    source = text(lesson)
    assert "You will be able to" in source and "You need" in source
    assert "learn.prediction(" in source, "a prediction before a result"
    assert "he surprise" in source, "a surprise"
    assert re.search(r"[Hh]unt", source) and any(e.planted for e in exercises(lesson.number)), "a planted bug"
    if lesson.number != "00":
        assert re.search(r"<details><summary>From lesson \d\d", source), "a question that recalls a lesson"


#: Lesson -> the documented formula or program, as it stands in the text from which the project grew.
DOCUMENTED = {
    "02": r"y(x, y) = \sum_{i=0}^{m-1} \sum_{j=0}^{n-1} x(i, j) \cdot w(i, j) \cdot h(x - i,\; y - j)",
    "04": r"y(x, y) = \max_{(i, j) \in N(x, y)} x(i, j)",
    "07": "Flatten(), Dense(1024, activation='relu'), Dense(1),",
    "09": r"h_t = f(W_{hh}\, h_{t-1} + W_{xh}\, x_t + b_h)",
    "11": r"\min_Q \sum_{x, y} \lVert x - Q(y) \rVert^2",
}
#: Lesson -> where it meets a misconception head on.
MISCONCEPTIONS = [
    ("02", "every framework calls convolution is the cross-correlation"),  # frameworks flip kernels
    ("02", "Is padding harmless?"),
    ("04", "Does pooling make a network invariant to shifts"),
    ("04", "Ties do not share"),
    ("05", "need not rank alike"),  # mean Dice and mean IoU
    ("05", "Some classes do not occur in every image; what is their score?"),  # an absent class scores 0
    ("08", "Does a transposed convolution undo a convolution?"),
    ("09", "is the *last step* enough?"),
    ("09", "Does **clipping** help against vanishing?"),
    ("11", "A low reconstruction error does not mean a good segmentation"),
]


@EACH
def test_formulas_stand_as_documented_and_misconceptions_are_met(lesson):
    words = " ".join(" ".join(MARKDOWN.findall(text(lesson))).replace("\n", " ").split())
    assert DOCUMENTED.get(lesson.number, "") in words
    for number, sentence in MISCONCEPTIONS:
        assert number != lesson.number or sentence in words


@EACH
def test_its_exercises_are_those_of_the_table(lesson):
    named = re.findall(r'learn\.check\("([\w.]+)", (\w+)\)', text(lesson))
    assert [name for name, _ in named] == [e.name for e in exercises(lesson.number)]
    assert all(name.endswith("." + function) for name, function in named)
    assert 2 <= len(named) <= 4
    answers = re.findall(r'learn\.answer\("([\w.]+)"\)', text(lesson))
    assert answers == [name for name, _ in named], "each has its hidden answer, right after it"


@EACH
def test_what_it_needs_are_earlier_lessons(lesson):
    assert all(number < lesson.number for number in lesson.needs)
    assert 30 <= lesson.minutes <= 60 or lesson.number == "00"


@EACH
def test_figures_have_a_text_and_no_outside_address(lesson):
    source = text(lesson)
    for call in re.findall(r"learn\.picture\(\s*\w+,\s*(\"[^\"]*)", source):
        assert len(call) > 20
    assert not re.search(r"!\[|<img|https?://(?!creativecommons)", "\n".join(MARKDOWN.findall(source)))


@pytest.mark.parametrize(
    "lesson",
    [
        pytest.param(lesson, marks=[pytest.mark.slow] * (lesson.number not in ("00", "02")))
        for lesson in LESSONS
    ],
    ids=lambda lesson: lesson.path.stem,
)
def test_it_runs_as_a_script(lesson, tmp_path):
    pytest.importorskip("marimo", reason="the lessons are marimo notebooks, and marimo is not installed")
    before = os.times()
    done = subprocess.run(
        [sys.executable, lesson.path],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    for each in exercises(lesson.number):
        words = "NOT RIGHT YET" if each.planted else "NOT YET DONE"
        assert f"{each.name}  {words}" in done.stdout
    assert list(tmp_path.iterdir()) == [], "a lesson leaves nothing behind"
    after = os.times()
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    if "compiling kernels" not in done.stderr:
        assert seconds <= 20, f"{seconds:.0f} s of processor time: too slow to be read along"


def test_marimo_finds_nothing_to_complain_about():
    pytest.importorskip("marimo", reason="the lessons are marimo notebooks, and marimo is not installed")
    words = [sys.executable, "-m", "marimo", "check", "--strict", *(lesson.path for lesson in LESSONS)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_numbers_are_the_course():
    numbers = [lesson.number for lesson in LESSONS]
    assert numbers == sorted(set(numbers)) and "02" in numbers


@pytest.mark.slow
@EACH
def test_a_finished_lesson_is_right_throughout(lesson, tmp_path):
    """The student's way to the end: each stub replaced by its hidden answer, trainings with it as well."""
    pytest.importorskip("marimo", reason="the lessons are marimo notebooks, and marimo is not installed")
    source = text(lesson)
    nodes = {n.name: n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)}
    lines = source.splitlines()
    for each in sorted(exercises(lesson.number), key=lambda e: -nodes[e.function].lineno):
        node = nodes[each.function]
        lines[node.lineno - 1 : node.end_lineno] = each.source().splitlines()
    path = tmp_path / lesson.path.name
    path.write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "progress.json").write_text("{}")
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    for each in exercises(lesson.number):
        assert f"{each.name}  RIGHT" in done.stdout
    assert set(catalogue.progress.read(tmp_path).values()) == {"right"}


def test_the_teachers_table_is_that_of_the_lessons():
    notes = (catalogue.FOLDER / "TEACHING.md").read_text(encoding="utf-8")
    for lesson in LESSONS:
        needs = ", ".join(lesson.needs) or "–"
        assert f"| {lesson.number} | {lesson.title} | {lesson.minutes} | {needs} |" in notes
        assert f"\n## {lesson.number}, {lesson.title[0].lower()}{lesson.title[1:]}\n" in notes
