"""`gradcheck`: the table, the failure message, the names it knows."""

import re

import pytest
from click.testing import CliRunner

from minitorch_seg.cli import main
from minitorch_seg.examples import examples
from minitorch_seg.ops import exponential


def run(*arguments):
    return CliRunner().invoke(main, ["gradcheck", *arguments])


def rows(text):
    """operator -> (order, derivatives, largest error, kinks) of each line of the table."""
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(\w+) +([12]) +([\d,]+|FAILED)(?: +(\S+) +(\d+))?", line)
        if match:
            found.setdefault(match[1], []).append(match.groups()[1:])
    return found


def test_a_line_for_each_example_of_the_operators_named():
    result = run("exp", "conv2d", "relu")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].split() == [
        "operator", "order", "derivatives", "largest", "error", "kinks",
    ]  # fmt: skip
    table = rows(result.stdout)
    assert set(table) == {"exp", "conv2d", "relu"}
    assert len(table["conv2d"]) == sum(e.operator == "conv2d" for e in examples()) > 1
    assert table["exp"][0][0] == "2" and table["relu"][0][0] == "1"  # relu has a kink
    for lines in table.values():
        for _, compared, error, _ in lines:
            assert int(compared.replace(",", "")) > 10 and float(error) < 1e-6
    assert re.search(r"(\d+) of \1 passed in", result.stdout)


def test_all_of_them(monkeypatch):
    """Without a name every example is checked; here by a checker that says yes at once."""
    from minitorch_seg import autograd

    checked = []

    def yes(call, arrays, order, name):
        checked.append((name, order))
        return autograd.GradcheckReport(name, compared=1)

    monkeypatch.setattr(autograd, "gradcheck", yes)
    result = run()
    assert result.exit_code == 0 and len(checked) == len(examples())
    assert set(rows(result.stdout)) == {e.operator for e in examples()}


def test_a_wrong_gradient_is_shown_in_full_and_fails(monkeypatch):
    def wrong(ctx, grad):
        (y,) = ctx.saved_tensors
        return grad * y * 2

    monkeypatch.setattr(exponential.Exp, "backward", staticmethod(wrong))
    result = run("exp", "log")
    assert result.exit_code == 1
    assert rows(result.stdout)["exp"][0][1] == "FAILED" and rows(result.stdout)["log"][0][1] != "FAILED"
    assert "1 of 2 passed" in result.stdout
    assert "exp: d output[0] / d argument 0[0] is" in result.stdout and "twice too large" in result.stdout


@pytest.mark.parametrize("name", ["conv2", "zebra"])
def test_an_unknown_operator_is_one_sentence(name):
    result = run(name)
    assert result.exit_code == 2 and f"no operator {name!r} to check" in result.stderr
    assert ("did you mean conv2d?" in result.stderr) == (name == "conv2")
