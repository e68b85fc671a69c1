"""What is allocated, whatever the allocator keeps of what was freed and the system has of it in memory."""

import ctypes

_LIBRARY = ctypes.CDLL(None)
# Whether the C library tells.
TELLS = hasattr(_LIBRARY, "mallinfo2")
_MALLINFO2 = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"


class _MallInfo(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_size_t) for name in _MALLINFO2.split())


def allocated_bytes(*, large: bool) -> int:
    """Bytes that malloc gave and that are not freed, those of `large` blocks too; no small objects of Python's."""
    _LIBRARY.mallinfo2.restype = _MallInfo
    told = _LIBRARY.mallinfo2()
    return int(told.uordblks + (told.hblkhd if large else 0))
