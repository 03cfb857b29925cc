"""Register tiles and Winograd's transforms: against plain formulas, their twins, and with bounds that do not
fit.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minitorch_seg.kernels.fast import depthwise, panels, tile_ir, tile_twins, transforms, winograd
from minitorch_seg.kernels.jit import kernel

DTYPES = ["float32", "float64"]


@kernel
def multiply(A, a_rows, starts, taps, terms, B, bias, C, c_rows, count, outputs, products):
    spare = count + panels.SPARE_ROWS
    reach = panels.bounds(a_rows, min(spare, len(a_rows))) + panels.bounds(c_rows, min(spare, len(c_rows)))
    panels.multiply_panels(
        A,
        a_rows,
        C,
        c_rows,
        reach,
        starts,
        taps,
        terms,
        B,
        bias,
        count,
        outputs,
        products,
        A,
        C,
        (0, 99, 0, 99),
    )


@kernel
def dots(A, a_rows, starts, taps, terms, B, bias, C, c_rows, count, outputs):
    spare = count + panels.SPARE_ROWS
    reach = panels.bounds(a_rows, min(spare, len(a_rows))) + panels.bounds(c_rows, min(spare, len(c_rows)))
    panels.dot_panels(A, a_rows, C, c_rows, reach, starts, taps, terms, B, bias, count, outputs)


@kernel
def lanes(A, a_rows, start, taps, first, number, B, bias, C, c_rows, c, count, channels):
    reach = panels.bounds(a_rows, count) + panels.bounds(c_rows, count)
    depthwise._multiply_lanes(
        A, a_rows, C, c_rows, reach, start, taps, first, number, B, bias, c, count, channels
    )


@kernel
def outer_lanes(A, a_rows, a_steps, B, b_steps, count, C, channels):
    reach = panels.bounds(a_rows, len(a_rows)) + panels.bounds(a_steps, count) + panels.bounds(b_steps, count)
    depthwise._outer_lanes(A, 0, a_rows, a_steps, B, 0, b_steps, reach, count, C, channels)


@kernel
def outer(A, a_rows, rows, a_steps, B, b_steps, first, count, C, starts, outputs, read, products):
    end = first + count
    reach = panels.bounds(a_rows, len(a_rows)) + panels.bounds(a_steps, end) + panels.bounds(b_steps, end)
    panels.outer_panels(
        A, a_rows, rows, a_steps, B, b_steps, reach, first, count, C, starts, outputs, read, products
    )


@kernel
def transform(S, D, window, bias):
    tile_ir.transform_tile(3, 0, 1, S, 3, 90, 15, 2, D, 1, 120, 20, 2, window, bias, 0)


@pytest.mark.parametrize("outputs", [1, 5, 16, 17, 40, 64, 70])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_product_of_panels_is_a_matrix_product(outputs, dtype):
    """Two products at once; rows, taps and outputs lie scattered in memory; nothing else is touched."""
    rng = np.random.default_rng(0)
    count, terms, shifts = 13, 7, [4, 90, 31]
    A = rng.standard_normal(2000).astype(dtype)
    matrices = [rng.standard_normal((len(shifts) * terms, outputs)).astype(dtype) for _ in range(2)]
    B = np.concatenate([panels.pack(m) for m in matrices])
    bias = panels.fill_up(rng.standard_normal(outputs).astype(dtype), panels.padded(outputs, dtype))
    a_rows = rng.integers(0, 1500, count + panels.SPARE_ROWS)
    c_rows = np.minimum(np.arange(count + panels.SPARE_ROWS), count - 1) * (outputs + 3)
    a_rows[count:] = a_rows[count - 1]
    second = count * (outputs + 3)
    C = np.full(2 * second + 5, 99, dtype)
    starts = 11, 0, 0, 5, 200, len(B) // 2, second
    multiply(A, a_rows, starts, np.array(shifts), terms, B, bias, C, c_rows, count, outputs, 2)
    made = C[5:].reshape(2, count, outputs + 3)
    for m in range(2):
        for i in range(count):
            where = 11 + m * 200 + a_rows[i]
            row = np.concatenate([A[where + t : where + t + terms] for t in shifts]).astype("float64")
            expected = bias[:outputs] + row @ matrices[m]
            np.testing.assert_allclose(made[m, i, :outputs], expected, rtol=0, atol=1e-5)
    assert (made[:, :, outputs:] == 99).all() and (C[:5] == 99).all()


def pack_dots(matrix, taps):
    """(taps · terms, outputs) -> the weight as `tile_twins.dot` says, flat."""
    outputs, width, terms = matrix.shape[1], panels.lanes_of(matrix.dtype), len(matrix) // taps
    whole = np.zeros((taps, -(-terms // width) * width, panels.DOTS), matrix.dtype)
    whole[:, :terms, :outputs] = matrix.reshape(taps, terms, outputs)
    return whole.reshape(taps, -1, width, panels.DOTS).transpose(0, 1, 3, 2).reshape(-1)


@pytest.mark.parametrize("terms", [1, 15, 16, 45])
@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_dot_products_are_a_matrix_product(outputs, terms, dtype):
    """What lies behind a tap's terms is not seen, not even where it is not a number."""
    rng = np.random.default_rng(0)
    count, shifts, line = 13, [4, 190, 61], 60
    A = np.full(count * line + 300, np.nan, dtype)
    a_rows = np.minimum(np.arange(count + panels.SPARE_ROWS), count - 1) * line
    for row in a_rows[:count]:
        for shift in shifts:
            A[7 + row + shift : 7 + row + shift + terms] = rng.standard_normal(terms)
    matrix = rng.standard_normal((len(shifts) * terms, outputs)).astype(dtype)
    bias = rng.standard_normal(2 + outputs).astype(dtype)
    c_rows = np.minimum(np.arange(count + panels.SPARE_ROWS), count - 1) * (outputs + 2)
    C = np.full(5 + count * (outputs + 2), 99, dtype)
    B = np.append(np.zeros(1, dtype), pack_dots(matrix, len(shifts)))
    dots(A, a_rows, (7, 1, 2, 5), np.array(shifts), terms, B, bias, C, c_rows, count, outputs)
    made = C[5:].reshape(count, outputs + 2)
    for i in range(count):
        row = np.concatenate([A[7 + a_rows[i] + t :][:terms] for t in shifts]).astype("float64")
        np.testing.assert_allclose(made[i, :outputs], bias[2:] + row @ matrix, rtol=0, atol=1e-5)
    assert (made[:, outputs:] == 99).all() and (C[:5] == 99).all()


