"""Freed memory, which the allocator keeps for what comes next, given back to the system."""

import ctypes
import threading


def give_back() -> None:
    """Has glibc give back every page that nothing lies in, which takes some milliseconds; does nothing elsewhere.

    For when something large was freed that was made of many blocks: only the end of its heap goes back by itself.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def give_back_in(seconds: float) -> None:
    """The same after so many seconds, in a thread of its own; the process may end before."""
    later = threading.Timer(seconds, give_back)
    later.name, later.daemon = "freed-memory", True
    later.start()
