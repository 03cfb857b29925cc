"""Build the site: python -m website.build, then open website/html/index.html.

It needs `pip install -e ".[tutorials,docs]"`, and npm, which brings KaTeX once.  Lessons run for some minutes
the first time; then only what has changed is made again.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from minitorch_seg.learn import catalogue
from website import course, make_image, operators
from website import lessons as notebooks

HERE = Path(__file__).parent
HTML, WORK = HERE / "html", HERE / "_work"
#: A file beside the pages: the state of the sources that they were made of, where all of them were.
STAMP = "made_of.txt"
#: What is made or fetched, and no source.
OUTPUTS = {"html", "_work", "jupyter_execute", "node_modules", "__pycache__", make_image.PATH.name}
DOCS = HERE.parent / "docs"
#: What the pages take of KaTeX: script, style, letters, licence.
KATEX = ["dist/katex.min.js", "dist/katex.min.css", "dist/fonts/*.woff2", "LICENSE"]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m website.build", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only",
        nargs="*",
        metavar="NN",
        help="run these lessons alone (or none); the others as they last ran",
    )
    only = parser.parse_args(arguments).only
    source, begun = Source(WORK / "source"), state()
    start = time.monotonic()
    (HTML / STAMP).unlink(missing_ok=True)
    write_lessons(source, None if only is None else {number.zfill(2) for number in only})
    write_operators(source)
    write_pages(source)
    write_static(source)
    source.remove_others()
    print(f"pages written ({time.monotonic() - start:.0f} s); Sphinx", flush=True)
    words = ["-b", "html", "-W", "--keep-going", "-q", "-j", "2", "-d", str(WORK / "doctrees")]
    subprocess.run([sys.executable, "-m", "sphinx", *words, str(source.folder), str(HTML)], check=True)
    if only is None:
        (HTML / STAMP).write_text(begun, encoding="utf-8")
    size = sum(path.stat().st_size for path in HTML.rglob("*") if path.is_file())
    print(f"{HTML / 'index.html'}: {size / 1e6:.1f} MB, {time.monotonic() - start:.0f} s")


def state() -> str:
    """A number that changes with whatever the site is made of."""
    seen = hashlib.sha256()
    for folder in (HERE, HERE.parent / "minitorch_seg", operators.TESTS, DOCS):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not OUTPUTS & set(path.relative_to(folder).parts):
                seen.update(path.read_bytes())
    return seen.hexdigest()


class Source:
    """The folder that Sphinx reads.  A file is written only where it changes, so that little is made anew."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.written: set[Path] = set()

    def write(self, name: str, content: str | bytes) -> None:
        path = self.folder / name
        data = content.encode("utf-8") if isinstance(content, str) else content
        if not path.exists() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.written.add(path)

    def remove_others(self) -> None:
        for path in self.folder.rglob("*"):
            if path.is_file() and path not in self.written:
                path.unlink()


@functools.cache
def lessons() -> list[catalogue.Lesson]:
    """The lessons as the build finds them: one that is added meanwhile waits for the next build."""
    return catalogue.lessons()


def addresses() -> dict[str, tuple[str, str]]:
    """Lesson -> its title and the source of its page."""
    return {
        lesson.number: (f"lesson {lesson.number}, {lesson.title}", f"lessons/{lesson.path.stem}.ipynb")
        for lesson in lessons()
    }


def write_lessons(source: Source, only: set[str] | None) -> None:
    """A page for each lesson and each translation, and the list of them."""
    known = set(operators.show.operators())
    translated = {(language, path.stem): path for language, path in course.translations()}
    for lesson in lessons():
        start = time.monotonic()
        notebook = notebooks.run(lesson, WORK / "executed", execute=only is None or lesson.number in only)
        print(f"lesson {lesson.number} ({time.monotonic() - start:.0f} s)", flush=True)
        for language in ["", *course.LANGUAGES]:
            path = translated.get((language, lesson.path.stem))
            if language and path is None:
                continue
            made = notebooks.page(
                json.loads(json.dumps(notebook)),
                lesson.number,
                byline(lesson, language, [name for name, stem in translated if stem == lesson.path.stem]),
                lambda name: f"../operators/{name}.md" if name in known else None,
                path.read_text(encoding="utf-8") if path else "",
            )
            folder = language or "lessons"
            source.write(f"{folder}/{lesson.path.stem}.ipynb", json.dumps(made, ensure_ascii=False))
    pages = "\n".join(
        [f"{lesson.number} {lesson.title} <{lesson.path.stem}>" for lesson in lessons()]
        + [
            f"{stem[7:9]} {course.LANGUAGES[language][0]} <../{language}/{stem}>"
            for language, stem in translated
        ]
    )
    listed = f"{cards('')}\n\n```{{toctree}}\n:hidden:\n\n{pages}\n```\n"
    source.write(
        "lessons/index.md", f"# Lessons\n\nIn this order, or as far as a lesson's needs are met.\n\n{listed}"
    )


