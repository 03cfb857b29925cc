"""`show OP`: every operator has a page, with all that belongs on it."""

import re

import pytest
from click.testing import CliRunner

from minitorch_seg.cli import main
from minitorch_seg.cli.show import operators, page


def show(*arguments):
    return CliRunner().invoke(main, ["show", *arguments])


def test_conv2d_has_formula_forward_backward_and_kernels():
    result = show("conv2d")
    assert result.exit_code == 0
    for part in (
        "y[n, o, Y, X] = b[o] + Σ_{c,i,j}",
        "class Conv2d(Function)",
        "def backward(ctx, grad)",
        "class Conv2dWeightGradient(Function)",
        "kernels/reference/conv2d.py",
        "kernels/cpu/conv2d.py",
    ):
        assert part in result.stdout
    assert "kernels/fast/winograd.py)" not in result.stdout  # as a heading: named it may be
    everything = show("conv2d", "--kernels").stdout
    assert "kernels/fast/winograd.py" in everything and "kernels/cuda/conv2d.py" in everything
    assert "kernels/cuda/tile.py" in everything and "kernels/cuda/memory.py" not in everything


@pytest.mark.parametrize("name", sorted(operators()))
def test_every_operator_has_a_page(name):
    """Derivation first, then the function, then what it is made of."""
    text = page(name, operators()[name])
    assert text.startswith(f"── {name} ") and len(text) > 300
    head, *sections = re.split(r"\n── (.+?) ─+\n", text)
    titles = sections[::2]
    assert titles[0] == "the function"
    asked = sections[1].strip()
    assert re.search(rf"^(def {name}\(|{name} = )", asked, re.MULTILINE)
    assert len(head.splitlines()) > 3


def test_what_a_composed_operator_is_made_of_is_said():
    text = " ".join(page("focal_loss", operators()["focal_loss"]).split())
    assert "forward and backward" not in text
    assert "cross_entropy (ops/cross_entropy.py)" in text and "where (ops/selection.py)" in text
    fused = page("softmax", operators()["softmax"])
    assert fused.index("the function") < fused.index("class Softmax") < fused.index("def softmax_composed")


def test_a_function_that_is_made_by_another_is_shown_with_it():
    text = page("le", operators()["le"])
    assert 'le = _compare("le"' in text and "def _compare(" in text and "def _logic" not in text


def test_an_unknown_operator_names_the_nearest():
    result = show("conv2")
    assert result.exit_code == 2 and "conv2d" in result.stderr
    assert "conv2d" in show("list").stdout.split()
