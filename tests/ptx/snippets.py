"""Kernels of a few lines written by hand: one instruction on arrays, or a body around it."""

from __future__ import annotations

import numpy as np

from tests.ptx.instructions import DTYPES
from tests.ptx.memory import Buffer
from tests.ptx.run import Launch, Report, Uninitialised, dims

HEADER = ".version 8.0\n.target sm_75\n.address_size 64\n"
REGISTERS = """.reg .pred %p<10>;
\t.reg .b16 %h<10>;
\t.reg .b32 %r<30>;
\t.reg .b64 %rd<30>;
\t.reg .f32 %f<30>;
\t.reg .f64 %fd<10>;"""
NAMES = {1: "%h", 2: "%h", 4: "%r", 8: "%rd"}


def kernel(body: str, pointers: int, variables: str = "") -> str:
    """A kernel with its pointers in %rd1, %rd2, …, and the thread's number in %r0 (grid) and %r29 (block)."""
    params = ", ".join(f".param .u64 p{i + 1}" for i in range(pointers))
    loads = "\n\t".join(f"ld.param.u64 %rd{i + 1}, [p{i + 1}];" for i in range(pointers))
    lines = [
        *(HEADER, variables, f".visible .entry snippet({params})", "{", REGISTERS, loads),
        "mov.u32 %r29, %tid.x; mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x; mad.lo.s32 %r0, %r1, %r2, %r29;",
        *(body, "}", ""),
    ]
    return "\n".join(lines)


def launch(body: str, grid, block, *arrays, variables: str = "", **options) -> Report:
    """Run `kernel(body)`; each array is given by its address alone, under the name a, b, c, …"""
    text = kernel(body, len(arrays), variables)
    plain = [a.array if isinstance(a, Uninitialised) else a for a in arrays]
    buffers = []
    for name, given, array in zip("abcdefgh", arrays, plain, strict=False):
        content = None if isinstance(given, Uninitialised) else array.reshape(-1).view(np.uint8)
        buffers.append(Buffer(name, array.nbytes, content=content))
    device = Launch(text, buffers, "snippet")
    space = device.spaces["global"]
    words = [[np.array([space.addresses[buffer.name]], np.uint64)] for buffer in buffers]
    report = device.run(dims(grid), dims(block), words, **options)
    for buffer, array in zip(buffers, plain, strict=True):
        array.reshape(-1).view(np.uint8)[:] = space.content(buffer.name)
    return report


def apply(text: str, result: str, types: str, *arrays: np.ndarray) -> np.ndarray:
    """`text d, a, b, …` on arrays of equal length, an element a thread; a result "pred" comes back as bool.

    types: those of the operands, as "f32 f32". A text with $d (the result), $0, $1 … is taken as it stands.
    """
    kinds = types.split()
    count = len(arrays[0])
    out = np.zeros(count, np.uint32 if result == "pred" else DTYPES[result])
    body, operands = [], []
    for i, (kind, array) in enumerate(zip(kinds, arrays, strict=True)):
        stored = "u8" if kind == "pred" else kind
        assert array.dtype == DTYPES[kind], (array.dtype, kind)
        size = DTYPES[stored].itemsize
        register = f"{NAMES[size]}{i + 20 if size >= 4 else i}"
        body += [f"mul.wide.s32 %rd19, %r0, {size};", f"add.s64 %rd19, %rd{i + 2}, %rd19;"]
        body.append(f"ld.global.{'b16' if stored == 'f16' else stored} {register}, [%rd19];")
        if kind == "pred":
            body += [f"cvt.u32.u16 %r19, {register};", f"setp.ne.u32 %p{i}, %r19, 0;"]
            register = f"%p{i}"
        operands.append(register)
    size = out.dtype.itemsize
    target = "%p9" if result == "pred" else f"{NAMES[size]}9"
    body.append(
        f"{text} {', '.join((target, *operands))};" if "$" not in text else _filled(text, target, operands)
    )
    if result == "pred":
        body.append("selp.u32 %r9, 1, 0, %p9;")
        target = "%r9"
    body += [f"mul.wide.s32 %rd19, %r0, {size};", "add.s64 %rd19, %rd1, %rd19;"]
    body += [f"st.global.{'b16' if result == 'f16' else f'b{8 * size}'} [%rd19], {target};", "ret;"]
    block = min(count, 128)
    assert count % block == 0
    launch("\t" + "\n\t".join(body), count // block, block, Uninitialised(out), *arrays)
    return out.astype(bool) if result == "pred" else out


def _filled(text: str, target: str, operands: list[str]) -> str:
    """An instruction with operands of its own: $d is the result, $0, $1 … the arrays."""
    text = text.replace("$d", target)
    for i, operand in enumerate(operands):
        text = text.replace(f"${i}", operand)
    return text


def combinations(*edges: np.ndarray) -> list[np.ndarray]:
    """All combinations of edge values, one array an operand, repeated to a multiple of 128."""
    grids = [g.reshape(-1) for g in np.meshgrid(*edges, indexing="ij")]
    count = len(grids[0])
    return [np.ascontiguousarray(np.resize(g, -(-count // 128) * 128)) for g in grids]
