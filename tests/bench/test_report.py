"""Ratios, tables, figures and the file."""

import json

import pytest

from minitorch_seg.bench import report


def record(contestant, seconds, case="a", group="conv 3×3", operator="conv2d", threads=1, **more):
    spread = {"median": seconds, "low": 0.9 * seconds, "high": 1.1 * seconds}
    other = {"median": 100.0, "low": 100.0, "high": 100.0}
    cpu, wall = (spread, other) if threads == 1 else (other, spread)
    labels = {"contestant": contestant, "case": case, "group": group, "operator": operator}
    times = {"cpu": cpu, "wall": wall, "threads": threads, "isa": "native", "dtype": "float32", "flops": 2e9}
    return labels | times | {"errors": {"y": 1e-6}} | more


def test_the_ratio_is_to_the_better_format_and_by_the_clock_that_counts():
    records = [record("auto", 2.0), record("plain", 1.0), record("torch", 8.0)]
    (case,) = report.by_case([*records, record("torch channels-last", 5.0)]).values()
    assert report.ratio(case) == 2.5
    (case,) = report.by_case([record("auto", 2.0, threads=2), record("torch", 8.0, threads=2)]).values()
    assert report.ratio(case) == 4.0


def test_cases_of_one_name_in_two_groups_stay_apart():
    records = [record("auto", 1.0), record("auto", 3.0, group="U-Net layers, base 16")]
    assert [found["auto"]["cpu"]["median"] for found in report.by_case(records).values()] == [1.0, 3.0]


def test_plain_loops_stand_in_only_where_pytorch_is_not_installed():
    (case,) = report.by_case([record("auto", 2.0), record("plain", 6.0)]).values()
    assert report.ratio(case) == 3.0
    failed = {
        "contestant": "torch",
        "case": "a",
        "operator": "conv2d",
        "group": "conv 3×3",
        "failed": "broken",
    }
    (case,) = report.by_case([record("auto", 2.0), record("plain", 6.0), failed]).values()
    assert report.ratio(case) is None


def test_the_table_shows_times_spread_rate_ratio_and_what_failed():
    failed = {k: v for k, v in record("torch", 1.0, "b").items() if k not in ("cpu", "wall")}
    records = [record("auto", 0.5), record("torch", 1.0), record("auto", 0.25, "b"), failed | {"failed": "x"}]
    lines = report.table(records).splitlines()
    assert "processor time" in lines[0] and "1 thread" in lines[0]
    assert lines[2].split() == ["conv2d", "a", "500.00", "±10%", "1000.00", "±10%", "4", "2.00"]
    assert lines[3].split() == ["conv2d", "b", "250.00", "±10%", "failed", "8"]
    assert "PyTorch's formats" in lines[-1]
    assert "PyTorch is not installed" in report.table(records[:1])


def test_figures_sum_up_and_name_what_is_missed():
    step = {"group": "step", "operator": "unet", "base": 16, "serial": 0.2}
    records = [
        record("auto", 1.0, "a"), record("torch", 4.0, "a"),
        record("auto", 1.0, "b"), record("torch", 1.0, "b", errors={"y": 1.0}),
        record("auto", 1.0, "c", "other convolutions", why=["conv2d 1×1: f.py, winograd, because"]),
        record("torch", 0.5, "c", "other convolutions"),
        record("auto", 1.0, "pool", "operators", "max_pool2d"),
        record("torch", 3.0, "pool", "operators", "max_pool2d"),
        record("auto", 1.0, "up", "operators", "conv_transpose2d"),
        record("torch", 1.4, "up", "operators", "conv_transpose2d"),
        record("auto", 1.0, "up", "U-Net layers, base 16", "conv_transpose2d"),
        record("torch", 0.9, "up", "U-Net layers, base 16", "conv_transpose2d"),
        record("auto", 1.0, "s", **step), record("torch", 1.5, "s", **step),
        record("auto", 0.5, "s", threads=2, **step), record("torch", 2.0, "s", threads=2, **step),
        record("torch", 1.0, "s", threads=2, **step, OMP_WAIT_POLICY="passive"),
        {"group": "memory", "contestant": "auto", "base": 16, "threads": 1, "bytes": 3e6},
        {"group": "memory", "contestant": "torch", "base": 16, "threads": 1, "bytes": 4e6},
        {"group": "memory", "contestant": "torch channels-last", "base": 16, "threads": 1, "bytes": 6e6},
        {"group": "start", "contestant": "auto", "case": "cold", "threads": 1, "from_start": 20.0},
    ]  # fmt: skip
    for r in records:
        if r["group"] == "step" and r["contestant"] == "auto" and r["threads"] == 1:
            r["wall"] = {"median": 0.9, "low": 0.9, "high": 0.9}
    found = report.figures(records)
    assert found == pytest.approx(
        {
            "conv 3×3, geometric mean": 2.0,
            "every convolution, worst": 0.5,
            "max_pool2d, worst": 3.0,
            "conv_transpose2d, worst": 0.9,
            "U-Net step, base 16": 1.5,
            "serial share of the step, base 16": 0.2,
            "U-Net step, base 16, 2 threads": 2.0,
            "own U-Net step, 2 threads against 1, base 16": 1.8,
            "peak memory of our step in MB, base 16": 3.0,
            "peak memory against PyTorch's, base 16": 0.75,
            "cold first step, seconds": 20.0,
            "Winograd's largest error": 1e-6,
        }
    )
    lines = report.figures_table(found).splitlines()
    missed = [line[:40].strip() for line in lines if line.endswith("missed")]
    assert missed[:2] == ["every convolution, worst", "conv_transpose2d, worst"]
    assert missed[2:] == ["serial share of the step, base 16"]


def test_the_file_holds_everything(tmp_path):
    records = [record("auto", 1.0)]
    report.save(tmp_path / "all.json", {"cores": 2}, records, {"figure": 1.0})
    found = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    assert found == {"machine": {"cores": 2}, "figures": {"figure": 1.0}, "records": records}
