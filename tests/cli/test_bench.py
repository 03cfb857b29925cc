"""`minitorch-seg bench`: tables, reasons, files; once in a real process of its own, else in this one."""

import importlib
import json
import sys

import pytest

from minitorch_seg.bench import process
from minitorch_seg.errors import UserError

TOY = ["--shrink", "16", "--seconds", "0"]


@pytest.fixture
def here(monkeypatch):
    """Tasks run in this process."""

    def fresh(task, arguments, threads=1, isa="native", **more):
        module, function = task.split(":")
        return json.loads(json.dumps(getattr(importlib.import_module(module), function)(**arguments)))

    monkeypatch.setattr(process, "fresh", fresh)


def test_an_operator_in_a_process_of_its_own(cli, tmp_path):
    result = cli("bench", "cat", *TOY, "--json", tmp_path / "cat.json")
    assert result.exit_code == 0
    assert "cat two 1×16×6×6" in result.output and "ratio:" in result.output
    found = json.loads((tmp_path / "cat.json").read_text(encoding="utf-8"))
    assert set(found) == {"machine", "figures", "records"} and found["machine"]["ceilings"]["peak"] > 0


def test_why_prints_reasons_and_no_times(cli, here):
    text = cli("bench", "conv2d", "--why", *TOY).output
    assert "conv2d 3×3 16→16 @6\n    conv2d 1×16×6×6 16×16×3×3 16 float32: kernels/fast/conv2d.py, " in text
    assert "because" in text and "ratio" not in text and " ms" not in text


def test_without_pytorch_our_own_algorithms_are_compared(cli, here, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    text = cli("bench", "max_pool2d", *TOY).output
    assert "plain" in text and "PyTorch is not installed" in text and "c-last" not in text


def test_the_training_step_and_charts(cli, here, tmp_path):
    assert "unet step base 16, 1 × 3 × 16 × 16" in cli("bench", "unet", *TOY).output
    assert cli("bench", "relu", *TOY, "--charts", tmp_path / "charts").exit_code == 0
    assert sorted(p.name for p in (tmp_path / "charts").iterdir()) == ["bars.png", "roofline.png"]


def test_a_wrong_name_is_one_sentence(cli):
    result = cli("bench", "conv3d")
    assert (
        result.exit_code == 2 and "did you mean conv2d?" in result.stderr and issubclass(UserError, Exception)
    )
