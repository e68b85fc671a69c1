"""What changed between two readings of the same processes, summed over them."""

from collections.abc import Iterator, Sequence
from math import inf, nan

from cli.top.scrape import Scrape, Series


class Window:
    """Rates and latencies of a stretch of time; of a process that was not read before, since it started."""

    def __init__(self, before: Sequence[Scrape], after: Sequence[Scrape]) -> None:
        self.after = after
        earlier = {scrape.address: scrape for scrape in before}
        self._changes: list[tuple[float, dict[Series, float]]] = []
        for scrape in after:
            start_s = scrape.value("process_start_time_seconds") or scrape.time_s
            last = earlier.get(scrape.address)
            if last is None or last.time_s < start_s:
                last = Scrape(scrape.address, start_s, {})
            change = {series: value - last.values.get(series, 0.0) for series, value in scrape.values.items()}
            self._changes.append((max(scrape.time_s - last.time_s, 1e-9), change))

    def of(self, scrape: Scrape) -> "Window":
        """The same of one process."""
        window = Window((), ())
        at = self.after.index(scrape)
        window.after, window._changes = [scrape], self._changes[at : at + 1]
        return window

    def rate(self, name: str, **labels: str) -> float:
        """By how much a counter grew in a second, over all its series with these labels."""
        return sum(
            value / seconds
            for seconds, change in self._changes
            for series, value in change.items()
            if _is(series, name, labels)
        )

    def total(self, name: str, **labels: str) -> float:
        """The sum of a gauge's values now."""
        return sum(
            value for scrape in self.after for series, value in scrape.values.items() if _is(series, name, labels)
        )

    def kinds(self, name: str, label: str) -> list[str]:
        """The values that a label has, sorted."""
        return sorted({dict(labels)[label] for found, labels in self._series() if found == name})

    def mean(self, name: str, **labels: str) -> float:
        """The mean of what a histogram saw; NaN where it saw nothing."""
        count = self.rate(f"{name}_count", **labels)
        return self.rate(f"{name}_sum", **labels) / count if count else nan

    def quantile(self, share: float, name: str, **labels: str) -> float:
        """The quantile of what a histogram saw, as Prometheus estimates it; NaN where it saw nothing."""
        bounds: dict[float, float] = {}
        for _, change in self._changes:
            for series, value in change.items():
                if _is(series, f"{name}_bucket", labels):
                    bound = float(dict(series[1])["le"])
                    bounds[bound] = bounds.get(bound, 0.0) + value
        below, count_below = 0.0, 0.0
        wanted = share * bounds.get(inf, 0.0)
        if not wanted:
            return nan
        for bound, count in sorted(bounds.items()):
            if count >= wanted:
                if bound == inf:
                    return below
                return below + (bound - below) * (wanted - count_below) / (count - count_below)
            below, count_below = bound, count
        return nan

    def _series(self) -> Iterator[Series]:
        for _, change in self._changes:
            yield from change


def _is(series: Series, name: str, labels: dict[str, str]) -> bool:
    return series[0] == name and labels.items() <= dict(series[1]).items()
