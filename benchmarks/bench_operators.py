"""What stands between the convolutions: pooling, resampling, normalisation, losses, recurrence.

python -m benchmarks.bench_operators [options of run.py]
"""

from benchmarks.run import Settings, main
from minitorch_seg.bench.measure import Record

TORCH = ("torch", "torch channels-last")


def records(settings: Settings) -> list[Record]:
    """Our way from the NumPy reference over plain loops to what a user gets, and PyTorch."""
    found = settings.group("operators", ("auto", "plain", "reference", *TORCH))
    if settings.threads > 1:
        found += settings.group("operators", ("auto", *TORCH), settings.threads)
    return found


if __name__ == "__main__":
    main(["operators"])