def byline(lesson: catalogue.Lesson, language: str, languages: list[str]) -> str:
    """Beneath the title: time, needs, the command, operators, other languages."""
    there = addresses()
    up = "../lessons/" if language else ""
    needs = ", ".join(f"[{n}]({up}{Path(there[n][1]).name})" for n in lesson.needs) or "nothing"
    words = [
        f"Lesson {lesson.number}",
        f"{lesson.minutes} minutes",
        f"needs {needs}",
        f"live: `minitorch-seg learn {lesson.number}`",
    ]
    derived = course.OPERATORS.get(lesson.number, [])
    if derived:
        words.append("operators: " + ", ".join(f"[{name}](../operators/{name}.md)" for name in derived))
    page = f"{lesson.path.stem}.ipynb"
    words += [f"[{course.LANGUAGES[name][0]}](../{name}/{page})" for name in languages if name != language]
    words += [f"[English](../lessons/{page})"] if language else []
    note = f"\n\n{course.LANGUAGES[language][1]}" if language else ""
    return "{.byline}\n" + " · ".join(words) + note


def cards(folder: str) -> str:
    """The lessons as a list of cards, in HTML: number and title, time, needs, translations."""
    made, translated = [], course.translations()
    for lesson in lessons():
        needs = f"needs {', '.join(lesson.needs)}" if lesson.needs else "needs nothing"
        title = f'<a href="{folder}{lesson.path.stem}.html">{lesson.number} {lesson.title}</a>'
        others = "".join(
            f', <a lang="{language}" href="{"" if folder else "../"}{language}/{path.stem}.html">'
            f"{course.LANGUAGES[language][0]}</a>"
            for language, path in translated
            if path.stem == lesson.path.stem
        )
        made.append(f"<li><strong>{title}</strong><p>{lesson.minutes} minutes, {needs}{others}</p></li>")
    return '<ul class="cards">\n' + "\n".join(made) + "\n</ul>"


def write_operators(source: Source) -> None:
    """A page for each operator and each file of their tests, and the list by family."""
    there = addresses()
    for name, text in operators.pages(there):
        source.write(f"operators/{name}.md", text)
    for name, text in operators.test_pages():
        source.write(f"operators/tests/{name}.md", text)
    source.write("operators/index.md", operators.index())


def write_pages(source: Source) -> None:
    """What is written by hand: website/pages, where {{...}} stands for what is known here, and docs/."""
    for path in sorted((HERE / "pages").glob("*.md")):
        source.write(path.name, filled(path.read_text(encoding="utf-8")))
    for path in sorted(DOCS.iterdir()):
        if path.suffix in (".md", ".png"):
            source.write(f"docs/{path.name}", path.read_bytes())


def filled(text: str) -> str:
    """A page with the lists of lessons and pages in their places, and links to lessons in those of {{NN}}."""
    others = [path.stem for path in sorted((HERE / "pages").glob("*.md")) if path.stem != "index"]
    top = "\n".join(["lessons/index", "operators/index", *others, "Results <docs/segmentation>"])
    text = text.replace("{{lessons}}", cards("lessons/"))
    text = text.replace("{{contents}}", f"```{{toctree}}\n:hidden:\n\n{top}\n```")
    for number, (title, address) in addresses().items():
        text = text.replace(f"{{{{{number}}}}}", f"[{title}]({address})")
    return re.sub(r"\{\{(\d\d)\}\}", r"lesson \1", text)


def write_static(source: Source) -> None:
    """Styles, scripts, the photograph of the explorers, and KaTeX from npm."""
    make_image.write()
    for path in sorted((HERE / "static").rglob("*")):
        if path.is_file():
            source.write(f"_static/{path.relative_to(HERE / 'static')}", path.read_bytes())
    katex = installed("katex")
    for pattern in KATEX:
        for path in sorted(katex.glob(pattern)):
            relative = str(path.relative_to(katex)).removeprefix("dist/")
            source.write(f"_static/katex/{relative}", path.read_bytes())
    source.write("conf.py", (HERE / "conf.py").read_bytes())


def installed(name: str) -> Path:
    """The folder of a package of package.json; npm brings it where it is not there in this version."""
    wanted = json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))
    folder = HERE / "node_modules" / name
    manifest = folder / "package.json"
    if manifest.exists():
        version = json.loads(manifest.read_text(encoding="utf-8"))["version"]
        if version == wanted["packages"][f"node_modules/{name}"]["version"]:
            return folder
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit(
            f"the site takes {name} from npm, and there is no npm: install Node.js, which brings it"
        )
    words = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(words, cwd=HERE, check=True)
    return folder


if __name__ == "__main__":
    main()
