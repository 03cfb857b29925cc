"""A picture of the recorded graph: which operations led from the leaves to a result, and what flowed between
them.

    ms.plot.graph(loss).save("graph.svg")

An ellipse is an operation, a box a leaf (a parameter or an input); an arrow carries the shape of what flowed
forward and, on request, the norm of the gradient that flows back.  Graphviz's `dot` draws it where it is
installed; else matplotlib does, level by level.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_seg.autograd import Tensor
from minitorch_seg.autograd.backward import gradients_at
from minitorch_seg.io import write_text


@dataclass
class Drawing:
    """An SVG picture; notebooks show it, `save` writes it.  `alt` says in words what it shows."""

    svg: str
    alt: str = ""

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.svg.encode()).decode("ascii")
        return (
            f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(self.alt, quote=True)}" '
            'style="max-width:100%;height:auto;background:white">'
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the SVG file, and return its path."""
        write_text(Path(path), self.svg)
        return Path(path)


@dataclass
class _Vertex:
    label: str
    is_leaf: bool
    level: int = 0
    shapes: dict[int, tuple[int, ...]] = field(default_factory=dict)  # of each result


@dataclass
class _Arrow:
    source: int
    target: int
    label: str


def graph(output: Tensor, *, names: Mapping[str, Tensor] | None = None, norms: bool = False) -> Drawing:
    """Draw everything that `output` was computed from.

    Args:
        output: a recorded tensor, a loss say, before backward() has freed the graph.
        names: name -> leaf, `dict(model.named_parameters())` for example; other leaves are called by their
            shape.
        norms: write the 2-norm of the gradient of `output` (of its sum, if it has several elements) at each
            arrow.

    >>> import minitorch_seg as ms
    >>> w = ms.tensor([1.0, 2.0], requires_grad=True)
    >>> drawing = graph((w * w).sum(), names={"w": w}, norms=True)
    >>> "Mul" in drawing.svg and "Sum" in drawing.svg
    True
    >>> drawing.alt
    'A graph: Mul takes w (2, ‖g‖ = 4.47) twice; the result is Sum, which takes Mul (2, ‖g‖ = 1.41).'
    """
    if output.grad_fn is None:
        raise ValueError(
            "there is no graph to draw: this tensor was not computed from one that requires a gradient"
        )
    vertices, arrows = _collect(output, names or {}, norms)
    alt = _words(vertices, arrows)
    program = shutil.which("dot")
    if program is None:
        return Drawing(_matplotlib_svg(vertices, arrows), alt)
    result = subprocess.run(
        [program, "-Tsvg"], input=_dot(vertices, arrows), capture_output=True, text=True, check=True
    )
    return Drawing(result.stdout, alt)


def _collect(output: Tensor, names: Mapping[str, Tensor], norms: bool) -> tuple[list[_Vertex], list[_Arrow]]:
    """Vertices and arrows, the output's own vertex first; levels count from it."""
    known = {id(tensor): name for name, tensor in names.items()}
    root = output.gradient_edge()[0]
    numbers: dict[Any, int] = {root: 0}
    waiting, order = [root], []
    while waiting:  # every node after those it was found from
        node = waiting.pop()
        order.append(node)
        for edge in getattr(node, "edges", ()):
            if edge is not None and edge[0] not in numbers:
                numbers[edge[0]] = len(numbers)
                waiting.append(edge[0])
    vertices = [_Vertex("", False) for _ in numbers]
    for node, number in numbers.items():
        leaf = getattr(node, "tensor", None)
        label = node.name if leaf is None else f"{known.get(id(leaf), 'leaf')}\n{_text(leaf.shape)}"
        vertices[number] = _Vertex(label, leaf is not None)
    by_birth = sorted(numbers, key=lambda node: -node.sequence)
    edges = [(n, i, e) for n in by_birth for i, e in enumerate(getattr(n, "edges", ())) if e is not None]
    lengths: dict[Any, float] = {}
    if norms:
        targets = list({edge: None for _, _, edge in edges})
        found = gradients_at(output, targets)
        lengths = {
            t: 0.0 if g is None else float(np.linalg.norm(g.data))
            for t, g in zip(targets, found, strict=True)
        }
    arrows = []
    for node, i, edge in edges:  # users before what they use: levels are longest paths
        source, target = numbers[edge[0]], numbers[node]
        vertices[source].level = max(vertices[source].level, vertices[target].level + 1)
        label = _text(node.inputs[i][0]) + (f"\n‖g‖ = {lengths[edge]:.3g}" if norms else "")
        arrows.append(_Arrow(source, target, label))
    return vertices, arrows


