"""The whole training step of a U-Net: ours and PyTorch's, the same weights, images and labels.

Batch 8, 3 × 96 × 96, three classes, `models.UNet(3, 3, base, depth=3)`, cross-entropy, Adam.  `steps` times
it; `memory` and `first_step` want a process of their own each (`process.fresh`).
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import minitorch_seg as ms
from minitorch_seg import functional as F
from minitorch_seg.bench import process
from minitorch_seg.bench.libraries import Torch, torches
from minitorch_seg.bench.measure import Record, in_turn
from minitorch_seg.kernels import parallel

CLASSES, CHANNELS, DEPTH = 3, 3, 3
OURS = "auto"
TOLERANCE = 0.05  # of `difference`
Gradients = dict[str, np.ndarray]


@dataclass(frozen=True)
class Size:
    """What one step works on."""

    base: int = 16
    batch: int = 8
    side: int = 96

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        x = rng.standard_normal((self.batch, CHANNELS, self.side, self.side)).astype("float32")
        return x, rng.integers(0, CLASSES, (self.batch, self.side, self.side))


class OurStep:
    """One training step of our U-Net at each call."""

    name = OURS

    def __init__(self, size: Size) -> None:
        ms.manual_seed(0)
        self.model = ms.models.UNet(CHANNELS, CLASSES, size.base, DEPTH)
        self.optimizer = ms.optim.Adam(self.model.parameters(), lr=1e-3)
        self.x, self.target = map(ms.tensor, size.data())

    def __call__(self) -> float:
        loss = F.cross_entropy(self.model(self.x), self.target)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def gradients(self) -> Gradients:
        """Those of the last step."""
        return {name: p.grad.numpy() for name, p in self.model.named_parameters() if p.grad is not None}


class TorchStep:
    """The same in PyTorch."""

    def __init__(self, library: Torch, size: Size, weights: dict[str, np.ndarray] | None = None) -> None:
        torch = self.torch = library.torch
        self.name = library.name
        self.model = torch_unet(torch, size.base)
        if weights is not None:
            self.model.load_state_dict({name: torch.from_numpy(a.copy()) for name, a in weights.items()})
        self.model.to(memory_format=library.format)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        x, target = size.data()
        self.x, self.target = library.tensor(x), torch.from_numpy(target)

    def __call__(self) -> float:
        loss = self.torch.nn.functional.cross_entropy(self.model(self.x), self.target)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def gradients(self) -> Gradients:
        return {name: p.grad.numpy() for name, p in self.model.named_parameters()}


def torch_unet(torch: Any, base: int) -> Any:
    """`models.UNet` in PyTorch, with the same names of parameters."""
    nn: Any = torch.nn

    def double_conv(channels: int, outputs: int) -> Any:
        half = [
            (nn.Conv2d(c, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())
            for c in (channels, outputs)
        ]
        return nn.Sequential(*half[0], *half[1])

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            widths = [base << level for level in range(DEPTH + 1)]
            pairs = zip([CHANNELS, *widths], widths, strict=False)
            self.down = nn.ModuleList(double_conv(a, b) for a, b in pairs)
            ups = widths[-2::-1]
            self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in ups)
            self.merge = nn.ModuleList(double_conv(2 * w, w) for w in ups)
            self.head = nn.Conv2d(base, CLASSES, 1)

        def forward(self, x: Any) -> Any:
            skips = []
            for level, block in enumerate(self.down):
                x = block(x)
                if level < DEPTH:
                    skips.append(x)
                    x = torch.max_pool2d(x, 2)
            for up, merge in zip(self.up, self.merge, strict=True):
                x = merge(torch.cat([skips.pop(), up(x)], 1))
            return self.head(x)

    return UNet()


def steps(sizes: list[dict[str, int]], threads: int, seconds: float, **labels: Any) -> list[Record]:
    """The step at several sizes (`Size`'s arguments), one after the other in this process."""
    ms.set_num_threads(threads)
    return [record for size in sizes for record in one_size(Size(**size), threads, seconds, **labels)]


def one_size(size: Size, threads: int, seconds: float, **labels: Any) -> list[Record]:
    """Times of a step, in turn, after loss and gradients of the first step have been compared."""
    our_step = OurStep(size)
    weights = {name: t.numpy() for name, t in our_step.model.state_dict().items()}
    others = [TorchStep(library, size, weights) for library in torches(threads)]
    contestants: dict[str, Callable[[], float]] = {OURS: our_step, **{o.name: o for o in others}}
    case = f"step base {size.base}, {size.batch} × {CHANNELS} × {size.side} × {size.side}"
    labels |= {"operator": "unet", "case": case, "dtype": "float32", "threads": threads, **asdict(size)}
    loss, mine = our_step(), our_step.gradients()
    differences = {other.name: difference(loss, mine, other(), other.gradients()) for other in others}
    if not max(differences.values(), default=0.0) < TOLERANCE:
        problem = f"our gradients and PyTorch's differ: {differences}"
        print(f"{case}: {problem}", file=sys.stderr)
        return [{**labels, "contestant": name, "failed": problem} for name in contestants]
    records = [
        {**labels, "contestant": name, **times.record()}
        for name, times in in_turn(contestants, seconds).items()
    ]
    records[0] |= {"serial": serial_share(our_step), "difference": max(differences.values(), default=0.0)}
    return records


def difference(loss: float, mine: Gradients, other_loss: float, theirs: Gradients) -> float:
    """The largest |a − b| / |b| of any parameter's gradient (a whole vector each), or of the loss × 1000.

    A relu whose input is nearly 0 may be open here and closed there; that changes single numbers of a
    gradient by several per cent, in every library, but neither the loss nor the gradient as a whole.
    """
    found = [1000 * abs(loss / other_loss - 1)]
    for name, b in theirs.items():
        found.append(float(np.linalg.norm(mine[name] - b)) / (float(np.linalg.norm(b)) or 1.0))
    return max(found)


def serial_share(step: Callable[[], Any]) -> float:
    """The part of a step's time that no second thread can take over: what runs outside `parallel_for`, or
    within it in a single chunk.  Measured on one thread.
    """
    original, inside = parallel.parallel_for, [0.0]

    def timed(kernel: Callable[..., None], chunks: int, *args: Any) -> None:
        start = time.perf_counter()
        original(kernel, chunks, *args)
        inside[0] += (time.perf_counter() - start) * (chunks > 1)

    users = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("minitorch_seg.") and getattr(module, "parallel_for", None) is original
    ]
    threads = ms.get_num_threads()
    ms.set_num_threads(1)
    for module in users:
        module.parallel_for = timed  # type: ignore[attr-defined]
    try:
        shares = []
        for _ in range(3):
            inside[0], start = 0.0, time.perf_counter()
            step()
            shares.append(1 - inside[0] / (time.perf_counter() - start))
    finally:
        ms.set_num_threads(threads)
        for module in users:
            module.parallel_for = original  # type: ignore[attr-defined]
    return min(shares)