@pytest.mark.parametrize("read", [1, 16, 19, 40, 64, 70])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sum_of_outer_products(read, dtype):
    rng = np.random.default_rng(1)
    rows, count, outputs = 11, 9, panels.padded(read, dtype)
    A, B = rng.standard_normal(400).astype(dtype), rng.standard_normal(900).astype(dtype)
    a_rows = rng.integers(0, 200, rows + panels.OUTER_SPARE)
    a_steps, b_steps = rng.integers(0, 90, count), rng.integers(0, 900 - read - 3, count)
    C = np.ones(((rows + panels.OUTER_SPARE) * outputs), dtype)
    outer(A, a_rows, rows, a_steps, B, b_steps, 0, 4, C, (7, 3, 0, 0, 0), outputs, read, 1)
    outer(A, a_rows, rows, a_steps, B, b_steps, 4, count - 4, C, (7, 3, 0, 0, 0), outputs, read, 1)
    expected = 1 + sum(
        np.outer(A[7 + a_rows[:rows] + a_steps[p]].astype("float64"), B[3 + b_steps[p] :][:read])
        for p in range(count)
    )
    np.testing.assert_allclose(C.reshape(-1, outputs)[:rows, :read], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("wrong", ["a", "b", "c", "bias", "rows"])
def test_a_tile_that_would_leave_its_arrays_is_refused(wrong):
    sizes = {"a": 20, "b": 2 * 16 * 4, "c": 16, "bias": 16, "rows": 1 + panels.SPARE_ROWS}
    sizes[wrong] -= 1
    width = tile_ir.VECTOR_BYTES // 4
    sizes["b"], sizes["bias"] = sizes["b"] // 16 * width if wrong != "b" else 3, min(sizes["bias"], width)
    if wrong == "bias":
        sizes["bias"] = width - 1
    A, B, C, bias = (np.zeros(sizes[k], "float32") for k in ("a", "b", "c", "bias"))
    rows = np.zeros(sizes["rows"], np.int64)
    count = min(16, width)
    starts = 12, 0, 0, 16 - count, 0, 0, 0
    with pytest.raises(IndexError, match="would leave"):
        multiply(A, rows, starts, np.zeros(1, np.int64), 8, B, bias, C, rows, 1, count, 1)


@pytest.mark.parametrize("wrong", ["a", "b", "c", "bias", "rows", "outputs"])
def test_a_dot_product_that_would_leave_its_arrays_is_refused(wrong):
    sizes = {"a": 20, "b": panels.DOTS * panels.lanes_of(np.dtype("float32")), "c": 16, "bias": 2}
    sizes |= {"rows": 1 + panels.SPARE_ROWS, "outputs": 2}
    sizes[wrong] += panels.DOTS if wrong == "outputs" else -1
    A, B, C, bias = (np.zeros(sizes[k], "float32") for k in ("a", "b", "c", "bias"))
    rows = np.zeros(sizes["rows"], np.int64)
    starts = 16, 0, 0, 16 - sizes["outputs"]
    with pytest.raises(IndexError, match="would leave"):
        dots(A, rows, starts, np.zeros(1, np.int64), 4, B, bias, C, rows, 1, sizes["outputs"])


def refused(function, arguments, wrong):
    """The call works; it is refused where arguments[wrong] is an array one number shorter, or one more."""
    function(*arguments.values())
    value = arguments[wrong]
    bad = value[:-1] if isinstance(value, np.ndarray) else value + 1
    with pytest.raises(IndexError, match="would leave"):
        function(*{**arguments, wrong: bad}.values())


@pytest.mark.parametrize(
    "wrong", ["A", "B", "C", "a_rows", "a_steps", "outputs", "read", "products", "count"]
)
def test_outer_products_that_would_leave_their_arrays_are_refused(wrong):
    outputs, rows = panels.lanes_of(np.dtype("float32")), 3
    height = rows + panels.OUTER_SPARE
    arguments = {
        "A": np.zeros(20, "float32"), "a_rows": np.minimum(np.arange(height), 2), "rows": rows,
        "a_steps": np.arange(0, 10, 2), "B": np.zeros(4 + outputs, "float32"), "b_steps": np.arange(5),
        "first": 1, "count": 4, "C": np.zeros(height * outputs, "float32"), "starts": (9, 0, 0, 0, 0),
        "outputs": outputs, "read": outputs, "products": 1,
    }  # fmt: skip
    refused(outer, arguments, wrong)


@pytest.mark.parametrize("wrong", ["A", "taps", "B", "bias", "C", "a_rows", "c", "channels", "number"])
def test_products_of_lanes_that_would_leave_their_arrays_are_refused(wrong):
    wide = panels.lanes_of(np.dtype("float32"))
    arguments = {
        "A": np.zeros(8 + wide, "float32"), "a_rows": np.arange(5), "start": 1, "taps": np.array([0, 3]),
        "first": 1, "number": 1, "B": np.zeros(2 * wide, "float32"), "bias": np.zeros(wide, "float32"),
        "C": np.zeros(5 + wide, "float32"), "c_rows": np.arange(5), "c": 1, "count": 5, "channels": wide,
    }  # fmt: skip
    refused(lanes, arguments, wrong)


@pytest.mark.parametrize("wrong", ["A", "a_rows", "a_steps", "B", "b_steps", "count", "C", "channels"])
def test_outer_products_of_lanes_that_would_leave_their_arrays_are_refused(wrong):
    wide = panels.lanes_of(np.dtype("float32"))
    arguments = {
        "A": np.zeros(14 + wide, "float32"), "a_rows": np.arange(depthwise.TAPS) + 2, "a_steps": np.arange(5),
        "B": np.zeros(4 + wide, "float32"), "b_steps": np.arange(5), "count": 5,
        "C": np.zeros(depthwise.TAPS * wide, "float32"), "channels": wide,
    }  # fmt: skip
    refused(outer_lanes, arguments, wrong)


@pytest.mark.parametrize("number", [1, 4, 9])
@pytest.mark.parametrize("channels", [1, 16, 21])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_product_of_lanes(channels, number, dtype):
    """Taps 1 … number of a longer list, rows scattered in memory; nothing else is touched."""
    rng = np.random.default_rng(5)
    A, taps = rng.standard_normal(900).astype(dtype), rng.integers(0, 300, 11)
    wide, width, count = panels.padded(channels, dtype), panels.lanes_of(np.dtype(dtype)), 7
    weight = np.zeros((len(taps), wide), dtype)
    weight[:, :channels] = rng.standard_normal((len(taps), channels))
    bias = panels.fill_up(rng.standard_normal(channels).astype(dtype), wide)
    B = weight.reshape(-1, wide // width, width).transpose(1, 0, 2).reshape(-1)
    a_rows, c_rows = rng.integers(0, 500, count), np.arange(count)[::-1] * (channels + 2)
    C = np.full(3 + count * (channels + 2), 99, dtype)
    lanes(A, a_rows, 5, taps, 1, number, B, bias, C, c_rows, 3, count, channels)
    made = C[3:].reshape(count, channels + 2)[::-1]
    for p in range(count):
        seen = np.array([A[5 + a_rows[p] + t :][:channels] for t in taps[1 : 1 + number]], "float64")
        expected = bias[:channels] + (seen * weight[1 : 1 + number, :channels]).sum(axis=0)
        np.testing.assert_allclose(made[p, :channels], expected, rtol=0, atol=1e-5)
    assert (made[:, channels:] == 99).all() and (C[:3] == 99).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("window", [(0, 6, 0, 6), (1, 6, 0, 4), (2, 3, 5, 6), (3, 3, 0, 6)])
def test_a_transform_equals_its_twin(dtype, window):
    rng = np.random.default_rng(2)
    S = rng.standard_normal(3 + 6 * 105 + 20).astype(dtype)
    bias = np.zeros(tile_ir.VECTOR_BYTES // np.dtype(dtype).itemsize, dtype)
    found, expected = np.full(800, 7, dtype), np.full(800, 7, dtype)
    transform(S, found, window, bias)
    tile_twins.transform(3, 0, 1, S, 3, 90, 15, 2, expected, 1, 120, 20, 2, window, bias, 0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert (found != 7).sum() == 72 or window[0] == window[1]


@pytest.mark.parametrize("taps", [3, 5])
def test_winograds_identity(taps):
    """Aᵀ[(G w) ∘ (Bᵀ x)] is the correlation of six inputs with three or five weights, and in 2-D that of 6×6
    with 3×3 or 5×5.
    """
    kinds = transforms.KINDS[taps]
    of_input, of_output, of_weight = (
        kinds[k][0] for k in (transforms.INPUT, transforms.OUTPUT, transforms.WEIGHT)
    )
    from scipy.signal import correlate2d

    rng = np.random.default_rng(3)
    x, w = rng.standard_normal((6, 6)), rng.standard_normal((taps, taps))
    row = of_output(*np.multiply(of_input(*x[0]), of_weight(*w[0])))
    np.testing.assert_allclose(row, np.correlate(x[0], w[0], "valid"), atol=1e-12)
    v, u = (np.array(transforms.on_both_axes(t, a)) for t, a in ((of_input, x), (of_weight, w)))
    found = np.array(transforms.on_both_axes(of_output, v * u))
    np.testing.assert_allclose(found, correlate2d(x, w, "valid"), atol=1e-11)


@pytest.mark.parametrize("taps", [3, 5])
@pytest.mark.parametrize(
    "there, back", [(transforms.OUTPUT, transforms.GRADIENT), (transforms.WEIGHT, transforms.WEIGHT_GRADIENT)]
)
def test_gradients_use_the_adjoint_transforms(there, back, taps):
    forward, inputs, outputs = transforms.KINDS[taps][there]
    backward, back_inputs, back_outputs = transforms.KINDS[taps][back]
    assert (back_inputs, back_outputs) == (outputs, inputs)
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal(inputs), rng.standard_normal(outputs)
    assert np.dot(forward(*a), b) == pytest.approx(np.dot(a, backward(*b)), rel=1e-12)


def test_the_matrices_in_the_docstring():
    identity = np.eye(6)
    B = np.array([transforms.input_transform(*e) for e in identity]).T
    assert B[0].tolist() == [4, 0, -5, 0, 1, 0] and B[3].tolist() == [0, -2, -1, 2, 1, 0]
    A = np.array([transforms.output_transform(*e) for e in identity]).T
    assert A[3].tolist() == [0, 1, -1, 8, -8, 1]
    A = np.array([transforms.output_transform_5(*e) for e in identity]).T
    assert A.tolist() == [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 1]]
    G = np.array([transforms.weight_transform_5(*e) for e in np.eye(5)]).T
    powers = np.vander([0, 1, -1, 2, -2], 5, increasing=True) / [[4], [-6], [-6], [24], [24]]
    np.testing.assert_allclose(G, [*powers, [0, 0, 0, 0, 1]], rtol=1e-12)


@pytest.mark.parametrize("taps", [3, 5])
@pytest.mark.parametrize("wrong", ["x", "packed", "bias", "y", "grad", "weight's own"])
def test_winograd_refuses_arrays_that_end_too_early(wrong, taps, monkeypatch):
    """Each array of a kernel in turn lacks its last quarter."""

    def with_one_cut(kernel, chunks, *args):
        names = kernel.py_func.__code__.co_varnames[2 : 2 + len(args)]
        cut = (a[: len(a) * 3 // 4] if n == wrong else a for n, a in zip(names, args, strict=True))
        kernel(0, chunks, *cut)

    monkeypatch.setattr(winograd, "parallel_for", with_one_cut)
    x, y = np.ones((1, 9, 7, 10), "float32"), np.zeros((1, 9, 7, 13), "float32")
    x.flags.writeable = False
    weight, bias = np.ones(13 * 10 * taps**2, "float32"), np.ones(13, "float32")
    places = 0, taps, 1, taps**2, 10 * taps**2
    with pytest.raises(IndexError, match="would leave its arrays"):
        if wrong == "grad":
            winograd.weight_gradient(x, y, taps, (taps // 2, taps // 2))
        elif wrong == "weight's own":
            wide = panels.padded(13, y.dtype)
            packed = np.zeros(27 * winograd._plane(10, wide, 4), "float32")
            winograd._pack_weight(0, 3, (0,) * taps, weight, places, 10, 13, packed)
        else:
            winograd.correlate(x, weight, places, bias, y, taps, (taps // 2, taps // 2))


FOREIGN = """
import re, sys
from llvmlite import binding
from tests.kernels import test_tiles as tiles
tiles.test_a_product_of_panels_is_a_matrix_product(40, "float32")
tiles.test_dot_products_are_a_matrix_product(2, 40, "float32")
binding.initialize_all_targets()
binding.initialize_all_asmprinters()
target = binding.Target.from_triple(sys.argv[1])
machine = target.create_target_machine(features=sys.argv[2], opt=2)
for kernel in (tiles.multiply, tiles.dots):
    (text,) = kernel.inspect_llvm().values()
    assert "llvm.fmuladd" in text and not re.search(r"llvm\\.fma\\.", text)
    text = re.sub("target (triple|datalayout).*", "", text)
    head = f'target triple = "{machine.triple}" target datalayout = "{machine.target_data}"'
    made = machine.emit_assembly(binding.parse_assembly(head + text))
    calls = re.findall(r"(?:bl|callq?) +(fmaf?)[^a-z]", made)
    print(len(re.findall(sys.argv[3], made)) >= 8, len(calls))
"""


@pytest.mark.parametrize(
    ("triple", "features", "product"),
    [
        ("aarch64-unknown-linux-gnu", "+neon", r"fmla\s+v\d+\.4s"),
        ("x86_64-unknown-linux-gnu", "+sse2", r"mulps"),
    ],
)
def test_tiles_become_vector_instructions_of_other_processors(triple, features, product, tmp_path):
    """Translated, not run: one multiply-add on aarch64; where there is none, two instructions and no call."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FOREIGN, triple, features, product],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={
            **os.environ,
            "NUMBA_OPT": "0",  # optimised code holds instructions of this processor
            "NUMBA_CPU_NAME": "generic",
            "NUMBA_CPU_FEATURES": "",
            "NUMBA_CACHE_DIR": str(tmp_path),  # code from the disk comes without its text
        },
    )
    assert done.stdout.split() == ["True", "0"] * 2, done.stdout + done.stderr
