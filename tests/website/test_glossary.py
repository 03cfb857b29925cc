"""The glossary: in order, each word in both languages, with a lesson in whose text it stands."""

import re
from pathlib import Path

import pytest

from minitorch_seg.learn import catalogue

TEXT = (Path(__file__).parents[2] / "website" / "pages" / "glossary.md").read_text(encoding="utf-8")
WORDS = re.search(r"```\{glossary\}\n(.*?)\n```", TEXT, re.DOTALL)[1].split("\n\n")
SYMBOLS = [line.split(" | ") for line in TEXT.splitlines() if line.startswith("| $")]
LESSONS = {lesson.number: lesson.path.read_text(encoding="utf-8").lower() for lesson in catalogue.lessons()}
#: Names of things that a lesson derives, or an explorer draws, without the name.
UNNAMED = {"Jacobian", "unrolling"}


def parts(entry):
    """(word, Chinese, meaning, lesson) of an entry."""
    found = re.fullmatch(r"(.+?) \((.+)\)\n(.+?)\s+Lesson\s+\[(\d\d)\]\.", entry, re.DOTALL)
    assert found, f"not 'word (中文)', then the meaning and 'Lesson [NN].': {entry}"
    return found.groups()


def test_there_are_enough_words_and_each_once_in_order():
    words = [parts(entry)[0].lower() for entry in WORDS]
    assert len(words) > 100 and len(SYMBOLS) > 40
    assert words == sorted(set(words))
    symbols = [symbol for symbol, *_ in SYMBOLS]
    assert len(symbols) == len(set(symbols))


@pytest.mark.parametrize("entry", WORDS, ids=lambda entry: entry.partition(" (")[0])
def test_a_word_is_explained_in_both_languages_where_a_lesson_uses_it(entry):
    word, chinese, meaning, lesson = parts(entry)
    assert re.search(r"[\u4e00-\u9fff]", chinese) or chinese == word, f"{word} has no Chinese term"
    assert all(line.startswith("  ") and len(line) <= 110 for line in meaning.splitlines())
    assert meaning.count("$") % 2 == 0
    assert len(re.findall(r"[.?](?:\s|$)", meaning)) <= 3, f"{word}: say it in two sentences"
    stems = [part[:5].lower() for part in re.findall(r"[\w-]{3,}", word)]
    assert word in UNNAMED or any(stem in LESSONS[lesson] for stem in stems), (
        f"{word}: not in lesson {lesson}"
    )


@pytest.mark.parametrize("symbol, meaning, lesson", SYMBOLS, ids=lambda cell: cell.strip("| "))
def test_a_symbol_stands_in_its_lesson(symbol, meaning, lesson):
    assert re.search(r"[\u4e00-\u9fff]", meaning), f"{symbol} has no Chinese meaning"
    number = re.search(r"\[(\d\d)\]", lesson)[1]
    first = re.match(r"\| \$(.+?)(?:, .*)?\$", symbol)[1]
    letter = re.search(r"\\?[a-zA-Z*]+|\[", first)[0].lower()
    assert letter in LESSONS[number], f"{letter} is not in lesson {number}"


def test_every_lesson_is_linked():
    linked = dict(re.findall(r"^\[(\d\d)\]: lessons/(\w+)\.ipynb$", TEXT, re.MULTILINE))
    assert linked == {lesson.number: lesson.path.stem for lesson in catalogue.lessons()}


def test_recurrent_and_recursive_are_told_apart():
    chinese = {word: chinese for word, chinese, *_ in map(parts, WORDS)}
    assert chinese["recurrent"].startswith("循环") and chinese["recursive"].startswith("递归")
