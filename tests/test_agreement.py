"""Agreement with PyTorch over a random grid of cases: values and gradients in float64 within 1e-9, for random
cotangents; and what PyTorch refuses is refused.  Seeded: every run draws the same cases (agreement_cases.py).
"""

from collections import Counter

import pytest

from tests.agreement_cases import FAMILIES, Draw
from tests.helpers import OURS, against_torch, draw, theirs

PER_FAMILY = 60
REFUSALS = ValueError, TypeError  # the errors of this project are among them


def try_case(name: str, number: int) -> str:
    """Draw and compare one case: "equal" or "refused" (by both); anything else raises."""
    library = theirs()
    torch = library.modules[1]
    specs, call = FAMILIES[name](Draw(name, number))
    tensors = [torch.tensor(a) for a in draw(specs, "float64", seed=number)]
    try:
        call(library, *tensors)
    except Exception as refusal:
        with pytest.raises(REFUSALS):
            call(OURS, *[OURS.tensor(a) for a in draw(specs, "float64", seed=number)])
            raise AssertionError(f"PyTorch refuses this: {refusal}") from None
        return "refused"
    against_torch(specs, call, dtypes=("float64",), tolerance=1e-9, seed=number)
    return "equal"


@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_agreement_with_pytorch():
    theirs()
    counts, failures = Counter(), []
    for name in FAMILIES:
        for number in range(PER_FAMILY):
            try:
                counts[try_case(name, number)] += 1
            except Exception as error:
                failures.append(
                    f"{name} {number}: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
                )
    total = len(FAMILIES) * PER_FAMILY
    print(
        f"\nagreement with PyTorch: {counts['equal']} cases of {len(FAMILIES)} families equal in value and "
        f"gradient, {counts['refused']} refused by both, {len(failures)} of {total} unlike"
    )
    assert not failures, "\n".join([f"{len(failures)} failures:", *failures[:20]])
    assert counts["equal"] >= 2000
