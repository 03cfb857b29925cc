"""A translated lesson says what the English one says: blocks, formulas, code; it knows when that changed."""

import ast
import hashlib
import re
import textwrap
from collections import Counter
from pathlib import Path

import pytest

from minitorch_seg.learn import catalogue
from website.lessons import read_blocks

ROOT = Path(__file__).parents[2] / "website" / "translations"
FILES = sorted(ROOT.glob("*/lesson_*.md"))
LESSONS = {lesson.path.stem: lesson.path for lesson in catalogue.lessons()}


def english(stem):
    """The texts of a lesson's cells of prose, mo.md of a literal, in the order of the file."""
    tree = ast.parse(LESSONS[stem].read_text(encoding="utf-8"))
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "mo.md"
    ]
    literal = [call for call in calls if isinstance(call.args[0], ast.Constant)]
    return [
        textwrap.dedent(call.args[0].value).strip() for call in sorted(literal, key=lambda call: call.lineno)
    ]


def blocks(path):
    """The texts of a translation's blocks, which must be numbered 0, 1, 2, …"""
    numbered = list(read_blocks(path.read_text(encoding="utf-8")))
    assert [number for number, _ in numbered] == list(range(len(numbered)))
    return [text for _, text in numbered]


def fingerprint(text):
    """Of the words, not of the line breaks: prose that is only wrapped anew need not be translated again."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:12]


def without_code(text):
    return re.sub(r"`[^`]+`", "", text)


def formulas(text):
    """How often each formula occurs.  Words within a formula, \\text{...}, may be translated."""
    found = re.findall(r"\$\$.+?\$\$|\$[^$]+\$", without_code(text), re.DOTALL)
    return Counter(re.sub(r"\\text\{[^}]*\}", r"\\text{}", "".join(formula.split())) for formula in found)


def code_spans(text):
    return Counter(re.findall(r"`[^`]+`", text))


def skeleton(text):
    """What holds the text: headings, numbered and dashed lines, bold words, tags; how many of each."""
    patterns = {
        "headings": r"^#+ ",
        "numbers": r"^\d\. ",
        "dashes": r"^- ",
        "paragraphs": r"\n\n",
        "bold": r"\*\*.+?\*\*",
        "tags": r"</?\w+>",
    }
    return {name: len(re.findall(pattern, text, re.MULTILINE)) for name, pattern in patterns.items()}


def test_lesson_02_is_there_in_chinese():
    assert ROOT / "zh" / "lesson_02_convolution.md" in FILES
    assert all(path.stem in LESSONS for path in FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
class TestTranslation:
    def test_there_is_a_block_for_each_cell(self, path):
        assert len(blocks(path)) == len(english(path.stem))

    def test_it_translates_the_text_as_it_is_now(self, path):
        for number, (text, source) in enumerate(zip(blocks(path), english(path.stem), strict=True)):
            mark = re.search(r"<!-- translates (\w+) -->\Z", text)
            assert mark, f"block {number} must end with <!-- translates {fingerprint(source)} -->"
            assert mark[1] == fingerprint(source), (
                f"block {number}: the English text of {path.stem} has changed since it was translated. "
                f"Compare them, then mark the block with {fingerprint(source)}. It begins: {source[:60]!r}"
            )

    def test_formulas_code_and_structure_are_the_same(self, path):
        for number, (text, source) in enumerate(zip(blocks(path), english(path.stem), strict=True)):
            text = re.sub(r"\s*<!-- translates \w+ -->\Z", "", text)
            for what in (formulas, code_spans, skeleton):
                assert what(text) == what(source), (
                    f"block {number}: other {what.__name__} than the English text"
                )

    def test_emphasis_is_seen_as_emphasis(self, path):
        # Chinese has no spaces: **word。**next would show its stars, since stars between punctuation and a
        # letter can close only what stands on the letter's side.
        for number, text in enumerate(blocks(path)):
            plain = re.sub(r"\$\$.+?\$\$|\$[^$]+\$", "x", without_code(text), flags=re.DOTALL)
            assert plain.count("*") % 2 == 0, f"block {number}: a star is left over"
            for before, inner, after in re.findall(
                r"(^|[^*])\*{1,2}([^*]+)\*{1,2}(?=(.|$))", plain, re.MULTILINE
            ):
                broken = (is_mark(inner[0]) and before.isalnum()) or (is_mark(inner[-1]) and after.isalnum())
                assert not broken, f"block {number}: {before}*{inner}*{after} would show its stars"


def is_mark(character):
    return bool(re.match(r"[^\w\s]", character))
