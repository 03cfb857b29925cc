"""profile: where the time of a computation goes, operator by operator.

    with ms.profile() as p:
        loss = model(x).mean()
        loss.backward()
    print(p)

For each operator, forward and backward apart: calls, seconds, bytes of the results, and how many arrays had
to be brought into channels-last order.  An operator that calls others (a backward pass written in operators)
is charged only with what it spends itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minitorch_seg.autograd.observe import Observer, arrays_of
from minitorch_seg.kernels import layout


@dataclass
class Row:
    """What one operator cost in one phase."""

    operator: str
    phase: str
    calls: int = 0
    seconds: float = 0.0
    bytes: int = 0
    conversions: int = 0


class profile(Observer):
    """Record every operation of a `with` block; `rows` is the table, `print` shows it, the costliest first.

    >>> import minitorch_seg as ms
    >>> x = ms.ones(4, 4, requires_grad=True)
    >>> with ms.profile() as p:
    ...     (x @ x).sum().backward()
    >>> [row.calls for row in p.rows if (row.operator, row.phase) == ("MatMul", "backward")]
    [1]
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Row] = {}
        self._inner: list[list[float]] = []  # seconds and conversions of operations within the present one

    @property
    def rows(self) -> list[Row]:
        return sorted(self._rows.values(), key=lambda row: -row.seconds)

    def watch(self, phase: str, node: Any, run: Callable[[], Any], given: Any) -> Any:
        self._inner.append([0.0, 0])
        copies, start = layout.conversions()[0], time.perf_counter()
        try:
            results = run()
        finally:
            spent, converted = time.perf_counter() - start, layout.conversions()[0] - copies
            inner_seconds, inner_conversions = self._inner.pop()
            if self._inner:
                self._inner[-1][0] += spent
                self._inner[-1][1] += converted
        row = self._rows.setdefault((node.name, phase), Row(node.name, phase))
        row.calls += 1
        row.seconds += spent - inner_seconds
        row.conversions += int(converted - inner_conversions)
        row.bytes += sum(array.nbytes for array in arrays_of(results))
        return results

    def __str__(self) -> str:
        total = sum(row.seconds for row in self.rows) or 1.0
        lines = [f"{'operator':28}{'phase':10}{'calls':>7}{'ms':>10}{'share':>8}{'MB':>9}{'conversions':>13}"]
        for row in self.rows:
            lines.append(
                f"{row.operator:28}{row.phase:10}{row.calls:>7}{1e3 * row.seconds:>10.2f}"
                f"{row.seconds / total:>8.1%}{row.bytes / 1e6:>9.2f}{row.conversions:>13}"
            )
        return "\n".join(lines)
