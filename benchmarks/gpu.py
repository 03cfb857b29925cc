"""Our CUDA kernels and PyTorch's (cuDNN, cuBLAS) on one GPU: convolutions, matrix products, the U-Net's
training step.

    python -m benchmarks.gpu                     a table, some minutes
    python -m benchmarks.gpu --out gpu.json      the same numbers in a file as well
    python -m benchmarks.gpu --tests             the tests that need a GPU first (pytest -m gpu tests/gpu)

PyTorch runs with TF32 switched off (float32 throughout, as we compute) and on (its products round to 10
bits).  Times are medians, contestants in turn; everything that a call launches counts, packing
of weights too.

    ms on the GPU    between CUDA events; the GPU is kept busy until the calls are queued, so that it does not
                     wait for Python between short kernels
    ms of the host   until the calls return: where this is longer, Python decides how long a program takes

A training step reads numbers back (whether the classes are valid), so its GPU waits for the host all
the same.

The last column is the part of the GPU's own limit (arithmetic or memory, whichever takes longer for the case)
that was reached.  The limit of a U-Net's step is that of its launches one after the other: the operations of
each product from its sizes, and each number that a launch reads or writes counted once (`work` says where
whole arrays stand for them).  Every result of ours is compared with PyTorch's in float32; a wrong one ends
the run with 1.

Without PyTorch for CUDA only ours are timed.  Without a GPU it says what is missing, and ends with 2.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, partial
from itertools import chain
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

import minitorch_seg as ms
from minitorch_seg import functional as F
from minitorch_seg.bench.unet import Size, torch_unet
from minitorch_seg.kernels import cuda as room

ROUNDS = 15
WRONG = 1e-3  # of the largest number
CALLS = 3  # between two events
BUSY = 100.0  # milliseconds: a call that takes the host longer waits for the GPU itself
CORES = {(7, 5): 64, (8, 0): 64}  # float32 units of a multiprocessor; 128 in all others

# name, batch, channels, outputs, side, kernel, stride: layers of a U-Net and of a residual network
CONVOLUTIONS = [
    ("3 → 64, 3×3, 224²", 8, 3, 64, 224, 3, 1),
    ("16 → 16, 3×3, 224²", 8, 16, 16, 224, 3, 1),
    ("64 → 64, 3×3, 112²", 16, 64, 64, 112, 3, 1),
    ("128 → 128, 3×3, 56²", 16, 128, 128, 56, 3, 1),
    ("512 → 512, 3×3, 14²", 16, 512, 512, 14, 3, 1),
    ("64 → 128, 3×3, 112², stride 2", 16, 64, 128, 112, 3, 2),
    ("256 → 64, 1×1, 56²", 16, 256, 64, 56, 1, 1),
]
PRODUCTS = [(1024, 1024, 1024), (4096, 4096, 4096), (50000, 64, 256), (64, 256, 100000)]
STEPS = [Size(16, 8, 96), Size(64, 8, 256)]


@dataclass
class Timing:
    """One contestant in one case."""

    case: str
    contestant: str
    milliseconds: float
    host: float  # milliseconds until the call returns
    limit: float = 0.0  # milliseconds that the GPU's arithmetic and memory need at least

    def __str__(self) -> str:
        part = f"{self.limit / self.milliseconds:7.0%}" if self.limit else ""
        return f"{self.case:44} {self.contestant:16} {self.milliseconds:10.3f} {self.host:10.3f} {part}"


@dataclass
class Device:
    """What the GPU says of itself, and the two limits that follow from it."""

    name: str
    flops: float  # a second
    bytes: float  # a second

    def milliseconds(self, flops: float, moved: float) -> float:
        return 1e3 * max(flops / self.flops, moved / self.bytes)


def device() -> Device:
    from minitorch_seg.kernels.cuda.driver import cuda

    gpu = cuda.get_current_device()
    name = gpu.name.decode() if isinstance(gpu.name, bytes) else gpu.name
    cores = CORES.get(tuple(gpu.compute_capability), 128)
    flops = 2 * cores * gpu.MULTIPROCESSOR_COUNT * gpu.CLOCK_RATE * 1e3
    return Device(name, flops, 2 * gpu.MEMORY_CLOCK_RATE * 1e3 * gpu.GLOBAL_MEMORY_BUS_WIDTH / 8)


@cache
def idling() -> Any:
    """A kernel of one thread that keeps the GPU busy: each multiply-add waits for the one before it."""
    from minitorch_seg.kernels.cuda.driver import Kernel, types

    factor = types.float32(0.5)

    def kernel(y, rounds):
        a = y[0]
        for _ in range(rounds):
            a = a * factor + factor
        y[0] = a

    return Kernel("benchmark idling", kernel, ("float32[::1]", "int32"), (1,))


def keep_busy(milliseconds: float) -> None:
    """Queues work of at least that length: a multiply-add takes four cycles."""
    from minitorch_seg.kernels.cuda.array import to_device
    from minitorch_seg.kernels.cuda.driver import cuda, launch

    cycles = milliseconds * cuda.get_current_device().CLOCK_RATE  # of kHz
    launch(idling(), 1, to_device(np.ones(1, np.float32)), int(cycles / 4))


def timed(call: Callable[[], Any]) -> tuple[float, float]:
    """Milliseconds of a call (on the GPU between two events, of the host), several in a row."""
    from minitorch_seg.kernels.cuda.driver import cuda

    begin, end = cuda.event(timing=True), cuda.event(timing=True)
    host = _queued(call, cuda.synchronize)
    begin.record()
    for _ in range(CALLS):
        call()
    end.record()
    cuda.synchronize()
    return cuda.event_elapsed_time(begin, end) / CALLS, host


def timed_torch(torch: Any, call: Callable[[], Any]) -> tuple[float, float]:
    """The same with PyTorch's events, in its own stream, which by default is the same one."""
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    host = _queued(call, torch.cuda.synchronize)
    begin.record()
    for _ in range(CALLS):
        call()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / CALLS, host


