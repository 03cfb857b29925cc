"""Fresh processes: what is pinned in them, what comes back, and what happens when none does."""

import os

import pytest

from minitorch_seg.bench import process


def whats_there() -> dict:
    """The task of a child below."""
    return {name: os.environ.get(name) for name in (*process.THREADS, "ONEDNN_MAX_CPU_ISA", "COLOUR")}


def stops() -> None:
    raise ValueError("stopped on purpose")


def test_threads_and_instruction_set_are_pinned_in_the_child():
    found = process.fresh(f"{__name__}:whats_there", {}, threads=3, isa="avx2", COLOUR="blue")
    assert found == {**dict.fromkeys(process.THREADS, "3"), "ONEDNN_MAX_CPU_ISA": "AVX2", "COLOUR": "blue"}


def test_a_child_without_a_result_is_an_error_with_its_name():
    with pytest.raises(process.ProcessFailed, match="stops"):
        process.fresh(f"{__name__}:stops", {})
