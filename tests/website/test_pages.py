"""What the site's builder makes of a lesson, a translation and an operator; what is committed for it."""

import doctest
import json
import re
import subprocess
from pathlib import Path

import pytest

from minitorch_seg.cli import show
from minitorch_seg.learn import catalogue
from website import build, course, lessons, make_image, operators

ROOT = Path(build.__file__).parents[1]


def cell(name, source, shown=None, kind="code", **metadata):
    outputs = [] if shown is None else [{"output_type": "display_data", "data": shown, "metadata": {"w": 1}}]
    made = {"cell_type": kind, "id": name, "metadata": metadata, "source": source}
    return made | ({} if kind == "markdown" else {"outputs": outputs})


def notebook():
    """A lesson as marimo exports it, with each thing that a page shows in another way."""
    hidden = {"config": {"hide_code": True}}
    return {
        "cells": [
            cell("s", "import numpy", marimo={"name": "setup"}),
            cell("a", "# Title\n\n## Why\n\nwords", kind="markdown"),
            cell("b", "slider", {"text/html": "<div><marimo-slider></marimo-slider></div>"}),
            cell("b2", "t", {"text/markdown": "&lt;marimo-slider data-start=&#x27;40&#x27;&gt;"}),
            cell("c", "check", {"text/html": '<div class="verdict todo">NOT YET DONE</div>'}, tags=["x"]),
            cell("d", "mo.md(answer)", {"text/markdown": "<details>hidden</details>"}, marimo=hidden),
            cell(
                "e", "## Picture\n\nsee `minitorch-seg show relu`, `minitorch-seg show none`", kind="markdown"
            ),
            cell("f", "draw()", {"text/html": '<img src="data:" alt="a figure">'}, marimo=hidden),
            cell("f2", "guess_a = ...  # your guess"),
            cell("f3", "learn.prediction(guess_a, 4)", {"text/html": "THE ANSWER: 4"}, marimo=hidden),
            cell("f4", "mo.stop(guess_a is None)", {"text/markdown": "| 4 |"}, marimo=hidden),
            cell("g", "## Gradient check", kind="markdown"),
        ]
    }


def link(name):
    return {"relu": "../operators/relu.md"}.get(name)


def made(**options):
    return lessons.page(notebook(), "02", "*fifty minutes*", link, **options)["cells"]


def test_the_title_comes_first_and_the_imports_after_it():
    cells = made()
    assert cells[0]["source"].startswith("# Title\n\n*fifty minutes*\n") and "## Why" in cells[0]["source"]
    assert cells[1]["source"] == "import numpy" and cells[1]["metadata"]["tags"] == ["hide-input"]


def test_sliders_become_a_sentence_and_verdicts_stay():
    by_name = {c["id"]: c for c in made()}
    assert by_name["b2"]["outputs"] == by_name["b"]["outputs"]
    (slider,) = by_name["b"]["outputs"]
    assert (
        "marimo" not in slider["data"]["text/html"]
        and "minitorch-seg learn 02" in slider["data"]["text/html"]
    )
    (verdict,) = by_name["c"]["outputs"]
    assert "NOT YET DONE" in verdict["data"]["text/html"] and verdict["metadata"] == {}
    assert by_name["c"]["metadata"]["tags"] == [], "code that a reader shall see stays open"
    assert by_name["d"]["cell_type"] == "markdown" and by_name["d"]["source"] == "<details>hidden</details>"
    assert by_name["f"]["metadata"]["tags"] == ["hide-input"]
    assert 'alt="a figure"' in by_name["f"]["outputs"][0]["data"]["text/html"]


def test_what_waits_for_a_guess_is_there_and_folded_away():
    guess, answer, table = [c for c in made() if c["id"] in ("f2", "f3", "f4")]
    assert guess["source"] == "guess_a = None  # your guess" and guess["metadata"]["tags"] == []
    for cell in (answer, table):
        assert cell["metadata"]["tags"] == ["hide-cell"] and cell["outputs"]
        assert cell["metadata"]["mystnb"]["code_prompt_show"].startswith("You have a guess? Show ")


