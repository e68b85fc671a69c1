"""What is freed goes back to the system, and threads share what is kept."""

import ctypes
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="glibc's allocator alone")

_BEGIN = """
import ctypes, threading, psutil
from vitrine import allocator
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def on_heap(block):
    heap = next(line for line in open("/proc/self/maps") if "[heap]" in line).split()[0]
    start, end = (int(address, 16) for address in heap.split("-"))
    return start <= block < end
"""
_FREED = """
blocks = [libc.malloc(50_000) for _ in range(2_000)]
for block in blocks:
    ctypes.memset(block, 1, 50_000)
# The last one holds the end of the heap.
for block in blocks[:-1]:
    libc.free(block)
process = psutil.Process()
before = process.memory_info().rss
allocator.give_back()
print(before - process.memory_info().rss)
"""
# An arena of its own lies at a multiple of 64 MiB; what comes from it lies in these.
_SHARED = """
allocator.keep_little()
blocks = []
for _ in range(4):
    thread = threading.Thread(target=lambda: blocks.append(libc.malloc(50_000)))
    thread.start()
    thread.join()
print(sum(map(on_heap, blocks)))
"""
# By itself glibc would have the second one on the heap, since one as large was freed.
_LARGE = """
allocator.keep_little()
libc.free(libc.malloc(4_000_000))
block = libc.malloc(2_000_000)
print(int(on_heap(block)))
"""


def _told(script: str, **environment: str) -> int:
    rest = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    command = [sys.executable, "-c", _BEGIN + script]
    return int(subprocess.run(command, capture_output=True, check=True, timeout=60, env=rest | environment).stdout)


def test_what_lies_below_the_end_of_the_heap_goes_back() -> None:
    assert _told(_FREED) > 80_000_000


def test_threads_share_one_heap_unless_the_operator_says_otherwise() -> None:
    assert _told(_SHARED) == 4
    assert _told(_SHARED, MALLOC_ARENA_MAX="8") < 4


def test_large_blocks_lie_beside_the_heap_unless_the_operator_says_otherwise() -> None:
    assert _told(_LARGE) == 0
    assert _told(_LARGE, MALLOC_MMAP_THRESHOLD_="33554432") == 1
