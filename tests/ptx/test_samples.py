"""NVIDIA's compiler's PTX of small kernels: run, compared with NumPy, and with mistakes planted.

A planted mistake is one line of a kernel as a tired author might write it. Each must be caught as what it is,
with the kernel, the instruction and its line of source, and the thread.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from tests.ptx.faults import KernelFault, UnknownPTX
from tests.ptx.memory import Buffer
from tests.ptx.nvvm import compiled, edited, missing
from tests.ptx.run import Launch, Uninitialised, run

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())
if not missing():
    from tests.ptx import samples
    from tests.ptx.samples import THREADS, TILE

CAPABILITIES = [(7, 5), (9, 0)]


@dataclass(frozen=True)
class Sample:
    """A kernel's types, and a case: its arguments, its grid and block, and what must come out."""

    signature: tuple[str, ...]
    case: Callable


def numbers(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def convolution_case():
    x, w = numbers(3, 13, 11), numbers(2, 3, 3, 3)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    y = np.zeros((2, 13, 11), np.float32)
    return [x, w, Uninitialised(y)], (2, 2, 2), (TILE, TILE), [(y, np.einsum("chwij,ocij->ohw", windows, w))]


def product_case():
    a, b, y = numbers(13, 18), numbers(18, 10), np.zeros((13, 10), np.float32)
    return [a, b, Uninitialised(y)], (2, 2), (TILE, TILE), [(y, a @ b)]


def sums_case():
    x, y = numbers(500), np.zeros(3, np.float32)
    rows = np.pad(x, (0, 9 * THREADS - 500)).reshape(3, 3, THREADS)
    return [x, Uninitialised(y)], 3, THREADS, [(y, rows.sum((0, 2)))]


def pooling_case():
    x = np.random.default_rng(0).integers(0, 9, (14, 10)).astype(np.float32)
    y, places = np.zeros((7, 5), np.float32), np.zeros((7, 5), np.int32)
    windows = x.reshape(7, 2, 5, 2).transpose(0, 2, 1, 3).reshape(7, 5, 4)
    expected = [(y, windows.max(2)), (places, windows.argmax(2))]
    return [x, Uninitialised(y), Uninitialised(places)], (2, 2), (4, 4), expected


def histogram_case():
    x, counts = np.random.default_rng(0).integers(0, 7, 100).astype(np.int32), np.zeros(7, np.int32)
    return [x, counts], 2, THREADS, [(counts, np.bincount(x, minlength=7))]


def moduli_case():
    x = (numbers(40) + 1j * numbers(1, 40)[0]).astype(np.complex64)
    y = np.zeros(40, np.float32)
    return [x, Uninitialised(y)], 1, THREADS, [(y, np.abs(x.astype(complex)) ** 2)]


SAMPLES = {
    "convolution": Sample(("float32[:,:,::1]", "float32[:,:,:,::1]", "float32[:,:,::1]"), convolution_case),
    "product": Sample(("float32[:,::1]",) * 3, product_case),
    "sums": Sample(("float32[::1]",) * 2, sums_case),
    "pooling": Sample(("float32[:,::1]", "float32[:,::1]", "int32[:,::1]"), pooling_case),
    "histogram": Sample(("int32[::1]", "int32[::1]"), histogram_case),
    "moduli": Sample(("complex64[::1]", "float32[::1]"), moduli_case),
}


@cache
def text(name: str, cc=(9, 0)) -> str:
    return compiled(getattr(samples, name), SAMPLES[name].signature, cc, lines=True)


def check(name: str, ptx: str, lanes: int = 4096):
    """Run a sample's case; AssertionError where the numbers are wrong, KernelFault for what must not be."""
    arguments, grid, block, expected = SAMPLES[name].case()
    names = getattr(samples, name).__code__.co_varnames
    report = run(ptx, grid, block, arguments, name=name, names=names[: len(arguments)], lanes=lanes)
    for found, right in expected:
        np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-5)
    return report


@pytest.mark.parametrize("cc", CAPABILITIES, ids=str)
@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_right(name, cc):
    assert check(name, text(name, cc)).executed > 10