def test_a_lesson_is_run_for_its_page_with_every_guess_made():
    for lesson in catalogue.lessons():
        text = lesson.path.read_text(encoding="utf-8")
        guesses = set(re.findall(r"learn\.prediction\(\s*(\w+)", text))
        filled = lessons.GUESS.sub(r"\1...", text)
        assert guesses and all(f" {name} = ...  # your guess" in filled for name in guesses), lesson.number
        assert lessons.UNMADE.sub(r"\1None", filled) == text


def test_no_page_hands_on_the_registered_sets():
    source = "mo.md(learn.registered_sets())"
    drawn = {"output_type": "display_data", "data": {"text/markdown": "<img src=x>"}, "metadata": {}}
    cell = {"cell_type": "code", "id": "x", "metadata": {}, "source": source, "outputs": [drawn]}
    page = lessons.page({"cells": [*notebook()["cells"], cell]}, "00", "", link)
    (kept,) = (c for c in page["cells"] if c["id"] == "x")
    assert kept["cell_type"] == "markdown" and "<img" not in kept["source"]


def test_commands_lead_to_operators_that_exist():
    source = next(c["source"] for c in made() if c["id"] == "e")
    assert "[`minitorch-seg show relu`](../operators/relu.md)" in source
    assert "`minitorch-seg show none`" in source and "[`minitorch-seg show none`" not in source


def test_an_explorer_stands_at_the_end_of_the_picture(monkeypatch):
    monkeypatch.setattr(course, "explorers", lambda number: ["conv-explorer"])
    names = [c["id"] for c in made()]
    assert names[-3:] == ["f4", "explorers", "g"]
    assert [c["id"] for c in made(words=WORDS)][-3:] == ["f4", "explorers", "g"], "in a translation as well"
    assert made()[-2]["source"] == "<conv-explorer></conv-explorer>"
    assert made(words=WORDS)[-2]["source"] == '<conv-explorer lang="en"></conv-explorer>'
    monkeypatch.setattr(course, "explorers", lambda number: [])
    assert "explorers" not in [c["id"] for c in made()]


WORDS = "<!-- cell 0 -->\n# 卷积\n\n<!-- cell 1 -->\n## 图\n\n<!-- cell 2 -->\n## 梯度检查\n"


def test_a_translation_replaces_prose_and_nothing_else():
    own, translated = made(), made(words=WORDS)
    assert translated[0]["source"].startswith("# 卷积\n\n*fifty minutes*")
    assert [c["source"] for c in translated if c["id"] in "eg"] == ["## 图", "## 梯度检查"]
    rest = [(c["source"], c.get("outputs")) for c in own if c["id"] not in ("a", "e", "g", "explorers")]
    assert rest == [
        (c["source"], c.get("outputs")) for c in translated if c["id"] not in ("a", "e", "g", "explorers")
    ]


@pytest.mark.parametrize("words", [WORDS.replace("cell 2", "cell 3"), WORDS.partition("<!-- cell 2")[0]])
def test_a_translation_with_a_block_too_few_is_refused(words):
    with pytest.raises(ValueError, match="blocks 0 to 2"):
        made(words=words)


def test_results_are_kept_until_a_lesson_changes(tmp_path, monkeypatch):
    calls = []

    def export(lesson, options):
        calls.append(options)
        return {"cells": [len(calls)]}

    monkeypatch.setattr(lessons, "_export", export)
    monkeypatch.setattr(lessons.importlib.metadata, "version", lambda name: "1")
    path = tmp_path / "lesson_02_convolution.py"
    path.write_text("a = 1")
    lesson = catalogue.Lesson("02", "Convolution", 50, ("00",), path)
    kept = tmp_path / "kept"
    assert lessons.run(lesson, kept, execute=False) == {"cells": [1]} and calls == [()]
    assert lessons.run(lesson, kept) == lessons.run(lesson, kept) == {"cells": [2]}
    path.write_text("a = 2")
    assert lessons.run(lesson, kept, execute=False) == {"cells": [2]}, "the old results will do"
    assert lessons.run(lesson, kept) == {"cells": [3]} and len(list(kept.iterdir())) == 1


