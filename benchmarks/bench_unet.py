"""The U-Net: its layers at three widths, the whole training step, how that grows, memory, and the start.

python -m benchmarks.bench_unet [options of run.py]
"""

import tempfile

from benchmarks.run import Settings, main
from minitorch_seg.bench.measure import Record

TORCH = ("torch", "torch channels-last")


def records(settings: Settings) -> list[Record]:
    return [
        *layers(settings),
        *steps(settings),
        *growth(settings),
        *memory(settings),
        *start(settings),
    ]


def layers(settings: Settings) -> list[Record]:
    return [
        record
        for base in (16, 32, 64)
        for record in settings.group(f"U-Net layers, base {base}", ("auto", *TORCH))
    ]


def steps(settings: Settings) -> list[Record]:
    """On one thread, two, four ... and all; there PyTorch's threads wait actively and passively."""
    counts = [1, *(count for count in (2, 4, 8, 16, 32) if count < settings.threads)]
    counts += [settings.threads] if settings.threads > 1 else []
    sizes, found = [settings.size(base=base) for base in (16, 32)], []
    for threads in counts:
        found += settings.steps("step", threads, sizes)
        if threads > 1:
            found += settings.steps("step", threads, sizes, OMP_WAIT_POLICY="passive")
    return found


def growth(settings: Settings) -> list[Record]:
    """From small images to large ones, two at a time; and from one image to 32."""
    sides = [settings.size(batch=2, side=side) for side in (64, 128, 256, 512)]
    batches = [settings.size(batch=batch) for batch in (1, 2, 4, 8, 16, 32)]
    return settings.steps("image side", 1, sides) + settings.steps("batch", 1, batches)


def memory(settings: Settings) -> list[Record]:
    """The most memory that a step takes; each contestant in a process of its own."""
    found = []
    for base in (16, 32):
        for name in ("auto", *settings.torch):
            size = settings.size(base=base)
            taken = settings.fresh("minitorch_seg.bench.unet:memory", {"library": name, **size}, 1)
            found.append({"group": "memory", "contestant": name, "base": size["base"], "threads": 1, **taken})
    return found


def start(settings: Settings) -> list[Record]:
    """A first step that has to compile every kernel, and one that finds them compiled."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("cold", "warm"):
            task, size = "minitorch_seg.bench.unet:first_step", settings.size()
            taken = settings.fresh(task, size, 1, NUMBA_CACHE_DIR=folder)
            found.append({"group": "start", "contestant": "auto", "case": name, "threads": 1, **taken})
    return found


if __name__ == "__main__":
    main(["unet"])
