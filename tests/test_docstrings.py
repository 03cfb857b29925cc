"""What a reader finds at every public function: what it computes, what comes back, what is refused, where it
comes from, and an example that runs (pytest collects every doctest of the package).
"""

import inspect
import re

import pytest

import minitorch_seg as ms
from minitorch_seg import functional, nn, optim
from minitorch_seg.cli.show import operators

#: Files of school mathematics, of places and of types: their formulas need no paper.
ELEMENTARY = {"arithmetic", "cast", "cat", "comparison", "creation", "exponential", "indexing", "pad"}
ELEMENTARY |= {"selection", "shape"}
#: Whatever tensor comes, these compute something: there is nothing to refuse.
NEVER_REFUSE = {"clone", "exp", "isfinite", "isnan", "log", "log1p", "logical_not", "sigmoid", "sqrt", "tanh"}


def text_of(thing):
    return inspect.getdoc(inspect.unwrap(thing)) or ""


def public():
    """(name, function or class) of everything public but exceptions."""
    for room, prefix in ((ms, "ms"), (functional, "F"), (nn, "nn"), (optim, "optim")):
        for name in room.__all__:
            thing = getattr(room, name)
            if callable(thing) and not (isinstance(thing, type) and issubclass(thing, Exception)):
                yield f"{prefix}.{name}", thing


@pytest.mark.parametrize("name, thing", list(public()))
def test_everything_public_has_an_example(name, thing):
    assert ">>>" in text_of(thing), f"{name} has no example"


def test_the_examples_are_among_those_that_pytest_runs():
    """An example in a docstring that doctest does not find would never run."""
    import doctest

    finder, found = doctest.DocTestFinder(exclude_empty=True), {}
    for name, thing in public():
        thing = inspect.unwrap(thing)
        module = inspect.getmodule(thing)
        if module not in found:
            found[module] = {test.name for test in finder.find(module) if test.examples}
        assert f"{module.__name__}.{thing.__qualname__}" in found[module], f"{name}'s example is not run"


OPERATORS = [(name, f) for name, f in sorted(operators().items()) if not f.__module__.endswith(".creation")]
EACH = pytest.mark.parametrize("name, function", OPERATORS, ids=[name for name, _ in OPERATORS])


@EACH
def test_an_operator_says_what_it_returns_and_refuses(name, function):
    text = text_of(function)
    first = text.splitlines()[0]
    assert len(first) > 8 and first.endswith((".", ")", "dtype"))
    assert re.search(r"Returns|result and errors as|in place", text), "what comes back?"
    if name not in NEVER_REFUSE:
        assert re.search(r"Raises|raises|errors as|Refused", text), "what is refused?"


@EACH
def test_its_file_has_the_formula_and_its_source(name, function):
    module = inspect.getmodule(inspect.unwrap(function))
    file = module.__name__.rpartition(".")[2]
    text = inspect.getdoc(module)
    assert file == "comparison" or re.search(r"^    .*[=→…]", text, re.MULTILINE), f"{file}: no formula"
    assert file in ELEMENTARY or re.search(r"\b1[6-9]\d\d\b|\b20\d\d\b|source text", text), (
        f"{file}: no source"
    )
