"""The tests for a real GPU (tests/gpu) at small sizes: that they run is known before a GPU is at hand."""

import pytest

from tests.gpu import checks


@pytest.mark.parametrize(
    "check", [c for c in checks.CHECKS if c is not checks.a_second_thread], ids=lambda c: c.__name__
)
def test_arrays(check):
    check(6)


@pytest.mark.parametrize("rule", checks.RULES)
def test_optimisers(rule):
    checks.optimiser(rule, 4)
