"""What the operators' figures are compared with: about a minute ago, and little of it is kept."""

from itertools import count

import pytest

from gateway.ops import readings
from gateway.ops.readings import Readings
from vitrine.scrape import Silent, read_page

PAGE = "process_start_time_seconds 900\ncalls_total 1\n"


async def test_who_looks_all_the_time_sees_a_minute_and_keeps_few_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    times = count(1_000.0, 3.0)
    monkeypatch.setattr(readings, "own_scrape", lambda address: read_page(address, PAGE, next(times)))
    read = Readings((), "here")
    seconds = [(await read.read()).window.seconds for _ in range(100)]
    assert seconds[:2] == [100, 3]
    assert all(60 <= one < 75 for one in seconds[30:])
    assert len(read._kept) <= 8


@pytest.mark.parametrize("address", ["nowhere", f"{'x' * 70}.example:9464", "\udcff:1"])
async def test_an_address_that_is_none_is_silent_with_the_reason(address: str) -> None:
    reading = await Readings((address,), "here").read()
    (silent,) = reading.silent
    assert isinstance(silent, Silent)
    assert silent.address == address
    assert silent.reason.startswith("has no address: ")
