"""Kernels through NVIDIA's compilers to machine code, without a GPU, and what can be read off it."""

from __future__ import annotations

import math
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.ptx import nvvm

CAPABILITIES = ((7, 5), (8, 0), (8, 9), (9, 0))  # 8.9: RTX 40, laptops too
STATIC_LIMIT = 48 * 1024  # bytes of shared memory that a block may declare
#: Of a multiprocessor: threads, blocks, bytes of shared memory, bytes of it that each block takes besides.
LIMITS = {
    (7, 5): (1024, 16, 64 * 1024, 0),
    (8, 0): (2048, 32, 164 * 1024, 1024),
    (8, 9): (1536, 24, 100 * 1024, 1024),
    (9, 0): (2048, 32, 228 * 1024, 1024),
}
#: Their slow path for large angles computes in float64.
IN_FLOAT64 = ("sin", "cos", "tan")


@dataclass(frozen=True)
class Report:
    """What the compilers say of a kernel for one compute capability."""

    registers: int
    shared: int
    stack: int
    spilled: int
    float64: int  # instructions of the PTX that name .f64
    fma: int
    inner: tuple[int, int] | None  # (FFMA or DFMA, LDS) of the loop with the most of the former

    @property
    def ratio(self) -> float:
        assert self.inner is not None
        return self.inner[0] / max(self.inner[1], 1)


@cache
def missing() -> str:
    """Why nothing can be compiled here, or nothing."""
    if why := nvvm.missing():
        return why
    absent = [name for name in ("ptxas", "nvdisasm") if not tool(name)]
    packages = "nvidia-cuda-nvcc==13.0.88 nvidia-cuda-nvdisasm nvidia-nvvm==13.0.88"
    return f"{' and '.join(absent)} cannot be found: pip install {packages}" if absent else ""


@cache
def tool(name: str) -> str:
    """The path of a program in NVIDIA's wheels, or nothing."""
    try:
        import nvidia
    except ImportError:
        return ""
    found = (
        Path(root) / folder / "bin" / name for root in nvidia.__path__ for folder in ("cu13", "cuda_nvcc")
    )
    return next((str(path) for path in found if path.exists()), "")


def ptx_of(
    function: Callable, signature: Sequence[str], threads: int, blocks: int
) -> dict[tuple[int, int], str]:
    """The PTX for each capability.  Numba's own part of the work does not depend on it, and is done once."""
    from numba.core import sigutils
    from numba.cuda import compiler

    types, _ = sigutils.normalize_signature(f"void({', '.join(signature)})")
    options = {
        "debug": False,
        "lineinfo": False,
        "device": False,
        "fastmath": False,
        "opt": None,
        "lto": False,
    }
    options |= {"abi": "numba", "abi_info": None, "forceinline": False, "cc": CAPABILITIES[0]}
    bounds = (threads, blocks)
    library, _ = compiler._compile_pyfunc_with_fixup(function, types, launch_bounds=bounds, **options)
    return {cc: library.get_asm_str(cc=cc) for cc in CAPABILITIES}


def reports(
    function: Callable, signature: Sequence[str], threads: Sequence[int], blocks: int, loops: bool = False
) -> dict[tuple[int, int], Report]:
    """Compiles a kernel for every capability; with `loops` its inner loop is looked for as well."""
    texts = ptx_of(function, signature, math.prod(threads), blocks)
    return {cc: assembled(text, cc, loops) for cc, text in texts.items()}


def of_variant(name: str) -> dict[tuple[int, int], Report]:
    """The reports of a kernel of the catalogue: for a process of a pool, where functions cannot be sent."""
    kernel = variants()[name]
    loops = any("x" in word and word[0].isdigit() for word in name.split())  # a tile: "128x64"
    return reports(kernel.function, kernel.signature, kernel.threads, kernel.blocks, loops)


@cache
def variants() -> dict:
    from minitorch_seg.kernels.cuda import catalogue

    return {kernel.name: kernel for kernel in catalogue.variants()}


def assembled(text: str, cc: tuple[int, int], loops: bool) -> Report:
    """PTX through ptxas, and its machine code through nvdisasm."""
    with tempfile.TemporaryDirectory() as folder:
        source, code = Path(folder) / "kernel.ptx", Path(folder) / "kernel.cubin"
        source.write_text(text)
        said = _run([tool("ptxas"), "-v", f"-arch=sm_{cc[0]}{cc[1]}", "-O3", str(source), "-o", str(code)])
        inner = inner_loop(_run([tool("nvdisasm"), "-c", str(code)])) if loops else None

    def number(pattern: str) -> int:
        return sum(int(n) for n in re.findall(pattern, said))

    return Report(
        registers=number(r"Used (\d+) registers"),
        shared=number(r"(\d+) bytes smem"),
        stack=number(r"(\d+) bytes stack frame"),
        spilled=number(r"(\d+) bytes spill"),
        float64=len(re.findall(r"^\s.*\.f64\b", text, re.MULTILINE)),
        fma=len(re.findall(r"\bfma\.rn\.f(?:32|64)\b", text)),
        inner=inner,
    )


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name}: {done.stderr.strip()[:500]}")
    return done.stdout + done.stderr


def inner_loop(code: str) -> tuple[int, int]:
    """(FFMA or DFMA, LDS) of the stretch between two labels that has the most of the former."""
    best, here = (0, 0), Counter[str]()
    for line in [*code.splitlines(), ".end:"]:
        if re.match(r"\s*\.\w+:", line):
            best = max(best, (here["FFMA"] + here["DFMA"], here["LDS"]))
            here.clear()
        found = re.match(r"\s*/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_]*)", line)
        if found:
            here[found[1]] += 1
    return best


def resident(report: Report, threads: int, cc: tuple[int, int]) -> int:
    """How many blocks fit on a multiprocessor at the same time.

    Registers are handed out to warps in steps of 256, from four files of 16,384.
    """
    most_threads, most_blocks, shared, besides = LIMITS[cc]
    warps = -(-threads // 32)
    by_registers = 4 * (16384 // max(-(-report.registers * 32 // 256) * 256, 256)) // warps
    by_shared = shared // (report.shared + besides) if report.shared else most_blocks
    return min(most_threads // (warps * 32), most_blocks, by_registers, by_shared)


def faults(
    name: str,
    signature: Sequence[str],
    threads: Sequence[int],
    blocks: int,
    cc: tuple[int, int],
    report: Report,
) -> list[str]:
    """What must not be, of one kernel for one capability."""
    found = []
    if report.spilled:
        found.append(f"spills {report.spilled} bytes")
    if report.stack:
        found.append(f"has a stack frame of {report.stack} bytes")
    in_float32 = not any(part.startswith("float64") for part in signature)
    if in_float32 and report.float64 and not set(name.split()) & set(IN_FLOAT64):
        found.append(f"{report.float64} float64 instructions in a kernel without float64 arguments")
    if report.shared > STATIC_LIMIT:
        found.append(f"{report.shared} bytes of shared memory, more than {STATIC_LIMIT}")
    fits = resident(report, math.prod(threads), cc)
    if fits < blocks:
        found.append(
            f"{report.registers} registers and {report.shared} bytes of shared memory let {fits} blocks of "
            f"{math.prod(threads)} threads run on a multiprocessor, and {blocks} are claimed"
        )
    return [f"{name}, sm_{cc[0]}{cc[1]}: {fault}" for fault in found]
