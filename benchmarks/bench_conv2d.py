"""Convolutions: each of our algorithms, PyTorch in both memory formats, and every other library that is here.

    python -m benchmarks.bench_conv2d [options of run.py]

Forward, both gradients and bias.  Each result's error against float64 is in the JSON file, Winograd's too.
"""

from benchmarks.run import Settings, main
from minitorch_seg.bench.measure import Record

ALL = ("auto", "winograd", "direct", "plain", "reference", "torch", "torch channels-last")


def records(settings: Settings) -> list[Record]:
    """All shapes on one thread by everybody; the headline's shapes on all threads by us and PyTorch."""
    others = "benchmarks.other_libraries:here"
    found = [
        *settings.group("conv 3×3", ALL, others=others),
        *settings.group("other convolutions", ALL, others=others),
    ]
    if settings.threads > 1:
        found += settings.group("conv 3×3", ("auto", "torch", "torch channels-last"), settings.threads)
    return found


if __name__ == "__main__":
    main(["conv2d"])
