"""Tests of the circuit breaker, on a clock that the test turns."""

from gateway.circuit_breaker import CircuitBreaker


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_opens_after_failures_in_a_row_only() -> None:
    breaker = CircuitBreaker(3, 1.0, Clock())
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert breaker.allows()
    for _ in range(3):
        breaker.failed()
    assert not breaker.allows()


def test_lets_one_try_through_after_each_cool_down_until_one_succeeds() -> None:
    clock = Clock()
    breaker = CircuitBreaker(1, 2.0, clock)
    breaker.failed()
    clock.now_s += 1.9
    assert not breaker.allows()
    clock.now_s += 0.2
    assert breaker.allows()
    assert not breaker.allows()
    breaker.failed()
    clock.now_s += 2.1
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.allows()
    assert breaker.allows()
