"""Lessons as pages: marimo runs a lesson once; what it showed is kept until its text or the package changes.

`marimo export ipynb` gives a notebook; `page` makes of it what Sphinx can show without marimo: the title
first, cells of code that only draw folded away, sliders replaced by a sentence, hidden answers as they are.
Nobody can write a guess into a page, so what waits for one in the lesson is run and folded away.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from minitorch_seg.learn.catalogue import Lesson
from website import course

Notebook = dict[str, Any]
Cell = dict[str, Any]

PACKAGE = Path(__file__).parents[1] / "minitorch_seg"
#: What a lesson's results do not depend on.
ELSEWHERE = {"lessons", "cli", "bench"}
#: An element that marimo makes when it runs: a slider in HTML, or escaped in Markdown.
LIVE = re.compile("(<|&lt;)marimo-")
#: Where a lesson asks for a guess.  For a page it is `...`, made in the head, and everything is shown.
GUESS = re.compile(r"^( *guess_\w+ = )None\b", re.MULTILINE)
#: The same for a reader, as the lesson has it.
UNMADE = re.compile(r"^( *guess_\w+ = )\.\.\.", re.MULTILINE)
#: A page without sliders says where they are.
SLIDERS = (
    '<p class="live">In the live lesson, <code>minitorch-seg learn {number}</code>, controls are here.</p>'
)
#: Images of the registered sets are drawn live, and handed on by no page.
REGISTERED = "*In the live lesson, `minitorch-seg learn {number}`, they are here.*"


def digest(lesson: Lesson) -> str:
    """A number that changes when the lesson, the package or marimo does."""
    seen = hashlib.sha256(importlib.metadata.version("marimo").encode())
    for path in [lesson.path, *sorted(PACKAGE.rglob("*.py"))]:
        if path == lesson.path or not ELSEWHERE & set(path.relative_to(PACKAGE).parts):
            seen.update(path.read_bytes())
    return seen.hexdigest()[:16]


def run(lesson: Lesson, kept: Path, execute: bool = True) -> Notebook:
    """The notebook of a lesson with its results, from the folder `kept` where nothing has changed.

    execute=False takes what is there, be it old, and else a notebook without results.
    """
    kept.mkdir(parents=True, exist_ok=True)
    target = kept / f"{lesson.path.stem}-{digest(lesson)}.ipynb"
    old = sorted(kept.glob(f"{lesson.path.stem}-*.ipynb"))
    if target in old:
        return json.loads(target.read_text(encoding="utf-8"))
    if not execute:
        return json.loads(old[0].read_text(encoding="utf-8")) if old else _export(lesson, ())
    notebook = _export(lesson, ("--include-outputs",))
    for path in old:
        path.unlink()
    target.write_text(json.dumps(notebook), encoding="utf-8")
    return notebook


def _export(lesson: Lesson, options: tuple[str, ...]) -> Notebook:
    with tempfile.TemporaryDirectory() as folder:
        out, guessed = Path(folder) / "lesson.ipynb", Path(folder) / lesson.path.name
        guessed.write_text(GUESS.sub(r"\1...", lesson.path.read_text(encoding="utf-8")), encoding="utf-8")
        words = [sys.executable, "-m", "marimo", "export", "ipynb", str(guessed), "-o", str(out)]
        done = subprocess.run(
            [*words, "--sort", "top-down", *options],
            cwd=folder,  # a lesson writes nothing, and if it did, not into the project
            env={**os.environ, "MPLBACKEND": "Agg", "PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            timeout=900,
        )
        notebook = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {"cells": []}
    raised = [
        o.get("evalue", "") for c in notebook["cells"] for o in outputs(c) if o["output_type"] == "error"
    ]
    if done.returncode or raised or not notebook["cells"]:
        raise RuntimeError(f"lesson {lesson.number} does not run: {raised or done.stderr[-2000:]}")
    return notebook


def outputs(cell: Cell) -> list[dict[str, Any]]:
    """What a cell has shown; nothing for prose."""
    return cell.get("outputs", [])


def text(cell: Cell) -> str:
    """The source of a cell as one string."""
    return "".join(cell["source"])


def prose(cells: list[Cell]) -> list[Cell]:
    """The cells of prose, `mo.md` of a literal text: those that a translation replaces."""
    return [c for c in cells if c["cell_type"] == "markdown" and not c["metadata"].get("computed")]


def page(
    notebook: Notebook, number: str, byline: str, link: Callable[[str], str | None], words: str = ""
) -> Notebook:
    """The notebook as Sphinx shows it.

    byline: Markdown beneath the title.  link: operator -> address of its page.  words: a translation, see
    `translate`.
    """
    cells = [_cell(cell, number) for cell in notebook["cells"]]
    if words:
        translate(cells, words)
    first = next(i for i, cell in enumerate(cells) if text(cell).startswith("# "))
    cells.insert(0, cells.pop(first))
    title, _, rest = text(cells[0]).partition("\n")
    cells[0]["source"] = f"{title}\n\n{byline}\n{rest}"
    for cell in cells:
        if cell["cell_type"] == "markdown":
            cell["source"] = linked(text(cell), link)
    # Explorers speak English; on a translated page a screen reader has to be told.
    language = ' lang="en"' if words else ""
    elements = "\n".join(f"<{name}{language}></{name}>" for name in course.explorers(number))
    if elements:
        cells.insert(_end_of_picture(notebook["cells"], cells), _prose("explorers", elements))
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _cell(cell: Cell, number: str) -> Cell:
    """A cell for the page.  Code that shows Markdown (a hidden answer, a table of times) becomes prose."""
    settings = cell["metadata"].get("marimo", {})
    shown = [output for output in outputs(cell) if output["output_type"] != "stream"]
    if cell["cell_type"] == "markdown":
        return _prose(cell["id"], text(cell))
    if "learn.registered_sets(" in text(cell):
        return _prose(cell["id"], REGISTERED.format(number=number), computed=True)
    for output in shown:
        if LIVE.search("".join("".join(value) for value in output["data"].values())):
            output["data"] = {"text/html": SLIDERS.format(number=number)}
        output["metadata"] = {}  # its width and height, for screens of twice the pixels, distort a figure
    hidden = settings.get("config", {}).get("hide_code", False) or settings.get("name") == "setup"
    markdown = "".join(o for output in shown for o in output["data"].get("text/markdown", ""))
    source = UNMADE.sub(r"\1None", text(cell))
    waits = source == text(cell) and "guess_" in source
    if hidden and markdown and not waits:
        return _prose(cell["id"], markdown, computed=True)
    metadata: dict[str, Any] = {"tags": ["hide-cell"] if waits else ["hide-input"] if hidden else []}
    what = "the imports" if settings.get("name") == "setup" else "the code"
    if waits:
        picture = any("<img" in "".join(output["data"].get("text/html", "")) for output in shown)
        what = "the answer" if "learn.prediction(" in source else "the picture" if picture else "the numbers"
    begin = "You have a guess? " if waits else ""
    metadata["mystnb"] = {"code_prompt_show": f"{begin}Show {what}", "code_prompt_hide": f"Hide {what}"}
    made = {"cell_type": "code", "id": cell["id"], "metadata": metadata, "execution_count": None}
    return made | {"source": source, "outputs": shown}


def _prose(name: str, source: str, computed: bool = False) -> Cell:
    metadata = {"computed": True} if computed else {}
    return {"cell_type": "markdown", "id": name, "metadata": metadata, "source": source}


def _end_of_picture(original: list[Cell], cells: list[Cell]) -> int:
    """Where the section after "Picture" begins: of a translation, where it begins in the original."""
    inside = False
    for cell in original:
        if cell["cell_type"] == "markdown" and re.search(r"^## ", text(cell), re.MULTILINE):
            if inside:
                return next(i for i, made in enumerate(cells) if made["id"] == cell["id"])
            inside = "## Picture" in text(cell)
    raise ValueError("the lesson has no section after a section 'Picture', where its explorer would stand")


def linked(source: str, link: Callable[[str], str | None]) -> str:
    """Prose whose commands `minitorch-seg show OP` lead to OP's page.

    >>> linked("see `minitorch-seg show conv2d`.", lambda name: f"../operators/{name}.md")
    'see [`minitorch-seg show conv2d`](../operators/conv2d.md).'
    """

    def with_link(found: re.Match[str]) -> str:
        address = link(found[1])
        return f"[{found[0]}]({address})" if address else found[0]

    return re.sub(r"`minitorch-seg show (\w+)`", with_link, source)


def translate(cells: list[Cell], words: str) -> None:
    """Put the blocks of a translation into the cells of prose, in their order.

    A block begins with a line `<!-- cell N -->`, N counting the cells of prose from 0; every cell has one.
    """
    blocks = dict(read_blocks(words))
    places = prose(cells)
    if sorted(blocks) != list(range(len(places))):
        raise ValueError(
            f"a translation has blocks 0 to {len(places) - 1}, one for each cell, not {sorted(blocks)}"
        )
    for number, cell in enumerate(places):
        cell["source"] = blocks[number]


def read_blocks(words: str) -> Iterator[tuple[int, str]]:
    """(number, text) of each block of a translation.

    >>> list(read_blocks("<!-- cell 0 -->\\n# 卷积\\n\\n<!-- cell 1 -->\\n## 手算\\n"))
    [(0, '# 卷积'), (1, '## 手算')]
    """
    parts = re.split(r"^<!-- cell (\d+) -->[ \t]*$", words, flags=re.MULTILINE)
    for number, block in zip(parts[1::2], parts[2::2], strict=True):
        yield int(number), block.strip()
