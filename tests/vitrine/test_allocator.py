"""A large block goes back to the system when it is freed, whatever was freed before; smaller ones stay."""

import subprocess
import sys

import pytest

# Bytes of two blocks that lie in maps of their own, after one of 30 MB was made and freed, which raises
# glibc's limit; and pages that the system cleared for a hundred blocks made and freed one after another.
_MAPPED = """
import ctypes
import resource
import numpy as np
from vitrine.allocator import give_back_large

libc = ctypes.CDLL(None)


class Used(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks mapped rest".split()] + [
        ("more", ctypes.c_size_t * 4)
    ]


libc.mallinfo2.restype = Used


def mapped(size):
    before = libc.mallinfo2().mapped
    block = np.ones(size, np.uint8)
    return libc.mallinfo2().mapped - before


{first}
np.ones(30_000_000, np.uint8)
large, small = mapped(8_000_000), mapped(2_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    np.ones(2_000_000, np.uint8)
print(large, small, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _mapped(first: str) -> tuple[int, int, int]:
    done = subprocess.run(
        [sys.executable, "-c", _MAPPED.format(first=first)], capture_output=True, text=True, check=True
    )
    large, small, cleared = map(int, done.stdout.split())
    return large, small, cleared


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is glibc that keeps them")
def test_large_blocks_are_mapped_by_themselves() -> None:
    assert _mapped("")[:2] == (0, 0)
    large, small, cleared = _mapped("give_back_large()")
    assert large >= 8_000_000
    assert small == 0
    # 489 pages of 4 KiB for each block, had it gone back.
    assert cleared < 5_000
