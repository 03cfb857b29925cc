"""Register tiles, written as LLVM vector instructions: the innermost loops of the fast convolutions.

A processor multiplies and adds a whole vector (16 float32 with AVX-512, 8 with AVX2, 4 with SSE or NEON) in
one instruction, twice in each cycle, but it can load only two vectors in the same time.  So numbers must be
used many times once they are loaded.  A *register tile* keeps rows × vectors sums in registers; each step
loads `vectors` vectors of B and `rows` single numbers of A, and makes rows·vectors products of them:

    sums[i][j] += A[i] · B[j]                          an outer product

A tile of 6 rows × 4 vectors does 24 multiplications for 10 loads.  Compilers do not find this by themselves;
therefore the tiles are built here, instruction by instruction: `_loop` makes a loop, `Vector` a vector value
with Python's operators.

Tiles work on plain memory and check nothing: their callers check ranges first.  What each of them computes
stands in `tile_twins.py`, in plain Python with the same arguments; with NUMBA_DISABLE_JIT=1 the twins run
instead.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from minitorch_seg.kernels.fast import tile_twins as twins
from minitorch_seg.kernels.fast import transforms
from minitorch_seg.kernels.jit import VECTOR_BYTES, config

_INT = ir.IntType(64)


class Vector:
    """A value in a vector register while instructions are built: +, − and multiplication by a number."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder, self.value = builder, value

    def __add__(self, other: "Vector") -> "Vector":
        return Vector(self.builder, self.builder.fadd(self.value, other.value, flags=("contract",)))

    def __sub__(self, other: "Vector") -> "Vector":
        return Vector(self.builder, self.builder.fsub(self.value, other.value, flags=("contract",)))

    def __rmul__(self, number: float) -> "Vector":
        kind = self.value.type
        constant = ir.Constant(kind, [float(number)] * kind.count)
        return Vector(self.builder, self.builder.fmul(self.value, constant, flags=("contract",)))


class _Memory:
    """The numbers of a flat array, as single numbers or vectors."""

    def __init__(self, context: Any, builder: ir.IRBuilder, kind: Any, array: ir.Value) -> None:
        self.builder = builder
        struct = context.make_array(kind)(context, builder, array)
        self.data, self.shape = struct.data, struct.shape
        self.number = context.get_data_type(kind.dtype)
        self.bytes = kind.dtype.bitwidth // 8
        self.vector = ir.VectorType(self.number, VECTOR_BYTES // self.bytes)

    def at(self, offset: ir.Value) -> ir.Value:
        return self.builder.gep(self.data, [offset], source_etype=self.number)

    def length(self) -> ir.Value:
        """How many numbers there are."""
        return self.builder.extract_value(self.shape, 0)

    def load(self, offset: ir.Value) -> ir.Value:
        return self.builder.load(self.at(offset), typ=self.number)

    def load_vector(self, pointer: ir.Value) -> ir.Value:
        pointer = self.builder.bitcast(pointer, self.vector.as_pointer())
        return self.builder.load(pointer, align=self.bytes, typ=self.vector)

    def store_vector(self, value: ir.Value, pointer: ir.Value) -> None:
        pointer = self.builder.bitcast(pointer, self.vector.as_pointer())
        self.builder.store(value, pointer, align=self.bytes)

    def load_everywhere(self, pointer: ir.Value) -> ir.Value:
        """A vector that holds one number in all its places."""
        number = self.builder.load(pointer, typ=self.number)
        none, zero = ir.Constant(self.vector, ir.Undefined), ir.Constant(ir.IntType(32), 0)
        places = ir.Constant(ir.VectorType(ir.IntType(32), self.vector.count), None)
        return self.builder.shuffle_vector(self.builder.insert_element(none, number, zero), none, places)

    def first(self, lanes: ir.Value) -> ir.Value:
        """A mask that is true in the first `lanes` places of a vector."""
        count = self.vector.count
        wanted = ir.VectorType(ir.IntType(32), count)
        lanes = self.builder.trunc(lanes, ir.IntType(32))
        none, zero = ir.Constant(wanted, ir.Undefined), ir.Constant(ir.IntType(32), 0)
        places = ir.Constant(ir.VectorType(ir.IntType(32), count), None)
        limit = self.builder.shuffle_vector(self.builder.insert_element(none, lanes, zero), none, places)
        return self.builder.icmp_signed("<", ir.Constant(wanted, list(range(count))), limit)

    def load_some(self, pointer: ir.Value, mask: ir.Value) -> ir.Value:
        """Loads the places where the mask is true; the others are zero, and their memory is not touched."""
        pointer = self.builder.bitcast(pointer, self.vector.as_pointer())
        arguments = [pointer, ir.IntType(32)(self.bytes), mask, ir.Constant(self.vector, None)]
        return self._masked("load", self.vector, arguments)

    def store_some(self, value: ir.Value, pointer: ir.Value, mask: ir.Value) -> None:
        pointer = self.builder.bitcast(pointer, self.vector.as_pointer())
        self._masked("store", ir.VoidType(), [value, pointer, ir.IntType(32)(self.bytes), mask])

    def store_square(self, values: list, pointers: list, columns: int, lanes: ir.Value) -> None:
        """Stores rows of `columns` vectors; of the last one in each row only the first `lanes` places."""
        with self.builder.if_else(self.is_whole(lanes)) as (whole, cut):
            for last_is_cut, block in ((False, whole), (True, cut)):
                with block:
                    mask = self.first(lanes)
                    for i, (value, pointer) in enumerate(zip(values, pointers, strict=True)):
                        if last_is_cut and i % columns == columns - 1:
                            self.store_some(value, pointer, mask)
                        else:
                            self.store_vector(value, pointer)

    def is_whole(self, lanes: ir.Value) -> ir.Value:
        """Whether that is a whole vector: then no mask is needed, and some processors are slow with masks."""
        return self.builder.icmp_signed("==", lanes, _INT(self.vector.count))

    def _masked(self, verb: str, result: ir.Type, arguments: list) -> ir.Value:
        name = f"llvm.masked.{verb}.v{self.vector.count}f{8 * self.bytes}.p0"
        kind = ir.FunctionType(result, [a.type for a in arguments])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, arguments)

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """a·b + c in one instruction where there is one (`fmuladd`), else in two."""
        name = f"llvm.fmuladd.v{self.vector.count}f{8 * self.bytes}"
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), [a, b, c])

    def add_up(self, start: ir.Value, vector: ir.Value) -> ir.Value:
        """start + the sum of a vector's places, in halves."""
        name = f"llvm.vector.reduce.fadd.v{self.vector.count}f{8 * self.bytes}"
        kind = ir.FunctionType(self.number, [self.number, self.vector])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, [start, vector], fastmath=("reassoc",))


