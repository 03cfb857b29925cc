"""Bad input to every public operator: a valid call of the table (tests/ops/table) with one tensor spoilt, in
shape or in dtype.  Either it is computed, or it is refused by a sentence that begins with the operator; no
error comes out of NumPy or a kernel unexplained, and nothing crashes.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import minitorch_seg as ms
from tests.ops.table.draw import Case, Draw
from tests.ops.table.whole import TABLE

#: Operators that are another one with other arguments; that one speaks for them.
SPEAKERS = {
    "batch_norm_relu": "batch_norm",
    "broadcast_to": "expand",
    "documented_convolution": "convolve2d",
    "focal_loss": "cross_entropy",
    "getitem": "indexing a tensor of shape",
    "jaccard_loss": "tversky_loss",
    "masked_fill": "where",
    "max": "amax",
    "min": "amin",
    "pow": "the number",  # … does not fit into the other operand's dtype: said for all of arithmetic
    "reconstruction_loss": "mse_loss",
    "setitem": "indexing a tensor of shape",
    "std": "var",
    "sum_to_size": "reshape",
}
REFUSALS = ValueError, TypeError, IndexError  # the errors of this project are among them
SHAPES = "longer", "shorter", "empty", "one dimension more", "one dimension less"
DTYPES = "int64", "uint8", "bool", "float16", "float32"


def spoil(a: np.ndarray, how: str, axis: int) -> np.ndarray:
    """The same numbers in another shape or dtype; what cannot be done to `a` is left undone."""
    if how in DTYPES:
        with np.errstate(invalid="ignore"):  # NaN as an integer
            return a.astype(how)
    if how == "one dimension more":
        return np.expand_dims(a, axis)
    if not a.ndim:
        return a
    if how == "longer":
        return np.repeat(a, 2, axis)
    if how == "one dimension less":
        return np.take(a, 0, axis) if a.shape[axis] else a
    return np.take(a, range(0 if how == "empty" else max(a.shape[axis] - 1, 0)), axis)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_computed_or_refused_in_words(name: str):
    heard: set[str] = set()
    many_calls = settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    many_calls(given(data=st.data())(lambda data: spoilt_call(name, data, heard)))()
    assert SPEAKERS.get(name) in {None, *heard}, (
        f"{SPEAKERS.get(name)} does not speak for {name}: take it off"
    )


def spoilt_call(name: str, data: Any, heard: set[str]) -> None:
    """One call with a spoilt argument; whoever refuses it is heard."""
    case: Case = TABLE[name](Draw(data))
    arrays = list(case.arrays)
    k = data.draw(st.integers(0, len(arrays) - 1), "argument")
    axis = data.draw(st.integers(0, max(arrays[k].ndim - 1, 0)), "axis")
    arrays[k] = spoil(arrays[k], data.draw(st.sampled_from(SHAPES + DTYPES), "how"), axis)
    try:
        case.call(*[ms.Tensor(np.asarray(a)) for a in arrays])
    except REFUSALS as refusal:
        starts = f"{name}: ", SPEAKERS.get(name, name)
        assert str(refusal).startswith(starts), f"{type(refusal).__name__}: {refusal}"
        heard.update(s for s in starts if str(refusal).startswith(s))