def test_a_lesson_that_fails_makes_no_page(tmp_path):
    pytest.importorskip("marimo", reason="the lessons are marimo notebooks, and marimo is not installed")
    pytest.importorskip("nbformat", reason="marimo writes notebooks with nbformat, which is not installed")
    path = tmp_path / "lesson_99_broken.py"
    path.write_text(
        "import marimo\napp = marimo.App()\n\n@app.cell\ndef _():\n    1 / 0\n    return\n", encoding="utf-8"
    )
    with pytest.raises(RuntimeError, match="lesson 99 does not run"):
        lessons.run(catalogue.Lesson("99", "Broken", 30, (), path), tmp_path / "kept")


def test_an_operators_page_has_all_that_show_prints():
    name = "max_pool2d"
    page = operators.page(name, show.operators()[name], build.addresses())
    for line in show.page(name, show.operators()[name]).splitlines():
        if line.strip() and not line.startswith("── "):
            assert line.strip() in page.replace("\\", ""), line
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert headings[:3] == ["Formula", "The function", "Forward and backward"]
    assert {"Kernel: reference/max_pool2d.py", "Kernel: cpu/max_pool2d.py", "Tests"} <= {*headings}
    assert "[lesson 04, Max pooling](../lessons/lesson_04_max_pooling.ipynb)" in page


@pytest.mark.parametrize("module", [lessons, operators], ids=lambda module: module.__name__)
def test_the_examples_in_docstrings(module):
    failed, tried = doctest.testmod(module)
    assert tried and not failed


def test_every_operator_stands_in_a_family():
    named = [name for names in operators.families().values() for name in names]
    assert sorted(named) == sorted(show.operators()), "each once"
    assert "[interpolate](interpolate.md): Resize maps (N, C, H, W) to `size`, or by `scale_factor`" in (
        operators.index()
    )


def test_the_table_of_the_course_names_what_exists():
    assert {name for names in course.OPERATORS.values() for name in names} <= set(show.operators())
    for lesson in catalogue.lessons():
        shown = re.findall(r"`minitorch-seg show (\w+)`", lesson.path.read_text(encoding="utf-8"))
        assert set(shown) <= set(course.OPERATORS.get(lesson.number, [])), "its page links to what it shows"


def test_the_front_page_lists_every_lesson_with_its_time():
    page = build.filled((ROOT / "website" / "pages" / "index.md").read_text(encoding="utf-8"))
    for lesson in catalogue.lessons():
        assert f">{lesson.number} {lesson.title}</a></strong><p>{lesson.minutes} minutes" in page
    assert "{{" not in page


def test_the_lock_file_has_no_addresses():
    text = (ROOT / "website" / "package-lock.json").read_text(encoding="utf-8")
    assert "http" not in text and "resolved" not in text
    wanted = json.loads((ROOT / "website" / "package.json").read_text(encoding="utf-8"))
    locked = json.loads(text)["packages"]
    for name, version in (wanted["dependencies"] | wanted["devDependencies"]).items():
        assert (
            locked[f"node_modules/{name}"]["version"] == version
            and locked[f"node_modules/{name}"]["integrity"]
        )


def test_what_a_build_writes_is_no_source():
    """Else a first build would look like one of other sources, and its pages would go untested."""
    done = subprocess.run(
        ["git", "ls-files", "--others", "--ignored", "--exclude-standard", "website"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        pytest.skip("no git repository here: what is ignored cannot be listed")
    written = [*done.stdout.splitlines(), f"website/{make_image.PATH.relative_to(build.HERE).as_posix()}"]
    assert [name for name in written if not build.OUTPUTS & set(name.split("/"))] == []


def test_nothing_of_others_is_committed():
    done = subprocess.run(["git", "ls-files", "website"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("no git repository here: what is committed cannot be listed")
    kinds = {".py", ".md", ".js", ".css", ".json", ".npmrc"}
    for name in done.stdout.split():
        path = ROOT / name
        assert path.suffix in kinds or path.name in kinds, name
        assert not {"html", "_work", "node_modules", "jupyter_execute"} & set(path.parts), name
        if path.suffix in (".js", ".css") and path.exists():
            text = path.read_text(encoding="utf-8")
            assert len(text) < 40_000 and max(map(len, text.splitlines())) < 400, f"{name} is minified"
            assert not re.search(r"@license|Copyright", text), f"{name} is someone else's"
