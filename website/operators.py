"""A page for each operator: what `minitorch-seg show OP` prints, from the live source, for a browser.

Each file of tests/ops has a page as well, to which the names of an operator's tests lead.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minitorch_seg import functional
from minitorch_seg.cli import show
from website import course

TESTS = Path(__file__).parents[1] / "tests" / "ops"
#: A heading of `show`: two strokes, the words, strokes to the margin.
TITLE = re.compile(r"^── (.+?) ─*$", re.MULTILINE)
#: What stands for itself in a docstring, and for something else in Markdown.
SIGNS = re.compile(r"[\\*_<>\[\]$#|]")

INTRODUCTION = """\
Every page is made from the source: formula and derivation, the function, forward and backward, the reference
kernel and the loops in Numba, and the tests. `minitorch-seg show OP` prints the same in a terminal; with
`--kernels` also the fast kernels and those for GPUs."""


def families() -> dict[str, list[str]]:
    """The operators by family: the comments in functional.py's table; what else there is, by file.

    >>> families()["Dense and recurrent"]
    ['linear', 'rnn', 'gru', 'lstm']
    """
    found: dict[str, list[str]] = {}
    source = inspect.getsource(functional)
    for part in source[source.index("__all__") :].split("\n    # ")[1:]:
        heading, _, names = part.partition("\n")
        found[heading.capitalize()] = re.findall(r'"(\w+)"', names)
    named = {name for names in found.values() for name in names}
    for name, function in sorted(show.operators().items()):
        if name not in named:
            found.setdefault(f"Tensors: {file_of(function)}", []).append(name)
    return found


def file_of(function: Any) -> str:
    """The file of an operator in ops/, without its ending."""
    module = inspect.getmodule(inspect.unwrap(function))
    assert module is not None
    return module.__name__.rpartition(".")[2]


def summary(function: Any) -> str:
    """The first line of its docstring, or of its file's where it has none."""
    module = inspect.getmodule(inspect.unwrap(function))
    lines = (inspect.getdoc(function) or inspect.getdoc(module) or "").splitlines()
    return prose(lines[0]) if lines else ""


def pages(lessons: dict[str, tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """(name, Markdown) of every operator's page.  lessons: number -> title and address."""
    for name, function in sorted(show.operators().items()):
        yield name, page(name, function, lessons)


def page(name: str, function: Any, lessons: dict[str, tuple[str, str]]) -> str:
    """An operator's page: the parts of `show`, then the tests that name it."""
    pieces = TITLE.split(show.page(name, function))[1:]
    parts = list(zip(pieces[::2], pieces[1::2], strict=True))
    (file, formula), *rest = parts
    path = file.partition("(")[2].rstrip(")")
    lines = [f"# {name}", "{.byline}\n" + _byline(name, path, lessons), "## Formula", prose(formula)]
    for title, text in rest:
        code, found, calls = text.partition("It calls, from other files:")
        lines += [f"## {_heading(title)}", f"```python\n{code.strip()}\n```"]
        lines += [prose(found + calls)] if found else []
    return "\n\n".join([*lines, *_tests(name, file_of(function))]) + "\n"


def _byline(name: str, path: str, lessons: dict[str, tuple[str, str]]) -> str:
    derived = [lessons[n] for n, names in course.OPERATORS.items() if name in names and n in lessons]
    links = ", ".join(f"[{title}](../{address})" for title, address in derived)
    words = [f"`{path}`", f"in a terminal: `minitorch-seg show {name}`"]
    return " · ".join([*words, f"derived in {links}"] if links else words)


def _heading(title: str) -> str:
    """`kernel    (minitorch_seg/kernels/cpu/rnn.py)` -> `Kernel: cpu/rnn.py`."""
    word, _, path = title.partition("    (")
    short = path.rstrip(")").removeprefix("minitorch_seg/kernels/")
    return f"{word.capitalize()}: {short}" if path else word.capitalize()


def prose(text: str) -> str:
    """A docstring as Markdown: sentences flow, points are points, and what is indented keeps its columns.

    >>> print(prose("y is *all*.\\n\\n    y = x_1 + x_2\\n\\n  * so dx_1 = dy,\\n    which is `g`"))
    y is \\*all\\*.
    <BLANKLINE>
    ```text
    y = x_1 + x_2
    ```
    <BLANKLINE>
    - so dx\\_1 = dy,
      which is `g`
    """
    made = []
    for part in re.split(r"\n\s*\n", text.strip("\n")):
        point = re.match(r" +\* ", part)
        if not point and any(line.startswith(" ") for line in part.splitlines()):
            made.append(f"```text\n{inspect.cleandoc(chr(10) + part)}\n```")
        else:
            pieces = part[point.end() if point else 0 :].strip().split("`")  # every second one is code
            pieces[::2] = [SIGNS.sub(r"\\\g<0>", piece) for piece in pieces[::2]]
            words = "`".join(pieces)
            made.append("- " + re.sub(r"\n *", "\n  ", words) if point else words)
    return "\n\n".join(made)


def _tests(name: str, file: str) -> list[str]:
    """The section on tests: each test of the operator's file that names it, or all of them."""
    path = TESTS / f"test_{file}.py"
    if not path.exists():
        return ["## Tests", "By the tests of all operators together, `tests/ops/test_every_operator.py`."]
    source = path.read_text(encoding="utf-8")
    tests = [
        n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")
    ]
    naming = [n for n in tests if re.search(rf"\b{name}\b", ast.get_source_segment(source, n) or "")]
    listed = "\n".join(f"- {n.name.removeprefix('test_').replace('_', ' ')}" for n in naming or tests)
    intro = f"In [tests/ops/{path.name}](tests/{path.stem}.md), beside those of all operators together:"
    return ["## Tests", intro, listed]


def test_pages() -> Iterator[tuple[str, str]]:
    """(name, Markdown) of the page of each file of tests to which an operator's page leads."""
    for file in sorted({file_of(function) for function in show.operators().values()}):
        path = TESTS / f"test_{file}.py"
        if path.exists():
            source = path.read_text(encoding="utf-8").strip()
            yield path.stem, f"# tests/ops/{path.name}\n\n````python\n{source}\n````\n"


def index() -> str:
    """The table of contents: families, each operator with the first line of its docstring."""
    public = show.operators()
    lines = ["# Operators", INTRODUCTION]
    for family, names in families().items():
        lines += [f"## {family}"]
        lines += ["\n".join(f"- [{name}]({name}.md): {summary(public[name])}" for name in names)]
    pages_ = "\n".join(name for names in families().values() for name in names)
    tests = "\n".join(f"tests/{stem}" for stem, _ in test_pages())
    return "\n\n".join([*lines, f"```{{toctree}}\n:hidden:\n\n{pages_}\n{tests}\n```"]) + "\n"
