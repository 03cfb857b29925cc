"""What PyTorch refuses is refused: the random calls of test_agreement.py, with one argument spoilt in shape
or dtype, for both libraries.  This project may be stricter (no silent broadcast, no mixed float types), not
laxer.
"""

from collections import Counter

import numpy as np
import pytest

from minitorch_seg.kernels import dispatch
from tests.agreement_cases import FAMILIES, Draw
from tests.helpers import OURS, draw, theirs
from tests.ops.test_spoilt_arguments import DTYPES, REFUSALS, SHAPES, spoil

PER_FAMILY = 50
#: PyTorch 2.13 does not refuse a recurrent layer's wrong weights: it crashes.  Ours are in test_rnn.py.
CRASHING = {"RNN", "GRU", "LSTM"}
#: (family, what was done): PyTorch has no kernel there, and no reason to refuse.
HARMLESS = {
    ("cross_entropy", "uint8"),  # a mask as it comes from a file
}


def outcome(library, make, call, arrays):
    """None, or the error."""
    try:
        call(library, *[make(a) for a in arrays])
    except Exception as error:
        return error
    return None


@pytest.mark.filterwarnings("ignore::UserWarning")  # PyTorch's, of spoilt arguments
def test_what_pytorch_refuses_is_refused():
    library = theirs()
    torch = library.modules[1]
    counts, laxer, unlike, harmless = Counter(), [], [], set()
    with dispatch.use("reference"):
        for name in sorted(set(FAMILIES) - CRASHING):
            for number in range(PER_FAMILY):
                r = Draw(name, 10_000 + number)
                specs, call = FAMILIES[name](r)
                arrays = draw(specs, "float64", seed=number)
                k, how = r.int(0, len(arrays) - 1), r.one(*SHAPES, *DTYPES)
                arrays[k] = np.asarray(spoil(arrays[k], how, r.int(0, max(arrays[k].ndim - 1, 0))))
                expected = outcome(library, torch.tensor, call, arrays)
                found = outcome(OURS, OURS.tensor, call, arrays)
                counts[expected is not None, found is not None] += 1
                if expected is not None and found is None:
                    if (name, how) in HARMLESS:
                        harmless.add((name, how))
                    else:
                        laxer.append(f"{name} {number}, {how}: PyTorch says {expected}")
                if found is not None and not isinstance(found, REFUSALS):
                    unlike.append(f"{name} {number}, {how}: {type(found).__name__}: {found}")
    print(f"\nspoilt calls: {counts[True, True]} refused by both, {counts[False, False]} computed by both")
    assert not laxer, "\n".join(laxer[:20])
    assert not unlike, "\n".join(unlike[:20])
    assert harmless == HARMLESS, f"no longer a deviation: {HARMLESS - harmless}"
    assert counts[True, True] >= 500