def memory(library: str, base: int, batch: int = 8, side: int = 96) -> dict[str, float]:
    """The most memory that three steps take, in bytes, parameters and the optimiser's state included.

    It is the process's peak less what it held before the model was built; a step on tiny images has loaded
    (and perhaps compiled) all kernels before that.
    """
    one_step(library, Size(base, 2, 16))()
    before = _resident()
    forgotten = _forget_peak()
    step = one_step(library, Size(base, batch, side))
    for _ in range(3):
        step()
    return {"bytes": _peak() - before, "peak_was_reset": forgotten}


def first_step(base: int = 16, batch: int = 8, side: int = 96) -> dict[str, float]:
    """Seconds from the start of the process, and from here (after the imports), to the end of a step."""
    begin = time.time()
    one_step(OURS, Size(base, batch, side))()
    return {"from_start": time.time() - process.started, "step": time.time() - begin}


def one_step(library: str, size: Size) -> Callable[[], float]:
    """A contestant by its name: ours or one of PyTorch's."""
    if library == OURS:
        return OurStep(size)
    (torch,) = (t for t in torches(importlib.import_module("torch").get_num_threads()) if t.name == library)
    return TorchStep(torch, size)


def _resident() -> int:
    """Bytes of memory that this process has now (Linux; elsewhere its peak so far)."""
    return _status("VmRSS") or _peak()


def _peak() -> int:
    import resource  # Unix only

    unit = 1 if sys.platform == "darwin" else 1024
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _forget_peak() -> bool:
    """Linux measures the peak anew after a 5 is written to this file; imports had their own."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _status(key: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(key)), 0)
