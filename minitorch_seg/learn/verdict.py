"""Verdict: what a check says about an answer, the same in a terminal, in a notebook and in a test."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

__all__ = ["Verdict"]

LOOK = {
    "todo": ("NOT YET DONE", "#57606a"),
    "wrong": ("NOT RIGHT YET", "#b3261e"),
    "right": ("RIGHT", "#146c2e"),
    "told": ("THE ANSWER", "#57606a"),
}


@dataclass(frozen=True)
class Verdict:
    """The judgement of one answer.  It is true where the answer is right.

    status: "todo", "wrong" or "right"; "told" where a page gives the answer away.  message: what a teacher
    would say.  diagnosis: the mistake in a word or two ("flipped", "forgot the batch"), empty unless the
    answer is wrong.  clue: what a hunter of bugs sees first; a notebook then folds the message away.

    >>> print(Verdict("wrong", "the kernel is flipped", "flipped"))
    NOT RIGHT YET: the kernel is flipped
    >>> bool(Verdict("right", "all 4 cases agree"))
    True
    """

    status: str
    message: str
    diagnosis: str = ""
    clue: str = ""

    def __bool__(self) -> bool:
        return self.status == "right"

    def __str__(self) -> str:
        return f"{LOOK[self.status][0]}: {self.message}"

    def _repr_html_(self) -> str:
        word, colour = LOOK[self.status]
        said = f'<span style="white-space:pre-wrap">{escape(self.message)}</span>'
        if self.clue:
            said = f"{escape(self.clue)}<details><summary>A hint: what goes wrong</summary>{said}</details>"
        return (
            f'<div class="verdict {self.status}" role="status" style="border-left:.4em solid {colour};'
            'padding:.5em 1em;margin:.5em 0;background:rgba(127,127,127,.08)">'
            f'<strong style="color:{colour}">{word}</strong><br>{said}</div>'
        )
