"""Locks that a fork cannot leave closed.

A forked child has only the thread that forked.  Had another thread of the parent held a lock at that moment,
nobody in the child would ever open it; so all locks of this package are new ones in a child.

Python's own locks cannot be made anew, nor can what they guard be half done: the lock of a module that is
being imported, of the compiler.  So a fork waits until their owners are done (`held_at_fork`).
"""

import logging  # noqa: F401  # see below
import os
import threading
import weakref
from typing import Any


class Lock:
    """For `with`: one thread at a time; the same thread may enter again (a destructor or a signal's handler
    that runs inside).

    >>> lock = Lock()
    >>> with lock, lock:
    ...     print("inside")
    inside
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _all.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()


_all: weakref.WeakSet[Lock] = weakref.WeakSet()


def _open_all() -> None:
    for lock in list(_all):
        lock._lock = threading.RLock()


#: Held by who imports a module of this package while the program runs, because a fork waits for this lock.
importing = threading.RLock()

#: What a fork waits for and holds, in this order.  An import may compile, but who compiles imports nothing:
#: in another order the two would wait for each other.
held_at_fork: list[Any] = [importing]
_held: list[Any] = []


def _hold() -> None:
    for lock in held_at_fork:  # also what an import adds while this waits for its end
        lock.acquire()
        _held.append(lock)


def _let_go() -> None:
    while _held:
        _held.pop().release()


if hasattr(os, "register_at_fork"):
    # The functions registered last are called first.  logging's own takes the lock that imports need as well:
    # hence logging is imported above, or a fork would hold that lock while it waits for an import.
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_let_go)
    os.register_at_fork(after_in_child=_open_all)
