"""The memory allocator of a process that makes large arrays anew and again."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
# Above what a search makes for itself, for that would be mapped, cleared and given back each time.
LARGE_BYTES = 4 << 20


def give_back_large(least: int = LARGE_BYTES) -> None:
    """Has every block of so many bytes or more go back to the system when it is freed. Once, before any is made.

    glibc raises that limit, up to 32 MiB, to the largest block that was freed so far; from then on such blocks lie
    among others, and what is freed between them stays with the process. Another C library is left as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, least)
        # What glibc makes of it by itself. Left alone it is 128 KiB now: every smaller block went back as well.
        mallopt(_M_TRIM_THRESHOLD, 2 * least)
