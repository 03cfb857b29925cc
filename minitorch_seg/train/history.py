"""History: what a training reported, one row an epoch; read like Keras's History, kept as a CSV file."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from minitorch_seg.errors import DataError
from minitorch_seg.io import write_csv

__all__ = ["History"]


class History:
    """Named columns of numbers, one entry a finished epoch.

    `history` is Keras's dictionary of lists; a value that an epoch did not report is NaN (validation that was
    not due, for example).

    >>> history = History()
    >>> history.append(1, loss=0.7, val_miou=0.5)
    >>> history.append(2, loss=0.4)
    >>> history.history["loss"], history.epoch, history.best("val_miou")
    ([0.7, 0.4], [1, 2], (1, 0.5))
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    def append(self, epoch: int, **values: float) -> None:
        """Add the row of `epoch`."""
        for name in values:
            self.history.setdefault(name, [float("nan")] * len(self.epoch))
        self.epoch.append(int(epoch))
        for name, column in self.history.items():
            column.append(float(values.get(name, float("nan"))))

    def best(self, name: str) -> tuple[int, float] | None:
        """(epoch, value) of the first highest entry of a column; None when it has no number."""
        rows = [(e, v) for e, v in zip(self.epoch, self.history.get(name, ()), strict=False) if v == v]
        return max(rows, key=lambda row: row[1]) if rows else None

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write all columns, `epoch` first, every digit kept; NaN is an empty cell."""
        names = list(self.history)
        write_csv(path, ["epoch", *names], list(zip(self.epoch, *self.history.values(), strict=True)))

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str]) -> History:
        """Read what `to_csv` wrote, equal to the last bit."""
        history = cls()
        try:
            rows = list(csv.reader(Path(path).read_text(encoding="utf-8").splitlines()))
            names = rows[0][1:]
            for row in rows[1:]:
                values = (float(cell) if cell else float("nan") for cell in row[1:])
                history.append(int(row[0]), **dict(zip(names, values, strict=True)))
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from error
        except (ValueError, IndexError) as error:
            raise DataError(f"{path} is not a history as minitorch-seg writes it ({error})") from error
        return history

    def __len__(self) -> int:
        return len(self.epoch)

    def __eq__(self, other: object) -> bool:
        """Equal to the last bit, NaN equal to NaN."""
        if not isinstance(other, History) or self.epoch != other.epoch:
            return NotImplemented if not isinstance(other, History) else False
        return repr(self.history) == repr(other.history)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        last = ", ".join(f"{name}={column[-1]:.4g}" for name, column in self.history.items() if column)
        return f"History({len(self)} epochs{'; last: ' + last if last else ''})"
