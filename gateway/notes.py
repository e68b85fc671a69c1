"""What is noted of an answer on its way through the stages."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from gateway.search import Degradation
from vitrine.tracing import span


@dataclass(slots=True)
class Notes:
    """Times by stage, the sum of its parts where it has several, what came from a cache, and what was missing."""

    timings_ms: dict[str, float] = field(default_factory=dict)
    cached: list[str] = field(default_factory=list)
    degradations: list[Degradation] = field(default_factory=list)
    query_tokens_dropped: int = 0

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        started_s = perf_counter()
        with span(stage):
            try:
                yield
            finally:
                took_ms = (perf_counter() - started_s) * 1000
                self.timings_ms[stage] = self.timings_ms.get(stage, 0.0) + took_ms
