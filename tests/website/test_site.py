"""The built site without a browser: every lesson and operator is there, and every link leads somewhere."""

import functools
import re
from urllib.parse import unquote, urlsplit

import pytest

from minitorch_seg.cli import show
from minitorch_seg.learn import catalogue, exercises
from tests.website.site import HTML, WHY_NOT, Page, is_built, pages
from website import course

pytestmark = pytest.mark.skipif(not is_built(), reason=WHY_NOT)
page = functools.cache(lambda name: Page(HTML / name))


def test_every_lesson_is_there_with_its_verdicts():
    for lesson in catalogue.lessons():
        text = (HTML / "lessons" / f"{lesson.path.stem}.html").read_text(encoding="utf-8")
        stubs = [e for e in exercises(lesson.number) if not e.planted]
        assert text.count("NOT YET DONE") >= len(stubs), lesson.number
        assert text.count("<details><summary>Answer") == len(exercises(lesson.number)), "hidden, but there"
        assert not re.search("(<|&lt;)marimo-|Traceback", text)
        for name in course.OPERATORS.get(lesson.number, []):
            assert f'href="../operators/{name}.html"' in text


def test_every_operator_is_there():
    for name in show.operators():
        headings = (HTML / "operators" / f"{name}.html").read_text(encoding="utf-8").count("<h2>")
        assert headings >= 3, name


def test_every_translation_is_there_in_its_language():
    for language, path in course.translations():
        name = f"{language}/{path.stem}.html"
        assert dict(page(name).elements)["html"]["lang"] == language
        assert f"../lessons/{path.stem}.html" in page(name).addresses, "a link to the English page"
        assert f"../{name}" in page(f"lessons/{path.stem}.html").addresses, "a link from the English page"


def test_explorers_stand_in_their_lessons():
    for lesson in catalogue.lessons():
        tags = {tag for tag, _ in page(f"lessons/{lesson.path.stem}.html").elements if "-explorer" in tag}
        assert tags == set(course.explorers(lesson.number))


def test_pages_are_english_but_for_translations():
    for name in pages():
        expected = name[:2] if name[:2] in course.LANGUAGES and name[2] == "/" else "en"
        assert dict(page(name).elements[:1])["html"]["lang"] == expected, name


def test_every_link_leads_somewhere():
    for name in pages():
        for address in page(name).addresses:
            parts = urlsplit(address)
            if parts.scheme in ("http", "https", "data", "mailto"):
                continue
            assert not parts.scheme and not parts.netloc, f"{name}: {address}"
            target = (HTML / name).parent / unquote(parts.path) if parts.path else HTML / name
            assert target.is_file(), f"{name}: {address}"
            if parts.fragment and target.suffix == ".html":
                there = page(target.resolve().relative_to(HTML.resolve()).as_posix())
                assert unquote(parts.fragment) in there.ids, f"{name}: {address}"


def test_scripts_styles_and_images_are_the_sites_own():
    for name in pages():
        for tag, found in page(name).elements:
            if tag in ("script", "img", "link", "iframe", "source"):
                address = found.get("src") or found.get("href") or ""
                assert not address.startswith(("http:", "https:", "//")), f"{name}: {address}"


def test_every_image_has_a_text():
    for name in pages():
        images = [found for tag, found in page(name).elements if tag == "img"]
        assert all(len(found.get("alt") or "") > 20 for found in images), name


def test_katex_brings_its_licence():
    assert "MIT" in (HTML / "_static" / "katex" / "LICENSE").read_text(encoding="utf-8")
