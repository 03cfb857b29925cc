"""A stand-in for Graphviz's `dot -Tsvg`: refuses what dot could not read, and writes the labels as SVG.

test_graph.py puts it on the path, so that the way through `dot` is tested where Graphviz is not installed.
"""

import re
import sys
from xml.sax.saxutils import escape

TEXT = r'"((?:[^"\\]|\\.)*)"'
VERTEX = re.compile(rf"(n\d+) \[label={TEXT}, shape=(?:ellipse|box, style=filled, fillcolor=\w+)\]")
ARROW = re.compile(rf"(n\d+) -> (n\d+) \[label={TEXT}\]")


def labels(source: str) -> list[str]:
    """The labels of vertices and arrows; an arrow must join vertices that were defined before."""
    first, *lines, last = (line.strip() for line in source.splitlines())
    assert (first, last) == ("digraph {", "}")
    found, defined = [], set()
    for line in lines:
        if line.startswith(("node [", "edge [")):
            continue
        vertex, arrow = VERTEX.fullmatch(line), ARROW.fullmatch(line)
        assert vertex or arrow, f"syntax error: {line}"
        if vertex:
            defined.add(vertex[1])
        elif not {arrow[1], arrow[2]} <= defined:
            raise AssertionError(f"an arrow between unknown vertices: {line}")
        label = vertex[2] if vertex else arrow[3]
        found.append(re.sub(r"\\(.)", lambda m: " " if m[1] == "n" else m[1], label))
    return found


if __name__ == "__main__":
    assert sys.argv[1:] == ["-Tsvg"]
    sys.stdin.reconfigure(encoding="utf-8")
    sys.stdout.reconfigure(encoding="utf-8")
    texts = ["drawn by the stand-in", *labels(sys.stdin.read())]
    print('<svg xmlns="http://www.w3.org/2000/svg">')
    print("\n".join(f"<text>{escape(text)}</text>" for text in texts))
    print("</svg>")
