"""Thousands of calls with one wrong argument, in both libraries (wrong_calls.py).

What PyTorch refuses is refused, with a ValueError or a TypeError; where both answer, the answers are equal.
Every deviation is named here.
"""

import re
import warnings
from collections import Counter

import numpy as np
import pytest

import minitorch_seg as ms
from tests.helpers import theirs
from tests.wrong_calls import CALLS, cases

#: (call, what is changed) that PyTorch refuses and we accept.
ACCEPTED = {
    "a list stands for a tensor": r"Tensor\.\w+ (number other|integers exponent)=\(1.0,\)",
    "None, given for an argument that may be left out, means the same": r"(max|min|squeeze) dim=None",
    "no dims are all dims": r"Tensor\.logsumexp dim=\(\)",
    "masks of bools can be framed by any mode": r"(pad (reflect|replicate)|nn\.Re\w+Pad2d) (\w+: |all )bool",
    "an empty batch is fine": r"(instance_norm own=\w+ input|nn\.InstanceNorm\dd x): dim 0 empty",
    "indices are NumPy's: uint8 counts places, it is no mask": r"getitem tensor i: uint8",
}
#: The sentences with which we refuse what PyTorch accepts.
STRICTER = {
    "layers and losses take float32 and float64, all arguments the same": r"expected float32 or float64|"
    r"operands of one float type|class indices: use .long",
    "losses do not broadcast": r"must have one shape|weight has shape .* expected",
    "biases and weights of channels have one dimension": r"(bias|weight) has shape",
    "an int or a pair, no list of one": r"must be an int or two ints, found \(\d?,?\)",
    "a switch is True or False": r"must be bool",
    "the ranges of options": r"label_smoothing must be between|eps must be positive|not negative, found nan",
    "True is no size": r"must be int.*found bool True",
    "images have two dimensions, channels and pixels": r"expected \(N, C, H, W\)|no pixels|only N may be 0",
    "one target is 0-d": r"target has shape \(1, 1\), expected \(1,\)",
    "sizes are whole numbers": r"must be int \| tuple\[int, int\].* found float|must be an int or two ints",
    "negative padding is for functional.pad": r"padding must be at least 0",
    "a condition is of bools": r"condition is uint8",
}
#: Where both answer, and answer differently.
UNEQUAL = {
    "NaN and infinity spread along what is multiplied by zero": r"(weight|input): holds (nan|inf)",
    "PyTorch leaves an empty map as it is": r"pixel_unshuffle input: dim \d empty",
    "our any and all give bools": r"Tensor\.(any|all) (x: |all )uint8|Tensor\.(any|all) dim=\(\)",
    "a correction of NaN": r"correction=nan",
    "random numbers": r"dropout(2d)? training=",
}


def answer(library, tensor, call, arguments):
    """("answer", list of arrays or shapes), or ("refusal", the exception)."""
    try:
        made = {k: tensor(v) if isinstance(v, np.ndarray) else v for k, v in arguments.items()}
        result = call(library, **made)
    except Exception as refusal:
        return "refusal", refusal
    results = list(result) if isinstance(result, tuple | list) else [result]
    return "answer", [r if isinstance(r, tuple) else np.asarray(getattr(r, "data", r)) for r in results]


def equal(found, expected):
    return len(found) == len(expected) and all(
        f == e
        if isinstance(f, tuple)
        else f.shape == e.shape
        and f.dtype == e.dtype
        and np.allclose(f.astype(float), e.astype(float), rtol=1e-4, atol=1e-5, equal_nan=True)
        for f, e in zip(found, expected, strict=True)
    )


def named(reasons, text):
    return [reason for reason, pattern in reasons.items() if re.search(pattern, text)]


@pytest.mark.parametrize("name", CALLS)
def test_what_pytorch_refuses_is_refused(name):
    torch = theirs().modules[1]
    ours, library = _Library(ms.functional, ms), _Library(torch.nn.functional, torch)
    call, arguments = CALLS[name]
    counts, failures = Counter(), []
    for what, given in cases(arguments):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind, found = answer(ours, lambda a: ms.tensor(a.copy()), call, given)
            their_kind, expected = answer(library, lambda a: torch.tensor(a.copy()), call, given)
        title = f"{name} {what}"
        counts[kind, their_kind] += 1
        proper = ValueError, TypeError, *([AttributeError] if what.endswith(": None") else [])
        if kind == "refusal" and not isinstance(found, proper):  # None has no methods
            failures.append(f"{title}: {type(found).__name__} {found}")
        if what == "right":
            assert (kind, their_kind) == ("answer", "answer"), (found, expected)
        if (kind, their_kind) == ("answer", "refusal"):
            if not named(ACCEPTED, title):
                failures.append(f"{title}: PyTorch refuses it: {' '.join(str(expected).split())[:100]}")
        elif (kind, their_kind) == ("refusal", "answer"):
            if not named(STRICTER, str(found)):
                failures.append(f"{title}: PyTorch answers; {type(found).__name__}: {found}")
        elif kind == "answer" and not equal(found, expected) and not named(UNEQUAL, title):
            failures.append(f"{title}: {found} != {expected}")
    assert not failures, "\n".join([f"{len(failures)} of {counts.total()}:", *failures[:20]])


class _Library:
    def __init__(self, *modules):
        self.modules = modules

    def __getattr__(self, name):
        return next(getattr(m, name) for m in self.modules if hasattr(m, name))
