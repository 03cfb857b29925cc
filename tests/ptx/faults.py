"""What the interpreter raises: what is wrong, in which kernel, at which instruction, in which thread."""

from __future__ import annotations


class KernelFault(AssertionError):
    """A kernel did what it must not do. `kind` is one of KINDS, for tests that expect a certain fault."""

    KINDS = (
        "out of bounds",
        "misaligned",
        "uninitialised",
        "read only",
        "race",
        "barrier",
        "warp",
        "division by zero",
        "trap",
        "does not end",
    )

    def __init__(self, kind: str, message: str):
        assert kind in self.KINDS, kind
        super().__init__(f"{kind}: {message}")
        self.kind = kind


class UnknownPTX(NotImplementedError):
    """PTX that the interpreter does not know: an error, since skipping it would give a wrong answer."""
