"""Are the tests worth anything?  The wrong operators of mistakes.py and edits.py are planted one after
the other, and the helpers that test the right ones must raise for every one of them.

A mistake counts as caught only where a comparison of numbers fails (AssertionError): one that crashes is no
feat to find.  The oracles are NumPy, SciPy and finite differences; the kernels are the reference kernels,
which are quick to replace.
"""

import pytest

from minitorch_seg.kernels import dispatch
from tests.ops import checks, checks_of_composed, edits, mistakes
from tests.ops.mistakes import Mistake

CHECKS = checks.CHECKS | checks_of_composed.CHECKS
MISTAKES = [*mistakes.MISTAKES, *edits.EDITS]


def is_caught(mistake: Mistake) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mistake.owner, mistake.name, mistake.wrong(getattr(mistake.owner, mistake.name)))
        try:
            mistake.check()
        except AssertionError:
            return True
    return False


@pytest.fixture(autouse=True)
def reference_kernels():
    with dispatch.use("reference"):
        yield


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
def test_right_operators_pass(check):
    check()


def test_every_mistake_is_caught():
    missed = [mistake.title for mistake in MISTAKES if not is_caught(mistake)]
    print(f"\nplanted mistakes: {len(MISTAKES) - len(missed)} of {len(MISTAKES)} caught")
    assert len(MISTAKES) >= 100
    assert not missed, f"not noticed: {missed}"


def test_titles_are_unlike():
    assert len({mistake.title for mistake in MISTAKES}) == len(MISTAKES)
