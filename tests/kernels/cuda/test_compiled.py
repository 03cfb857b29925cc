"""Every kernel of the catalogue through NVIDIA's own compilers, for four generations of GPUs, without a GPU.

No register is spilled, nothing lies in a stack frame (an array that a run-time number indexes would), no
float32 kernel computes in float64, and registers and shared memory let as many blocks run on a multiprocessor
as the kernel claims.  The tiles' inner loops make at least four multiply-adds for a read of shared memory.

The table is printed at the end, and written to the file that MINITORCH_SEG_CUDA_TABLE names.
"""

import math
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.kernels.cuda import machine_code

if machine_code.missing():
    pytest.skip(f"nothing can be compiled: {machine_code.missing()}", allow_module_level=True)

from minitorch_seg.kernels.cuda.driver import cuda, types

NAMES = sorted(machine_code.variants())
TILES = [name for name in NAMES if any("x" in word and word[0].isdigit() for word in name.split())]
PROCESSES = 2


@pytest.fixture(scope="module")
def compiled(request):
    """name -> what the compilers said; the kernels of all tests that were asked for, by two processes."""
    items = [item for item in request.session.items if "compiled" in item.fixturenames]
    asked = {item.callspec.params["name"] for item in items if hasattr(item, "callspec")}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, context) as pool:
        yield {name: pool.submit(machine_code.of_variant, name) for name in NAMES if name in asked}
        pool.shutdown(cancel_futures=True)  # where a failure has ended the run


@pytest.mark.parametrize("name", NAMES)
def test_no_spill_no_stack_no_float64_and_the_occupancy_that_is_claimed(name, compiled):
    kernel = machine_code.variants()[name]
    faults = [
        fault
        for cc, report in compiled[name].result().items()
        for fault in machine_code.faults(name, kernel.signature, kernel.threads, kernel.blocks, cc, report)
    ]
    assert not faults


@pytest.mark.parametrize("name", TILES)
def test_four_multiply_adds_for_a_read_of_shared_memory(name, compiled):
    """Of float64 a read brings two numbers instead of four: there it is 2.5."""
    least = 4 if "float32" in name else 2.5
    for cc, report in compiled[name].result().items():
        assert report.inner[0] >= 8, f"no inner loop found for sm_{cc[0]}{cc[1]}"
        assert report.ratio >= least, f"sm_{cc[0]}{cc[1]}: FFMA : LDS = {report.inner}"


def test_table(compiled, capsys):
    found = {name: report.result() for name, report in compiled.items() if not report.exception()}
    head = f"{'kernel':44} {'threads':>7} {'registers':>15} {'shared bytes':>23} {'fma':>5}  inner FFMA : LDS"
    lines = [_line(name, of) for name, of in found.items()]
    clean = sum(not r.spilled and not r.stack for of in found.values() for r in of.values())
    last = (
        f"{len(found)} kernels, each for {len(machine_code.CAPABILITIES)} capabilities: {clean} without fault"
    )
    if path := os.environ.get("MINITORCH_SEG_CUDA_TABLE"):
        Path(path).write_text("\n".join([head, *lines, last, ""]), encoding="utf-8")
    with capsys.disabled():
        print("\n" + "\n".join([head, *lines, last]))


def _line(name, of):
    """Registers and shared memory for 7.5/8.0/8.9/9.0; multiply-adds and the inner loop for 9.0."""
    kernel, latest = machine_code.variants()[name], of[9, 0]
    registers = "/".join(str(report.registers) for report in of.values())
    shared = "/".join(str(report.shared) for report in of.values())
    inner = f"{latest.inner[0]} : {latest.inner[1]}" if latest.inner else ""
    threads = math.prod(kernel.threads)
    return f"{name:44} {threads:7} {registers:>15} {shared:>23} {latest.fma:5}  {inner}".rstrip()


# -- the gate must fire --------------------------------------------------------------------------------------
ROW = ("float32[::1]", "float32[::1]", "int32")


def _faults(function, signature=ROW, threads=128, blocks=1):
    found = machine_code.reports(function, signature, (threads,), blocks)
    return {
        cc: machine_code.faults("planted", signature, (threads,), blocks, cc, r) for cc, r in found.items()
    }


def test_a_local_array_with_a_run_time_index_is_found():
    def kernel(x, y, k):
        few = cuda.local.array(64, types.float32)
        for i in range(64):
            few[i] = x[i]
        for i in range(64):
            few[(i * k) & 63] += x[i]
        total = types.float32(0)
        for i in range(64):
            total += few[i]
        y[cuda.threadIdx.x] = total

    assert all("stack frame" in " ".join(f) for f in _faults(kernel).values())


def test_a_spill_is_found():
    kernel = machine_code.variants()["conv2d 128x64 float32"]
    found = _faults(kernel.function, kernel.signature, 128, 8)
    assert all("spills" in " ".join(f) for f in found.values())


@pytest.mark.parametrize("leak", ["constant", "sum", "integer"])
def test_float64_is_found(leak):
    def constant(x, y, k):
        y[cuda.threadIdx.x] = x[cuda.threadIdx.x] * 0.1

    def sum(x, y, k):
        total = 0.0
        for i in range(k):
            total += x[i]
        y[cuda.threadIdx.x] = total

    def integer(x, y, k):
        y[cuda.threadIdx.x] = x[cuda.threadIdx.x] * k

    kernels = {"constant": constant, "sum": sum, "integer": integer}
    assert all("float64" in " ".join(f) for f in _faults(kernels[leak]).values())


def test_a_claim_of_too_many_blocks_is_found():
    def kernel(x, y, k):
        tile = cuda.shared.array(8192, types.float32)
        tile[cuda.threadIdx.x] = x[cuda.threadIdx.x]
        cuda.syncthreads()
        y[cuda.threadIdx.x] = tile[k]

    assert "are claimed" in " ".join(_faults(kernel, blocks=2)[7, 5] + _faults(kernel, blocks=9)[9, 0])
    assert not any(_faults(kernel, blocks=1).values())


def test_too_much_shared_memory_is_refused_by_the_assembler():
    def kernel(x, y, k):
        tile = cuda.shared.array(16384, types.float32)
        tile[cuda.threadIdx.x] = x[cuda.threadIdx.x]
        cuda.syncthreads()
        y[cuda.threadIdx.x] = tile[k]

    with pytest.raises(RuntimeError, match="too much shared data"):
        _faults(kernel)


def test_what_the_compilers_say_is_read_rightly():
    code = """
    .L_1:
        /*0010*/                   FFMA R1, R2, R3, R1 ;
        /*0020*/              @P0  LDS.128 R4, [R5] ;
    .L_2:
        /*0030*/                   FFMA R1, R2, R3, R1 ;
        /*0040*/                   FFMA.FTZ R1, R2, R3, R1 ;
        /*0050*/                   LDS R4, [R5] ;
    """
    assert machine_code.inner_loop(code) == (2, 1)
    report = machine_code.Report(168, 14848, 0, 0, 0, 0, None)
    assert [machine_code.resident(report, 128, cc) for cc in machine_code.CAPABILITIES] == [3, 3, 3, 3]