@pytest.mark.parametrize("name", SAMPLES)
def test_block_after_block_gives_the_same_bits(name):
    def bits(lanes):
        arguments, grid, block, expected = SAMPLES[name].case()
        run(text(name), grid, block, arguments, lanes=lanes)
        return [found.tobytes() for found, _ in expected]

    assert bits(1) == bits(4096)


@dataclass(frozen=True)
class Mistake:
    title: str
    kernel: str
    old: str
    new: str
    kinds: tuple[str, ...]  # the faults it may be caught as


MISTAKES = [
    # barriers
    Mistake("convolution: no barrier before the tile is read", "convolution",
            "cuda.syncthreads()  # the tile is whole", "pass", ("race", "uninitialised")),
    Mistake("convolution: no barrier before the tile is overwritten", "convolution",
            "cuda.syncthreads()  # nobody", "pass  #", ("race",)),
    Mistake("convolution: early return before the barriers", "convolution",
            "cuda.threadIdx.x, cuda.threadIdx.y\n    total = float32(0)\n",
            "cuda.threadIdx.x, cuda.threadIdx.y; total = float32(0)\n    if column + tx >= width: return\n",
            ("barrier",)),
    Mistake("convolution: a barrier for some threads only", "convolution",
            "cuda.syncthreads()  # the tile is whole", "if tx < 7: cuda.syncthreads()", ("barrier", "race")),
    Mistake("product: no barrier before the tiles are read", "product",
            "cuda.syncthreads()  # the tiles are whole", "pass", ("race", "uninitialised")),
    Mistake("product: no barrier before the tiles are overwritten", "product",
            "cuda.syncthreads()  # nobody", "pass  #", ("race",)),
    Mistake("product: early return of the threads outside", "product",
            "b.shape[1]\n    total = float32(0)\n",
            "b.shape[1]; total = float32(0)\n    if row >= rows: return\n", ("barrier",)),
    Mistake("sums: no barrier before the tree", "sums",
            "cuda.syncthreads()  # all partial", "pass  #", ("race", "uninitialised")),
    Mistake("sums: no barrier between the levels", "sums",
            "cuda.syncthreads()  # after each level", "pass", ("race",)),
    Mistake("sums: the barrier inside the condition", "sums",
            "        cuda.syncthreads()  # after", "            cuda.syncthreads()  # ", ("barrier", "race")),
    # bounds
    Mistake("convolution: halo off by one at the end", "convolution",
            "0 < column + q <= width  # of", "0 <= column + q <= width  # of", ("out of bounds", "value")),
    Mistake("convolution: the tile without its halo", "convolution",
            "tile = cuda.shared.array((HALO, HALO), float32)",
            "tile = cuda.shared.array((HALO, TILE), float32)", ("out of bounds", "race", "value")),
    Mistake("convolution: the last column of the halo not filled", "convolution",
            "r, q = i // HALO, i % HALO", "r, q = i // (HALO - 1), i % (HALO - 1)",
            ("uninitialised", "out of bounds")),
    Mistake("convolution: halo read one too far", "convolution",
            "tile[ty + i, tx + j]", "tile[ty + i + 1, tx + j]", ("out of bounds",)),
    Mistake("convolution: one row too many is written", "convolution",
            "if row + ty < height and", "if row + ty <= height and", ("out of bounds", "race")),
    Mistake("product: read beyond the last row", "product",
            "if row < rows and k + tx < terms", "if row <= rows and k + tx < terms", ("out of bounds",)),
    Mistake("sums: read by one too far", "sums",
            "x.size, cuda.gridsize(1)", "x.size + 1, cuda.gridsize(1)", ("out of bounds",)),
    Mistake("pooling: one column too many", "pooling",
            "column < y.shape[1]:", "column <= y.shape[1]:", ("out of bounds", "race", "value")),
    Mistake("pooling: one row too many", "pooling",
            "row < y.shape[0] and", "row <= y.shape[0] and", ("out of bounds",)),
    Mistake("histogram: a thread too many", "histogram", "i < x.size", "i <= x.size", ("out of bounds",)),
    # writes that meet
    Mistake("histogram: not atomic", "histogram",
            "cuda.atomic.add(counts, x[i], 1)", "counts[x[i]] += 1", ("race",)),
    Mistake("sums: all blocks write to one place", "sums", "y[cuda.blockIdx.x]", "y[0]", ("race",)),
    Mistake("sums: all threads write the sum", "sums", "if thread == 0:", "if thread >= 0:", ("race",)),
    # memory that nobody wrote
    Mistake("sums: a partial sum is left out", "sums",
            "    partial[thread] = total", "    if thread != 5: partial[thread] = total", ("uninitialised",)),
    Mistake("product: the edge of a tile is not filled", "product",
            "        left[ty, tx] = a[row, k + tx] if row < rows and k + tx < terms else float32(0)",
            "        if row < rows and k + tx < terms: left[ty, tx] = a[row, k + tx]",
            ("uninitialised", "value")),
    Mistake("pooling: a place is not written", "pooling",
            "places[row, column] = place", "places[row, 0] = place", ("race", "value", "uninitialised")),
]  # fmt: skip