def _queued(call: Callable[[], Any], synchronize: Callable[[], None]) -> float:
    """The host's milliseconds of a call; leaves the GPU busy for twice as long as it takes to queue CALLS."""
    synchronize()
    start = time.perf_counter()
    for _ in range(CALLS):
        call()
    spent = 1e3 * (time.perf_counter() - start)
    synchronize()
    keep_busy(min(2 * spent, BUSY))
    return spent / CALLS


def work(kernel: Any, arguments: Sequence[Any]) -> tuple[float, float]:
    """(operations, bytes) of a launch: of products from their sizes, of other kernels the bytes alone, which
    take longer.

    Bytes are those of the arrays that the launch is given, read or written once; of copies, of the parts of
    `cat` and of the phases of an up-convolution only the numbers that are touched.  A kernel that picks a few
    places of a large array counts all of it: the limit is a little too long there.
    """
    named = dict(zip(kernel.function.__code__.co_varnames, arguments, strict=False))
    operator = kernel.name.split()[0]
    factors: tuple[Any, ...] = (0,)
    most: dict[str, int] = {}  # numbers of an array that are touched
    if operator == "conv2d":
        factors = named["count"], named["all_outs"], named["taps"], named["channels"]
        most["y"] = int(named["count"]) * int(named["all_outs"])
    elif operator == "conv2d_weight":
        factors = named["total"], named["grad"].size
    elif operator == "matmul":
        factors = named["matrices"], named["rows"], named["columns"], named["terms"]
    elif operator == "cat" or "n" in named:  # element by element
        most = dict.fromkeys(named, int(named["count" if operator == "cat" else "n"]))
    moved = sum(
        min(a.size, most.get(name, a.size)) * a.itemsize for name, a in named.items() if hasattr(a, "storage")
    )
    return 2.0 * prod(map(int, factors)), float(moved)


@contextmanager
def counted(total: list[tuple[float, float]]) -> Iterator[None]:
    """Puts the work of each launch of the body into `total`."""
    from minitorch_seg.kernels.cuda import driver

    launch = driver.backend.launch

    def counting(kernel: Any, grid: Any, arguments: Sequence[Any]) -> None:
        total.append(work(kernel, arguments))
        launch(kernel, grid, arguments)

    driver.backend.launch = counting
    try:
        yield
    finally:
        del driver.backend.launch


