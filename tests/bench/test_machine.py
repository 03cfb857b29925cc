"""The machine: its description, and ceilings that nothing of ours may be far above."""

import json

from minitorch_seg.bench import machine


def test_the_description_says_what_results_depend_on():
    found = machine.description()
    assert {"date", "processor", "cores", "memory", "vectors", "numpy", "numba", "torch", "load"} <= set(
        found
    )
    json.dumps(found)


def test_ceilings_are_plausible():
    found = machine.ceilings(seconds=0.02, megabytes=8)
    assert found["peak"] > 1e8 and found["memory"] > 1e7 and found["cache"] > 1e7
    assert found["peak"] / found["memory"] > 0.1  # operations a byte
