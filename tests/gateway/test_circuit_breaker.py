"""Tests of the circuit breaker, on a clock that the test turns."""

import asyncio

from gateway.circuit_breaker import CircuitBreaker


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Part:
    """What is behind the breaker; `tried` counts attempts."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        self.breaker = breaker
        self.tried = 0
        self.works = False
        self.answers = asyncio.Event()

    async def attempt(self) -> None:
        self.tried += 1
        await self.answers.wait()
        (self.breaker.succeeded if self.works else self.breaker.failed)()
        if not self.works:
            raise ConnectionError


async def test_opens_after_failures_in_a_row_only() -> None:
    breaker = CircuitBreaker(3, 1.0, Clock())
    part = Part(breaker)
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert breaker.allows(part.attempt)
    for _ in range(3):
        breaker.failed()
    assert not breaker.allows(part.attempt)
    assert part.tried == 0


async def test_tries_beside_the_calls_one_at_a_time_until_one_succeeds() -> None:
    """No call waits for a part that was away a moment ago."""
    clock = Clock()
    breaker = CircuitBreaker(1, 2.0, clock)
    part = Part(breaker)

    async def next_try() -> None:
        part.answers.set()
        await breaker.close()
        part.answers.clear()

    breaker.failed()
    clock.now_s += 1.9
    assert not breaker.allows(part.attempt)
    await asyncio.sleep(0)
    assert part.tried == 0
    clock.now_s += 0.2
    for _ in range(3):
        assert not breaker.allows(part.attempt)
        await asyncio.sleep(0)
        clock.now_s += 5  # a try that hangs is not joined by another
    assert part.tried == 1
    await next_try()
    assert not breaker.allows(part.attempt)
    part.works = True
    await next_try()
    assert part.tried == 2
    assert breaker.allows(part.attempt)


def test_closes_in_one_event_loop_after_another() -> None:
    breaker = CircuitBreaker(1, 0.0)

    async def used() -> None:
        part = Part(breaker)
        part.answers.set()
        breaker.failed()
        assert not breaker.allows(part.attempt)
        await breaker.close()
        assert part.tried == 1

    async def closed() -> None:
        await breaker.close()

    for run in (used, closed, used):
        asyncio.run(run())