def in_turn(case: str, limit: float, ours: Callable, theirs: Callable | None, torch: Any) -> Iterator[Timing]:
    """Medians of ours, of PyTorch's in float32, and of PyTorch's with TF32."""
    times: dict[str, list[tuple[float, float]]] = {}
    for turn in range(ROUNDS + 3):  # the first three warm up
        found = {"minitorch_seg": timed(ours)}
        if theirs is not None:
            for name, allowed in (("torch float32", False), ("torch TF32", True)):
                use_tf32(torch, allowed)
                found[name] = timed_torch(torch, theirs)
        for name, both in found.items():
            times.setdefault(name, []).extend([both] * (turn >= 3))
    if torch is not None:
        use_tf32(torch, False)
    for name, values in times.items():
        yield Timing(case, name, *map(statistics.median, zip(*values, strict=True)), limit)


def use_tf32(torch: Any, allowed: bool) -> None:
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = allowed


def compared(case: str, torch: Any, ours: Callable, theirs: Callable) -> None:
    """Raises where our result is wrong: further from PyTorch's in float32 than rounding explains."""
    use_tf32(torch, False)
    found, expected = ours().to_host(), theirs().detach().cpu().numpy()
    error = float(np.abs(found - expected).max() / np.abs(expected).max())
    if not error < WRONG:
        raise ArithmeticError(f"{case}: differs from PyTorch's by {error:.1e} of the largest number")


def convolutions(gpu: Device, torch: Any) -> Iterator[Timing]:
    from minitorch_seg.kernels.cuda.array import to_device
    from minitorch_seg.kernels.cuda.conv2d import conv2d, conv2d_weight_gradient
    from minitorch_seg.kernels.cuda.conv_transpose2d import conv_transpose2d
    from minitorch_seg.kernels.layout import as_map

    for name, batch, channels, outs, side, kernel, stride in CONVOLUTIONS:
        rng, pad = np.random.default_rng(0), kernel // 2
        made = (side + 2 * pad - kernel) // stride + 1
        shapes = (batch, channels, side, side), (outs, channels, kernel, kernel), (batch, outs, made, made)
        host = [rng.standard_normal(shape, np.float32) for shape in shapes]
        x, weight, grad = to_device(as_map(host[0])), to_device(host[1]), to_device(as_map(host[2]))
        options: Any = ((stride, stride), (pad, pad), (1, 1), 1)
        size: Any = x.shape[2:]
        window = kernel, kernel
        ours: dict[str, Callable] = {
            "forward": partial(conv2d, x, weight, None, *options),
            "input gradient": partial(conv_transpose2d, grad, weight, None, size, *options),
            "weight gradient": partial(conv2d_weight_gradient, x, grad, window, *options),
        }
        theirs: dict[str, Callable] = {}
        if torch is not None:
            tensors = [torch.from_numpy(a).cuda() for a in host]
            a, b, c = (t.contiguous(memory_format=torch.channels_last) for t in tensors)
            theirs = {
                "forward": partial(torch.conv2d, a, b, None, stride, pad),
                "input gradient": partial(torch.nn.grad.conv2d_input, a.shape, b, c, stride, pad),
                "weight gradient": partial(torch.nn.grad.conv2d_weight, a, b.shape, c, stride, pad),
            }
        flops = 2.0 * batch * made * made * outs * channels * kernel * kernel
        limit = gpu.milliseconds(flops, 4.0 * sum(array.size for array in host))
        for part, call in ours.items():
            case = f"{name}, {part}"
            if torch is not None:
                compared(case, torch, call, theirs[part])
            yield from in_turn(case, limit, call, theirs.get(part), torch)


def products(gpu: Device, torch: Any) -> Iterator[Timing]:
    from minitorch_seg.kernels.cuda.array import to_device
    from minitorch_seg.kernels.cuda.matmul import matmul

    for m, n, k in PRODUCTS:
        rng = np.random.default_rng(0)
        host = rng.standard_normal((m, k), np.float32), rng.standard_normal((k, n), np.float32)
        a, b = map(to_device, host)
        theirs: Callable | None = None
        case = f"matmul {m} × {k} · {k} × {n}"
        if torch is not None:
            left, right = (torch.from_numpy(array).cuda() for array in host)
            theirs = partial(torch.matmul, left, right)
            compared(case, torch, partial(matmul, a, b), theirs)
        limit = gpu.milliseconds(2.0 * m * n * k, 4.0 * (m * k + k * n + m * n))
        yield from in_turn(case, limit, partial(matmul, a, b), theirs, torch)


