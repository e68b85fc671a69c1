"""What changed between two readings of the same processes, summed over them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import inf, nan

from vitrine.scrape import Scrape, Series

# By how much the series of a process changed, by their name.
_Changes = dict[str, list[tuple[dict[str, str], float]]]


class Window:
    """Rates and latencies of a stretch of time; of a process that was not read before, since it started."""

    def __init__(self, before: Sequence[Scrape], after: Sequence[Scrape]) -> None:
        self.after = after
        earlier = {scrape.address: scrape for scrape in before}
        self._changes: list[tuple[float, _Changes]] = []
        for scrape in after:
            start_s = scrape.value("process_start_time_seconds")
            last = earlier.get(scrape.address)
            if start_s is not None and (last is None or last.time_s < start_s):
                last = Scrape(scrape.address, start_s, {})
            # Where nobody says when it started (but for Linux), nothing is known before a second reading.
            last = last or scrape
            changes: _Changes = defaultdict(list)
            for series, value in scrape.values.items():
                changes[series[0]].append((dict(series[1]), value - last.values.get(series, 0.0)))
            self._changes.append((max(scrape.time_s - last.time_s, 1e-9), changes))

    @property
    def seconds(self) -> float:
        """How long it is; where that differs from process to process, the longest."""
        return max((seconds for seconds, _ in self._changes), default=0.0)

    def of(self, scrape: Scrape) -> "Window":
        """The same of one process."""
        window = Window((), ())
        at = self.after.index(scrape)
        window.after, window._changes = [scrape], self._changes[at : at + 1]
        return window

    def rate(self, name: str, **labels: str) -> float:
        """By how much a counter grew in a second, over all its series with these labels."""
        return sum(value / seconds for seconds, _, value in self._found(name, labels))

    def total(self, name: str, **labels: str) -> float:
        """The sum of a gauge's, or a counter's, values now."""
        return sum(
            value for scrape in self.after for series, value in scrape.values.items() if _is(series, name, labels)
        )

    def kinds(self, name: str, label: str) -> list[str]:
        """The values that a label has, sorted."""
        return sorted({labels[label] for _, labels, _ in self._found(name, {})})

    def mean(self, name: str, **labels: str) -> float:
        """The mean of what a histogram saw; NaN where it saw nothing."""
        count = self.rate(f"{name}_count", **labels)
        return self.rate(f"{name}_sum", **labels) / count if count else nan

    def buckets(self, name: str, **labels: str) -> dict[float, float]:
        """How many a histogram saw up to each bound, ascending, infinity last."""
        bounds: dict[float, float] = defaultdict(float)
        for _, series, value in self._found(f"{name}_bucket", labels):
            bounds[float(series["le"])] += value
        return dict(sorted(bounds.items()))

    def quantile(self, share: float, name: str, **labels: str) -> float:
        """The quantile of what a histogram saw, as Prometheus estimates it; NaN where it saw nothing."""
        bounds = self.buckets(name, **labels)
        below, count_below = 0.0, 0.0
        wanted = share * bounds.get(inf, 0.0)
        if not wanted:
            return nan
        for bound, count in bounds.items():
            if count >= wanted:
                if bound == inf:
                    return below
                return below + (bound - below) * (wanted - count_below) / (count - count_below)
            below, count_below = bound, count
        return nan

    def _found(self, name: str, labels: dict[str, str]) -> Iterator[tuple[float, dict[str, str], float]]:
        """Seconds, labels and change of each series."""
        for seconds, changes in self._changes:
            for found, value in changes.get(name, ()):
                if labels.items() <= found.items():
                    yield seconds, found, value


def _is(series: Series, name: str, labels: dict[str, str]) -> bool:
    return series[0] == name and labels.items() <= dict(series[1]).items()