def _text(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "number"


def _words(vertices: list[_Vertex], arrows: list[_Arrow], most: int = 12) -> str:
    """The graph as a sentence, operation by operation; of a large one, how large it is."""
    operations = sorted(
        (n for n, v in enumerate(vertices) if not v.is_leaf), key=lambda n: -vertices[n].level
    )
    result = vertices[0].label
    if len(operations) > most:
        leaves = len(vertices) - len(operations)
        return f"A graph of {len(operations)} operations on {leaves} leaves; the result is {result}."
    said = []
    for number in operations:
        taken: dict[str, int] = {}
        for arrow in arrows:
            if arrow.target == number:
                what = vertices[arrow.source].label.partition("\n")[0]
                value = arrow.label.replace("\n", ", ")
                taken[f"{what} ({value})"] = taken.get(f"{what} ({value})", 0) + 1
        listed = " and ".join(what + (" twice" if times == 2 else "") for what, times in taken.items())
        takes = f"takes {listed}"
        label = vertices[number].label
        said.append(f"the result is {label}, which {takes}" if number == 0 else f"{label} {takes}")
    return f"A graph: {'; '.join(said)}."


def _dot(vertices: list[_Vertex], arrows: list[_Arrow]) -> str:
    """The graph in Graphviz's language."""

    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'

    lines = [
        "digraph {",
        '  node [fontname="sans-serif", fontsize=11]',
        '  edge [fontname="sans-serif", fontsize=9]',
    ]
    for number, vertex in enumerate(vertices):
        look = "shape=box, style=filled, fillcolor=lightyellow" if vertex.is_leaf else "shape=ellipse"
        lines.append(f"  n{number} [label={quoted(vertex.label)}, {look}]")
    lines += [f"  n{a.source} -> n{a.target} [label={quoted(a.label)}]" for a in arrows]
    return "\n".join([*lines, "}", ""])


def _matplotlib_svg(vertices: list[_Vertex], arrows: list[_Arrow]) -> str:
    """The graph drawn level by level, leaves above, the output at the bottom."""
    import matplotlib
    from matplotlib.figure import Figure

    columns: dict[int, list[int]] = {}
    for number, vertex in enumerate(vertices):
        columns.setdefault(vertex.level, []).append(number)
    place = {}
    for level, members in columns.items():
        for k, number in enumerate(members):
            place[number] = ((k - (len(members) - 1) / 2) * 2.2, float(level))
    widest, deepest = max(len(m) for m in columns.values()), max(columns)
    with matplotlib.rc_context(
        {"svg.fonttype": "none"}
    ):  # text stays text: it can be searched and read aloud
        figure = Figure(figsize=(max(4.0, 1.6 * widest), max(3.0, 0.9 * (deepest + 1))))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        for arrow in arrows:
            (x0, y0), (x1, y1) = place[arrow.source], place[arrow.target]
            look = {"arrowstyle": "->", "color": "gray", "shrinkA": 12, "shrinkB": 12}
            axes.annotate("", (x1, y1), (x0, y0), arrowprops=look)
            paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
            middle = ((x0 + x1) / 2, (y0 + y1) / 2)
            axes.text(*middle, arrow.label, size=7, ha="center", va="center", bbox=paper, parse_math=False)
        for number, vertex in enumerate(vertices):
            box = {
                "boxstyle": "square" if vertex.is_leaf else "round",
                "facecolor": "lightyellow" if vertex.is_leaf else "white",
            }
            x, y = place[number]
            axes.text(x, y, vertex.label, size=9, ha="center", va="center", bbox=box, parse_math=False)
        half = 1.1 * widest + 0.6
        axes.set_xlim(-half, half)
        axes.set_ylim(-0.7, deepest + 0.7)
        buffer = StringIO()
        figure.savefig(buffer, format="svg")
    return buffer.getvalue()
