"""`show OP`: every operator has a page, with all that belongs on it."""

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
    assert "winograd" not in result.stdout.lower()
    assert "kernels/fast/winograd.py" in show("conv2d", "--kernels").stdout


@pytest.mark.parametrize("name", sorted(operators()))
def test_every_operator_has_a_page(name):
    text = page(name, operators()[name])
    assert text.startswith(f"── {name} ") and len(text) > 300


def test_an_unknown_operator_names_the_nearest():
    result = show("conv2")
    assert result.exit_code == 2 and "conv2d" in result.stderr
    assert "conv2d" in show("list").stdout.split()
