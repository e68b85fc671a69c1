"""What a process says of itself: metrics by name and labels, from Prometheus' text."""

from collections.abc import Mapping

import httpx
from prometheus_client.parser import text_string_to_metric_families


class Metrics:
    """Samples of one moment."""

    def __init__(self, text: str) -> None:
        self._samples = [
            (sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]

    def sum(self, name: str, **labels: str) -> float:
        """All samples of this name that have these labels."""
        return sum(value for own, has, value in self._samples if own == name and _holds(has, labels))


async def scraped(url: str) -> Metrics:
    """A process's metrics of now."""
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        return Metrics((await client.get(url)).text)


def _holds(has: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(has.get(name) == value for name, value in wanted.items())
