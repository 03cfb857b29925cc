"""The picture of the recorded graph: everything is in it, once, with the right shapes and norms."""

import os
import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import minitorch_seg as ms
from minitorch_seg import graph as module


@pytest.fixture
def loss():
    ms.manual_seed(0)
    model = ms.nn.Sequential(ms.nn.Conv2d(1, 2, 3), ms.nn.ReLU(), ms.nn.Conv2d(2, 3, 1))
    logits = model(ms.rand(2, 1, 6, 5))
    return ms.functional.cross_entropy(logits, ms.tensor(np.zeros((2, 4, 3), np.int64))), model


def test_vertices_and_arrows_are_the_recorded_graph(loss):
    value, model = loss
    vertices, arrows = module._collect(value, dict(model.named_parameters()), False)
    labels = [v.label for v in vertices]
    assert labels.count("Conv2d") == 2 and labels.count("Relu") == labels.count("CrossEntropy") == 1
    leaves = sorted(v.label for v in vertices if v.is_leaf)
    assert leaves == ["0.bias\n2", "0.weight\n2×1×3×3", "2.bias\n3", "2.weight\n3×2×1×1"]
    shapes = {(labels[a.source], labels[a.target]): a.label for a in arrows}
    assert shapes["Relu", "Conv2d"] == "2×2×4×3" and shapes["Conv2d", "CrossEntropy"] == "2×3×4×3"
    assert all(vertices[a.source].level > vertices[a.target].level for a in arrows)


def test_what_is_seen_is_said_in_words(loss):
    value, model = loss
    drawing = ms.plot.graph(value, names=dict(model.named_parameters()), norms=True)
    for word in ("Conv2d takes 0.weight (2×1×3×3, ‖g‖ = ", "the result is CrossEntropy, which takes Conv2d"):
        assert word in drawing.alt
    assert f'alt="{drawing.alt}"' in drawing._repr_html_()
    for _ in range(12):
        value = value + 1
    drawing = ms.plot.graph(value)
    assert drawing.alt == "A graph of 16 operations on 4 leaves; the result is Add."


def test_a_shared_leaf_stands_once_with_two_arrows():
    w = ms.tensor([1.0, 2.0], requires_grad=True)
    vertices, arrows = module._collect((w * w).sum(), {"w": w}, False)
    assert sum(v.is_leaf for v in vertices) == 1 and len(arrows) == 3


def test_norms_are_those_of_the_gradients_and_no_grad_is_touched(loss):
    value, model = loss
    vertices, arrows = module._collect(value, dict(model.named_parameters()), True)
    assert all(p.grad is None for p in model.parameters())
    value.backward()
    for name, p in model.named_parameters():
        written = next(a.label for a in arrows if vertices[a.source].label.startswith(f"{name}\n"))
        assert written.endswith(f"‖g‖ = {np.linalg.norm(p.grad.data):.3g}")


def install_stand_in(folder, monkeypatch):
    """A program called dot, the first on the path."""
    program = folder / "dot"
    program.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).parent / "dot_stand_in.py"}" "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


@pytest.mark.parametrize("drawn_by", ["dot", "a stand-in for dot", "matplotlib"])
def test_svg(loss, drawn_by, monkeypatch, tmp_path):
    if drawn_by == "dot" and shutil.which("dot") is None:
        pytest.skip("Graphviz's dot is not installed")
    if drawn_by == "a stand-in for dot":
        install_stand_in(tmp_path, monkeypatch)
    if drawn_by == "matplotlib":
        monkeypatch.setattr(module.shutil, "which", lambda name: None)
    value, model = loss
    names = {'a "$x_{" \\ name': model[0].weight}
    path = ms.plot.graph(value, names=names, norms=True).save(tmp_path / "graph.svg")
    text = "".join(ET.parse(path).getroot().itertext())
    for word in ("Conv2d", "Relu", "CrossEntropy", "2×1×3×3", "‖g‖", 'a "$x_{" \\ name'):
        assert word in text
    if drawn_by == "a stand-in for dot":
        assert "drawn by the stand-in" in text


def test_norms_are_written_on_request_only(loss):
    value, _ = loss
    assert "‖g‖" not in ms.plot.graph(value).svg


def test_a_graph_that_backward_has_freed_can_still_be_drawn_but_has_no_norms(loss):
    value, _ = loss
    value.backward()
    assert "CrossEntropy" in ms.plot.graph(value).svg
    with pytest.raises(RuntimeError, match="a second time"):
        ms.plot.graph(value, norms=True)


def test_without_a_graph():
    with pytest.raises(ValueError, match="no graph"):
        ms.plot.graph(ms.tensor(1.0))
