"""Freed memory, which the allocator keeps for what comes next, given back to the system."""

import ctypes


def give_back() -> None:
    """Has glibc give back every page that nothing lies in, which takes some milliseconds; does nothing elsewhere.

    For after something large was freed that was made of many blocks: only the end of its heap goes back by itself.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
