"""glibc's allocator, told to keep less of what was freed. Under another C library nothing is done."""

import ctypes
import os
from typing import Any

# By the environment's name of each: its number in <malloc.h>, and what is set.
# One heap for all threads: else each of up to eight for each processor keeps what its threads freed: a retriever of 500
# products had fifteen, which held 79 to 183 MiB from one quarter of a minute to the next.
# Blocks of half a MiB and more lie beside it, and go back to the system when they are freed: by itself glibc has the
# heap hold what is no larger than what was ever freed, and each commit of the words' index left 13 MiB there.
# Of the heap's end no less goes back than a search takes and frees many times over.
_SETTINGS = {
    "MALLOC_ARENA_MAX": (-8, 1),
    "MALLOC_MMAP_THRESHOLD_": (-3, 512 << 10),
    "MALLOC_TRIM_THRESHOLD_": (-1, 8 << 20),
}


def keep_little() -> None:
    """Has all threads take memory from one heap, and large blocks from the system, unless the environment says how.

    Before threads are begun.
    """
    if (mallopt := _found("mallopt")) is not None:
        for name, (parameter, value) in _SETTINGS.items():
            if name not in os.environ:
                mallopt(parameter, value)


def give_back() -> None:
    """Gives the system every page that nothing lies in, which takes some milliseconds.

    For when something large was freed that was made of many blocks: only the end of a heap goes back by itself.
    """
    if (trim := _found("malloc_trim")) is not None:
        trim(0)


def _found(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None)
