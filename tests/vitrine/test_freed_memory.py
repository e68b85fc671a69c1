"""What was freed goes back to the system."""

import ctypes
import subprocess
import sys

import pytest

_FREED = """
import ctypes, psutil
from vitrine import freed_memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
blocks = [libc.malloc(50_000) for _ in range(2_000)]
for block in blocks:
    ctypes.memset(block, 1, 50_000)
# The last one holds the end of the heap.
for block in blocks[:-1]:
    libc.free(block)
process = psutil.Process()
before = process.memory_info().rss
freed_memory.give_back()
print(before - process.memory_info().rss)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc keeps and trims")
def test_what_lies_below_the_end_of_the_heap_goes_back() -> None:
    told = subprocess.run([sys.executable, "-c", _FREED], capture_output=True, text=True, check=True, timeout=60)
    assert int(told.stdout) > 80_000_000