def caught(mistake: Mistake) -> str:
    """As what it is caught: a fault's message, "value" where the numbers differ, "" where it is not."""
    wrong = edited(getattr(samples, mistake.kernel), mistake.old, mistake.new)
    try:
        check(mistake.kernel, compiled(wrong, SAMPLES[mistake.kernel].signature, lines=True))
    except KernelFault as fault:
        return str(fault)
    except AssertionError:
        return "value"
    return ""


MESSAGE = re.compile(
    r"(?P<kind>[a-z ]+): kernel (?P<kernel>\w+), thread \(\d+, \d+, \d+\) of block \(\d+, \d+, \d+\) .*"
    r"line \d+ `[^`]+` \(samples\.py:(?P<line>\d+)\)"
)


def test_every_mistake_is_caught_as_what_it_is():
    missed, named = [], 0
    for mistake in MISTAKES:
        how = caught(mistake)
        found = MESSAGE.match(how)
        if how == "value":
            ok = "value" in mistake.kinds
        else:
            ok = found is not None and found["kind"] in mistake.kinds and found["kernel"] == mistake.kernel
            named += ok
        if not ok:
            missed.append(f"{mistake.title}: {how or 'not caught'}")
    print(
        f"\nplanted mistakes: {len(MISTAKES) - len(missed)} of {len(MISTAKES)} caught in executed PTX", end=""
    )
    print(f", {named} of them with the line and the thread")
    assert not missed, "\n".join(missed)


def test_a_vector_that_lies_askew_is_found():
    """Both words of a complex number by one load, which needs an address that is a multiple of both."""
    pair = r"ld\.global\.f32\s+(%f\d+), \[(%rd\d+)\];\s*ld\.global\.f32\s+(%f\d+), \[\2\+4\];"
    ptx, count = re.subn(pair, r"ld.global.v2.f32 {\1, \3}, [\2];", text("moduli"))
    assert count == 1
    check("moduli", ptx)
    x = Buffer("x", 8 * 40 + 4, content=np.zeros(324, np.uint8))
    device = Launch(ptx, [x, Buffer("y", 160)], "moduli")
    words = device.flatten((np.zeros(40, np.complex64), 0))
    words[4] = words[4] + 4
    with pytest.raises(KernelFault, match=r"misaligned: kernel moduli, thread \(0,.* 8 bytes at byte 4 of x"):
        device.run((1, 1, 1), (THREADS, 1, 1), [words, device.flatten((np.zeros(40, np.float32), 1))])


def test_a_call_without_a_body_is_refused():
    """Half-precision arithmetic is a call into a library that is linked later."""

    def twice(x, y):
        y[0] = x[0] + x[0]

    with pytest.raises(UnknownPTX, match="no body of it"):
        run(compiled(twice, ("float16[::1]", "float16[::1]")), 1, 1, [np.zeros(1, "f2"), np.zeros(1, "f2")])
