"""A lock that a fork cannot leave closed.

A forked child has only the thread that forked.  Had another thread of the parent held a lock at that moment,
nobody in the child would ever open it; so all locks of this package are new ones in a child.
"""

import os
import threading
import weakref


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


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_all)
