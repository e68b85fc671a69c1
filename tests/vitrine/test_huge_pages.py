"""What a process holds lies in huge pages where it fills them, and stays what it is."""

import mmap
import platform
from collections.abc import Iterator
from pathlib import Path

import pytest

from vitrine import huge_pages

HUGE = 2 << 20
RELEASE = (
    tuple(int(number) for number in platform.release().split("-")[0].split(".")[:2])
    if platform.system() == "Linux"
    else ()
)
pytestmark = pytest.mark.skipif(
    RELEASE < (6, 1) or not Path("/sys/kernel/mm/transparent_hugepage").exists(), reason="the system has no huge pages"
)


@pytest.fixture
def memory() -> Iterator[mmap.mmap]:
    """Eight huge pages' worth, wherever they begin, beside what is held anyway."""
    with mmap.mmap(-1, 9 * HUGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        yield memory


def _in_huge_pages() -> int:
    (line,) = (line for line in Path("/proc/self/smaps_rollup").read_text().splitlines() if line.startswith("AnonHuge"))
    return int(line.split()[1]) << 10


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


def test_full_memory_moves_and_keeps_what_it_holds(memory: mmap.mmap) -> None:
    memory.write(bytes(range(256)) * (len(memory) // 256))
    before = _in_huge_pages()
    assert huge_pages.collapse() >= 8 * HUGE
    assert _in_huge_pages() >= before + 8 * HUGE
    memory.seek(0)
    assert memory.read() == bytes(range(256)) * (len(memory) // 256)


def test_memory_that_is_hardly_used_stays_so(memory: mmap.mmap) -> None:
    huge_pages.collapse()
    for start in range(0, len(memory), HUGE // 2):
        memory[start] = 1
    before = _resident()
    huge_pages.collapse()
    assert _resident() < before + HUGE


def test_only_memory_of_no_file_is_looked_at() -> None:
    maps = (
        "7f0000000000-7f0000600000 rw-p 00000000 00:00 0 \n"
        "7f1000001000-7f1000401000 rw-p 00000000 00:00 0                          [heap]\n"
        "7f2000000000-7f2000400000 rw-p 00000000 00:00 0                          [stack]\n"
        "7f3000000000-7f3000400000 r--p 00000000 00:00 0 \n"
        "7f4000000000-7f4000400000 rw-p 00000000 fe:00 42                         /a file with blanks\n"
    )
    first, second = 0x7F0000000000, 0x7F1000200000
    assert list(huge_pages._places(maps)) == [first, first + HUGE, first + 2 * HUGE, second]
