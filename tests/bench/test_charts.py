"""The two charts show every case that has times."""

from minitorch_seg.bench import charts
from minitorch_seg.plot import save
from tests.bench.test_report import record

RECORDS = [
    record("auto", 1.0, "a", bytes=1e8), record("torch", 2.0, "a", bytes=1e8),
    record("auto", 1.0, "b", bytes=1e7), record("torch", 0.5, "b", bytes=1e7),
    record("auto", 1.0, "no rival", bytes=1e7) | {"flops": 0},
]  # fmt: skip


def test_bars(tmp_path):
    figure = charts.bars(RECORDS, "title")
    (axes,) = figure.axes
    assert [round(bar.get_width(), 3) for bar in axes.patches] == [-0.5, 1.0]  # from 1, the last case lowest
    assert [label.get_text() for label in axes.get_yticklabels()] == ["conv2d b", "conv2d a"]
    save(figure, tmp_path / "bars.png")


def test_roofline(tmp_path):
    figure = charts.roofline(RECORDS, {"peak": 1e11, "memory": 1e10, "cache": 1e11}, "title")
    ours, theirs = (points.get_offsets().tolist() for points in figure.axes[0].collections)
    assert ours == [[20.0, 2.0], [200.0, 2.0]] and theirs == [[20.0, 1.0], [200.0, 4.0]]
    save(figure, tmp_path / "roofline.png")


def test_nothing_to_show_is_an_empty_chart():
    charts.bars([], "nothing")
    charts.roofline([], {"peak": 1e11, "memory": 1e10, "cache": 1e11}, "nothing")