def _loop(builder: ir.IRBuilder, start: Any, stop: Any, values: list, body: Any) -> list:
    """for i in range(start, stop): values = body(i, values).  Returns the last values."""
    entry, function = builder.block, builder.function
    head, inside, after = (
        function.append_basic_block(f"tile_{name}") for name in ("head", "inside", "after")
    )
    builder.branch(head)
    builder.position_at_end(head)
    i, carried = builder.phi(_INT), [builder.phi(v.type) for v in values]
    for phi, value in zip([i, *carried], [start, *values], strict=True):
        phi.add_incoming(value, entry)
    builder.cbranch(builder.icmp_signed("<", i, stop), inside, after)
    builder.position_at_end(inside)
    new = body(i, carried)
    for phi, value in zip([i, *carried], [builder.add(i, _INT(1)), *new], strict=True):
        phi.add_incoming(value, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    return carried


def _literals(*arguments: Any) -> list[int] | None:
    """Tile sizes must be known while compiling; None makes Numba try again with literal types."""
    if all(isinstance(a, types.IntegerLiteral) for a in arguments):
        return [a.literal_value for a in arguments]
    return None


@intrinsic(prefer_literal=True)
def _multiply_tile(typing, ROWS, VECTORS, A, a_rows, a, taps, terms, B, b, bias, z, C, c_rows, c, r, lanes):
    sizes = _literals(ROWS, VECTORS)
    if sizes is None:
        return None
    rows, vectors = sizes
    n = types.intp
    signature = types.void(ROWS, VECTORS, A, a_rows, n, taps, n, B, n, bias, n, C, c_rows, n, n, n)

    def codegen(context, builder, signature, arguments):
        arrays = {
            k: _Memory(context, builder, signature.args[k], arguments[k]) for k in (2, 3, 5, 7, 9, 11, 12)
        }
        A, a_rows, taps, B, bias, C, c_rows = arrays.values()
        a, terms, b, z, c, r, lanes = (arguments[k] for k in (4, 6, 8, 10, 13, 14, 15))
        width = A.vector.count
        starts = [A.at(builder.add(a, a_rows.load(builder.add(r, _INT(i))))) for i in range(rows)]
        first = [bias.load_vector(bias.at(builder.add(z, _INT(j * width)))) for j in range(vectors)]
        count = taps.length()

        def step(k, row_pointers, b_pointer, sums):
            """The outer product number k."""
            b_pointer = builder.gep(b_pointer, [builder.mul(k, _INT(vectors * width))], source_etype=B.number)
            loaded = [
                B.load_vector(builder.gep(b_pointer, [_INT(j * width)], source_etype=B.number))
                for j in range(vectors)
            ]
            new = []
            for i, pointer in enumerate(row_pointers):
                factor = A.load_everywhere(builder.gep(pointer, [k], source_etype=A.number))
                for j in range(vectors):
                    new.append(A.multiply_add(factor, loaded[j], sums[i * vectors + j]))
            return new

        def tap(t, sums):
            shift = taps.load(t)
            pointers = [builder.gep(s, [shift], source_etype=A.number) for s in starts]
            b_pointer = B.at(builder.add(b, builder.mul(t, builder.mul(terms, _INT(vectors * width)))))
            return _loop(builder, _INT(0), terms, sums, lambda k, s: step(k, pointers, b_pointer, s))

        sums = _loop(builder, _INT(0), count, first * rows, tap)
        targets = [C.at(builder.add(c, c_rows.load(builder.add(r, _INT(i))))) for i in range(rows)]
        pointers = [
            builder.gep(target, [_INT(j * width)], source_etype=C.number)
            for target in targets
            for j in range(vectors)
        ]
        C.store_square(sums, pointers, vectors, lanes)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic(prefer_literal=True)
def _lanes_tile(typing, TAPS, MORE, A, a_rows, a, taps, t, B, b, bias, z, C, c_rows, c, first, last, lanes):
    sizes = _literals(TAPS, MORE)
    if sizes is None:
        return None
    count, more = sizes
    n = types.intp
    signature = types.void(TAPS, MORE, A, a_rows, n, taps, n, B, n, bias, n, C, c_rows, n, n, n, n)

    def codegen(context, builder, signature, arguments):
        arrays = {
            k: _Memory(context, builder, signature.args[k], arguments[k]) for k in (2, 3, 5, 7, 9, 11, 12)
        }
        A, a_rows, taps, B, bias, C, c_rows = arrays.values()
        a, t, b, z, c, first, last, lanes = (arguments[k] for k in (4, 6, 8, 10, 13, 14, 15, 16))
        starts = [builder.add(a, taps.load(builder.add(t, _INT(i)))) for i in range(count)]
        places = [B.at(builder.add(b, _INT(i * B.vector.count))) for i in range(count)]
        factors = [B.load_vector(place) for place in places]
        shift = bias.load_vector(bias.at(z))

        def pixel(p, mask):
            def load(memory, place):
                pointer = memory.at(place)
                return memory.load_vector(pointer) if mask is None else memory.load_some(pointer, mask)

            source, target = a_rows.load(p), builder.add(c, c_rows.load(p))
            total = load(C, target) if more else shift
            for start, factor in zip(starts, factors, strict=True):
                total = A.multiply_add(load(A, builder.add(start, source)), factor, total)
            if mask is None:
                C.store_vector(total, C.at(target))
            else:
                C.store_some(total, C.at(target), mask)
            return []

        with builder.if_else(C.is_whole(lanes)) as (whole, cut):
            with whole:
                _loop(builder, first, last, [], lambda p, _: pixel(p, None))
            with cut:
                mask = C.first(lanes)
                _loop(builder, first, last, [], lambda p, _: pixel(p, mask))
        return context.get_dummy_value()

    return signature, codegen


@intrinsic(prefer_literal=True)
def _dot_tile(typing, ROWS, OUTPUTS, A, a_rows, a, taps, terms, B, b, bias, z, C, c_rows, c, r, wanted):
    sizes = _literals(ROWS, OUTPUTS)
    if sizes is None:
        return None
    rows, outputs = sizes
    n = types.intp
    signature = types.void(ROWS, OUTPUTS, A, a_rows, n, taps, n, B, n, bias, n, C, c_rows, n, n, n)

    def codegen(context, builder, signature, arguments):
        arrays = {
            k: _Memory(context, builder, signature.args[k], arguments[k]) for k in (2, 3, 5, 7, 9, 11, 12)
        }
        A, a_rows, taps, B, bias, C, c_rows = arrays.values()
        a, terms, b, z, c, r, wanted = (arguments[k] for k in (4, 6, 8, 10, 13, 14, 15))
        width = A.vector.count
        starts = [A.at(builder.add(a, a_rows.load(builder.add(r, _INT(i))))) for i in range(rows)]
        count = taps.length()
        whole = builder.udiv(terms, _INT(width))
        steps = builder.udiv(builder.add(terms, _INT(width - 1)), _INT(width))
        rest = A.first(builder.urem(terms, _INT(width)))

        def step(k, row_pointers, b_pointer, sums, mask):
            """Vector number k of a tap's terms: of the last one only the places of `mask`."""
            k = builder.mul(k, _INT(width))
            b_pointer = builder.gep(b_pointer, [builder.mul(k, _INT(outputs))], source_etype=B.number)
            loaded = [
                B.load_vector(builder.gep(b_pointer, [_INT(j * width)], source_etype=B.number))
                for j in range(outputs)
            ]
            new = []
            for i, pointer in enumerate(row_pointers):
                here = builder.gep(pointer, [k], source_etype=A.number)
                factor = A.load_vector(here) if mask is None else A.load_some(here, mask)
                for j in range(outputs):
                    new.append(A.multiply_add(factor, loaded[j], sums[i * outputs + j]))
            return new

        def tap(t, sums):
            shift = taps.load(t)
            pointers = [builder.gep(s, [shift], source_etype=A.number) for s in starts]
            place = B.at(builder.add(b, builder.mul(t, builder.mul(steps, _INT(outputs * width)))))
            sums = _loop(builder, _INT(0), whole, sums, lambda k, s: step(k, pointers, place, s, None))
            return _loop(builder, whole, steps, sums, lambda k, s: step(k, pointers, place, s, rest))

        zeros = [ir.Constant(A.vector, None)] * (rows * outputs)
        sums = _loop(builder, _INT(0), count, zeros, tap)
        for j in range(outputs):
            with builder.if_then(builder.icmp_signed("<", _INT(j), wanted)):
                shift = bias.load(builder.add(z, _INT(j)))
                for i in range(rows):
                    place = builder.add(c, c_rows.load(builder.add(r, _INT(i))))
                    total = A.add_up(shift, sums[i * outputs + j])
                    builder.store(total, C.at(builder.add(place, _INT(j))))
        return context.get_dummy_value()

    return signature, codegen


@intrinsic(prefer_literal=True)
def _outer_tile(
    typing, EACH, ROWS, VECTORS, A, a, a_rows, r, a_steps, B, b, b_steps, first, count, C, c, c_row, lanes
):
    sizes = _literals(EACH, ROWS, VECTORS)
    if sizes is None:
        return None
    each, rows, vectors = sizes
    n = types.intp
    signature = types.void(EACH, ROWS, VECTORS, A, n, a_rows, n, a_steps, B, n, b_steps, n, n, C, n, n, n)

    def codegen(context, builder, signature, arguments):
        arrays = {k: _Memory(context, builder, signature.args[k], arguments[k]) for k in (3, 5, 7, 8, 10, 13)}
        A, a_rows, a_steps, B, b_steps, C = arrays.values()
        a, r, b, first, count, c, c_row, lanes = (arguments[k] for k in (4, 6, 9, 11, 12, 14, 15, 16))
        end = builder.add(first, count)
        width = A.vector.count
        starts = [A.at(builder.add(a, a_rows.load(builder.add(r, _INT(i))))) for i in range(rows)]
        targets = [
            builder.gep(
                C.at(builder.add(c, builder.mul(c_row, _INT(i)))), [_INT(j * width)], source_etype=C.number
            )
            for i in range(rows)
            for j in range(vectors)
        ]

        def step(p, sums, mask):
            shift, place = a_steps.load(p), B.at(builder.add(b, b_steps.load(p)))
            loaded = []
            for j in range(vectors):
                pointer = builder.gep(place, [_INT(j * width)], source_etype=B.number)
                cut = mask is not None and j == vectors - 1
                loaded.append(B.load_some(pointer, mask) if cut else B.load_vector(pointer))
            new = []
            for i, start in enumerate(starts):
                here = builder.gep(start, [shift], source_etype=A.number)
                if each:
                    factor = A.load_vector(here) if mask is None else A.load_some(here, mask)
                else:
                    factor = A.load_everywhere(here)
                new += [A.multiply_add(factor, loaded[j], sums[i * vectors + j]) for j in range(vectors)]
            return new

        with builder.if_else(B.is_whole(lanes)) as (whole, cut):
            for last_is_cut, block in ((False, whole), (True, cut)):
                with block:
                    mask = B.first(lanes) if last_is_cut else None
                    before = [C.load_vector(target) for target in targets]
                    sums = _loop(builder, first, end, before, lambda p, sums, m=mask: step(p, sums, m))
                    for value, target in zip(sums, targets, strict=True):
                        C.store_vector(value, target)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic(prefer_literal=True)
def _transform_tile(
    typing,
    TAPS,
    KIND,
    CLIPPED,
    S,
    s,
    s_row,
    s_column,
    s_lanes,
    D,
    d,
    d_row,
    d_column,
    d_lanes,
    window,
    bias,
    z,
):
    literals = _literals(TAPS, KIND, CLIPPED)
    if literals is None:
        return None
    n = types.intp
    taps, kind, clipped = literals
    signature = types.void(TAPS, KIND, CLIPPED, S, n, n, n, n, D, n, n, n, n, types.UniTuple(n, 4), bias, n)
    transform, size, made = transforms.KINDS[taps][kind]

    def codegen(context, builder, signature, arguments):
        S, D, bias = (_Memory(context, builder, signature.args[k], arguments[k]) for k in (3, 8, 14))
        s, s_row, s_column, s_lanes, d, d_row, d_column, d_lanes, z = (
            arguments[k] for k in (4, 5, 6, 7, 9, 10, 11, 12, 15)
        )
        first_row, last_row, first_column, last_column = cgutils.unpack_tuple(builder, arguments[13], 4)

        def between(i, first, last):
            return builder.and_(
                builder.icmp_signed(">=", _INT(i), first), builder.icmp_signed("<", _INT(i), last)
            )

        def places(memory, start, row, column, lanes, size, clipped):
            """Where each vector of a square lies, and a mask of its places that exist."""
            mask = memory.first(lanes)
            none = ir.Constant(mask.type, None)
            rows = [between(i, first_row, last_row) for i in range(size)]
            columns = [between(j, first_column, last_column) for j in range(size)]
            for i in range(size):
                for j in range(size):
                    shift = builder.add(builder.mul(row, _INT(i)), builder.mul(column, _INT(j)))
                    here = builder.select(builder.and_(rows[i], columns[j]), mask, none) if clipped else mask
                    yield memory.at(builder.add(start, shift)), here

        sources = places(S, s, s_row, s_column, s_lanes, size, clipped and kind != transforms.OUTPUT)
        values = [Vector(builder, S.load_some(*place)) for place in sources]
        square = transforms.on_both_axes(transform, [values[i * size : (i + 1) * size] for i in range(size)])
        results = [value for row in square for value in row]
        if kind == transforms.OUTPUT:
            shift = Vector(builder, bias.load_vector(bias.at(z)))
            results = [value + shift for value in results]
        targets = list(places(D, d, d_row, d_column, d_lanes, made, clipped and kind == transforms.OUTPUT))
        if clipped:
            for value, (pointer, mask) in zip(results, targets, strict=True):
                D.store_some(value.value, pointer, mask)
        else:
            D.store_square([value.value for value in results], [t[0] for t in targets], 1, d_lanes)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic(prefer_literal=True)
def _prefetch(typing, WRITE, X, x):
    if _literals(WRITE) is None:
        return None
    signature = types.void(WRITE, X, types.intp)

    def codegen(context, builder, signature, arguments):
        place = _Memory(context, builder, signature.args[1], arguments[1]).at(arguments[2])
        byte = builder.bitcast(place, ir.IntType(8).as_pointer())
        flags = [ir.IntType(32)(k) for k in (WRITE.literal_value, 2, 1)]  # into the second cache, of data
        kind = ir.FunctionType(ir.VoidType(), [byte.type, *[f.type for f in flags]])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0"), [byte, *flags])
        return context.get_dummy_value()

    return signature, codegen


multiply_tile: Any = twins.multiply if config.DISABLE_JIT else _multiply_tile
lanes_tile: Any = twins.lanes if config.DISABLE_JIT else _lanes_tile
dot_tile: Any = twins.dot if config.DISABLE_JIT else _dot_tile
outer_tile: Any = twins.outer if config.DISABLE_JIT else _outer_tile
transform_tile: Any = twins.transform if config.DISABLE_JIT else _transform_tile
prefetch: Any = twins.prefetch if config.DISABLE_JIT else _prefetch
