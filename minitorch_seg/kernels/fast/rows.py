"""All parameters of a network as one long row, so that an optimiser's step is one call of a kernel.

A network's parameters are many and mostly small: of the 50 of a U-Net, 34 have fewer than 2,048 numbers.
One call for each takes longer than its numbers do, and leaves other threads without work.  Here the row is
laid over the arrays where they are: a table says where each begins, and the kernel goes from one array to
the next.  The parameters are not moved into one buffer, because others may hold the same memory (a view, a
state_dict, another module), and neither they nor the gradients are copied.

A kernel follows addresses without looking, so all is looked at here, before it runs: each array is a row of
one dtype without gaps, those of one parameter are equally long, what is written may be written and overlaps
nothing else.  The table is kept for the next step, and with it the arrays that it knows, so that their memory
stays where it is.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from minitorch_seg.kernels import dispatch
from minitorch_seg.kernels.layout import contiguous
from minitorch_seg.kernels.parallel import parallel_for

CHUNK = 16384  # numbers that one thread takes at a time
FEWEST = 2048  # numbers of all parameters together from which a kernel pays
REAL = (np.dtype("float32"), np.dtype("float64"))  # in the machine's byte order

Arrays = tuple[Any, ...]  # parameter, gradient and the state's arrays, None for those not in use
Job = tuple[Arrays, tuple[float, ...]]  # and the numbers of its formula


class Table(NamedTuple):
    """Where the arrays of several parameters lie."""

    arrays: list[
        np.ndarray | None
    ]  # all but the gradients: [parameter, *state] of the first, of the second …
    places: np.ndarray  # their addresses, a row for each parameter, 0 for None
    starts: np.ndarray  # how many numbers lie before each parameter's, and in all


_tables: WeakKeyDictionary[Any, dict[tuple, Table]] = WeakKeyDictionary()


def in_one_pass(kernel: Callable[..., None], owner: Any, jobs: Sequence[Job]) -> list[Job]:
    """Calls kernel(first, last, places, starts, scalars) for all jobs; gives back those that it cannot do.

    places[i] are the addresses of job i's arrays, 0 for None; starts[i] numbers lie before its own, and
    scalars[i] are the numbers of its formula.  Jobs of another dtype or with other arrays in use have a call
    of their own.  Tables are kept for as long as `owner` lives.
    """
    kinds: dict[tuple, list[Job]] = {}
    for job in jobs:
        kinds.setdefault((job[0][0].dtype, *[a is None for a in job[0]]), []).append(job)
    tables, left = _tables.setdefault(owner, {}), []
    for kind, alike in kinds.items():
        rows = [arrays for arrays, _ in alike]
        changed = [a for row in rows for a in (row[0], *row[2:])]
        table = tables.pop(kind, None)
        if table is None or len(changed) != len(table.arrays) or not all(map(_still, changed, table.arrays)):
            table = _table(kind[0], rows, changed)
        found = table and _with_gradients(table, rows)
        if table is None or found is None:
            left += alike
            continue
        tables[kind], (places, gradients) = table, found  # the arrays are kept until the kernel is done
        scalars = np.array([numbers for _, numbers in alike], kind[0])
        parallel_for(kernel, -(-int(table.starts[-1]) // CHUNK), places, table.starts, scalars)
        del gradients
    if left:
        reason = "they are few numbers, have gaps, overlap, or differ in shape or dtype from their gradients"
        dispatch.taken(f"{len(left)} of {len(jobs)} arrays left to the formula in optim/", reason)
    return left


def _still(a: np.ndarray | None, known: np.ndarray | None) -> bool:
    """Whether `a` is the array that the table knows, and may be written still."""
    return a is known and (a is None or a.flags.carray)


def _table(dtype: np.dtype, rows: list[Arrays], changed: list[np.ndarray | None]) -> Table | None:
    """None where a kernel may not have the parameters or their states."""
    if dtype not in REAL:
        return None
    for row in rows:
        for a in (row[0], *row[2:]):
            if a is None:
                continue
            whole = isinstance(a, np.ndarray) and a.flags.carray
            if not whole or a.shape != row[0].shape or a.dtype != dtype:
                return None
    starts = np.cumsum([0, *[row[0].size for row in rows]], dtype=np.int64)
    places = np.array([0 if a is None else _address(a) for a in changed], np.int64)
    return Table(changed, places.reshape(len(rows), -1), starts) if starts[-1] >= FEWEST else None


def _with_gradients(table: Table, rows: list[Arrays]) -> tuple[np.ndarray, list[np.ndarray]] | None:
    """The table's places with the gradients' beside them, and the gradients; None where shapes or dtypes
    differ, or where arrays overlap: two threads may be at work in both.
    """
    gradients = []
    for parameter, g, *_ in rows:
        if not isinstance(g, np.ndarray) or g.shape != parameter.shape or g.dtype != parameter.dtype:
            return None
        gradients.append(g if g.flags.carray else contiguous(g))
    places = np.insert(table.places, 1, [_address(g) for g in gradients], axis=1)
    ends = places + (np.diff(table.starts) * gradients[0].itemsize)[:, None]
    used = places != 0
    order = np.argsort(places[used])
    apart = ends[used][order][:-1] <= places[used][order][1:]
    return (places, gradients) if apart.all() else None


def _address(a: np.ndarray) -> int:
    return a.__array_interface__["data"][0]