def unet_steps(gpu: Device, torch: Any) -> Iterator[Timing]:
    """The whole training step: forward, loss, backward, Adam."""
    for size in STEPS:
        ms.manual_seed(0)
        model = ms.models.UNet(3, 3, size.base, 3).to("cuda")
        optimizer = ms.optim.Adam(model.parameters(), lr=1e-3)
        x, target = size.data()
        images, labels = ms.tensor(x, device="cuda"), ms.tensor(target, device="cuda")

        def ours(model=model, optimizer=optimizer, images=images, labels=labels) -> Any:
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        theirs = None
        case = f"U-Net step, base {size.base}, batch {size.batch}, {size.side}²"
        if torch is not None:
            other = torch_unet(torch, size.base)
            state = model.state_dict().items()
            other.load_state_dict(
                {name: torch.from_numpy(np.array(t.to("cpu").numpy())) for name, t in state}
            )
            other = other.cuda().to(memory_format=torch.channels_last)
            adam = torch.optim.Adam(other.parameters(), lr=1e-3)
            torch_x = torch.from_numpy(x).cuda().contiguous(memory_format=torch.channels_last)
            torch_target = torch.from_numpy(target).cuda()

            def theirs(other=other, adam=adam, x=torch_x, target=torch_target) -> Any:
                loss = torch.nn.functional.cross_entropy(other(x), target)
                adam.zero_grad()
                loss.backward()
                adam.step()
                return loss

            use_tf32(torch, False)
            first, expected = ours().item(), theirs().item()
            if not abs(first - expected) < WRONG * abs(expected):
                raise ArithmeticError(f"{case}: our first loss is {first}, PyTorch's {expected}")
        launches: list[tuple[float, float]] = []
        with counted(launches):
            ours()
        limit = sum(gpu.milliseconds(flops, moved) for flops, moved in launches)
        yield from in_turn(case, limit, ours, theirs, torch)


def torch_for_cuda() -> Any:
    """PyTorch, where it is installed and sees the GPU; else None, and it is said."""
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: only our kernels are timed", file=sys.stderr)
        return None
    if not torch.cuda.is_available():
        print("this PyTorch sees no GPU: only our kernels are timed", file=sys.stderr)
        return None
    torch.backends.cudnn.benchmark = True
    return torch


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, help="a JSON file for the numbers")
    parser.add_argument("--tests", action="store_true", help="the tests that need a GPU before them")
    arguments = parser.parse_args(words)
    why = room.problem()
    if not why:
        from minitorch_seg.kernels.cuda import driver

        why = (
            "NUMBA_ENABLE_CUDASIM is set: the simulator says nothing about speed"
            if driver.simulated()
            else ""
        )
    if why:
        print(f"benchmarks.gpu needs an NVIDIA GPU: {why}", file=sys.stderr)
        return 2
    if (
        arguments.tests
        and subprocess.run([sys.executable, "-m", "pytest", "-m", "gpu", "tests/gpu"]).returncode
    ):
        print("the tests have failed: nothing is timed", file=sys.stderr)
        return 1
    gpu, torch, found = device(), torch_for_cuda(), []
    print("\n".join(room.describe()))
    print(f"limits: {gpu.flops / 1e12:.1f} TFLOP/s in float32, {gpu.bytes / 1e12:.2f} TB/s\n")
    print(f"{'case':44} {'contestant':16} {'ms, GPU':>10} {'ms, host':>10} {'of limit':>7}")
    for timing in chain(convolutions(gpu, torch), products(gpu, torch), unet_steps(gpu, torch)):
        print(timing, flush=True)
        found.append(asdict(timing))
    if arguments.out:
        arguments.out.write_text(json.dumps({"device": asdict(gpu), "timings": found}, indent=1), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
