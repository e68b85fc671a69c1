"""What calls read of the event store that can do without it: nothing, and at once, while it is slow or away."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.circuit_breaker import CircuitBreaker
from gateway.events.store import EventStore
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Unavailable
from vitrine.ports import PopularProduct, VisitorAction

T = TypeVar("T")

_FAILURES = 5
_COOL_DOWN_S = 1.0
# Who leaves the store less time than this cannot say that it is slow.
_FAIR_S = 0.05


class SpareReads:
    """History and popularity; implements the ports `VisitorHistory` and `Popularity`.

    After a few failures in a row every read raises Unavailable at once, until one that is tried beside the calls
    succeeds: else each call would wait out its patience, and leave a command behind that holds a connection.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._breaker = CircuitBreaker(_FAILURES, _COOL_DOWN_S)

    async def history(self, visitor_id: str, *, deadline: Deadline, limit: int = 200) -> tuple[VisitorAction, ...]:
        """See `vitrine.ports.VisitorHistory.history`."""
        return await self.read(lambda: self._store.history(visitor_id, deadline=deadline, limit=limit), deadline)

    async def popular(
        self, limit: int, *, deadline: Deadline, category: str = "", country_code: str = ""
    ) -> tuple[PopularProduct, ...]:
        """See `vitrine.ports.Popularity.popular`."""
        popular = self._store.popular
        return await self.read(
            lambda: popular(limit, deadline=deadline, category=category, country_code=country_code), deadline
        )

    async def trending(self, limit: int, *, deadline: Deadline) -> tuple[PopularProduct, ...]:
        """See `vitrine.ports.Popularity.trending`."""
        return await self.read(lambda: self._store.trending(limit, deadline=deadline), deadline)

    async def read(self, ask: Callable[[], Awaitable[T]], deadline: Deadline) -> T:
        """What `ask`, which ends by `deadline`, reads of the store. Raises Unavailable and DeadlineExceeded."""
        is_fair = deadline.remaining_s() >= _FAIR_S

        async def attempt() -> T:
            try:
                found = await ask()
            except Unavailable:
                self._breaker.failed()
                raise
            except DeadlineExceeded:
                if is_fair:
                    self._breaker.failed()
                raise
            self._breaker.succeeded()
            return found

        if not self._breaker.allows(attempt):
            raise Unavailable("the event store is left alone after several failures", reason="EVENT_STORE_AWAY")
        return await attempt()

    async def close(self) -> None:
        """Waits for the try under way."""
        await self._breaker.close()
