"""The ad store's keys, in the slot of the events.

`ads:campaigns` (a hash by id: serial, currency, number of products, data), `ads:terms` (by serial: daily budget,
impressions of a visitor a day), `ads:version` (of all campaigns), `ads:products` (how many all sponsor), `ads:key` (of
the tokens); by UTC day of the gateway's clock `ads:spent:`, `ads:counts:`, `ads:calls:` (hour to calls) and `ads:used:`
(tokens, by the day that they expire); `ads:totals:SERIAL`. Of a visitor, until the day ends, `ads_seen` and
`ads_reserved`, which are erased with the visitor. Money is in smallest units.
"""

from datetime import UTC, datetime

from gateway.events.store import visitor_key
from vitrine.user_event import visitor_digest


class AdKeys:
    """Names of the keys under a prefix, which is the event store's."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.erasures = f"{{{prefix}}}:events:erasures"

    def of(self, name: str) -> str:
        """The key of a name."""
        return f"{{{self._prefix}}}:ads:{name}"

    def of_day(self, name: str, time: datetime) -> str:
        """The key of a name for the day that a time lies in."""
        return self.of(f"{name}:{day_of(time)}")

    def of_visitor(self, visitor_id: str) -> list[str]:
        """The keys of what a visitor saw and what is reserved for him."""
        digest = visitor_digest(visitor_id)
        return [visitor_key(self._prefix, part, digest) for part in ("ads_seen", "ads_reserved")]


def day_of(time: datetime) -> str:
    """The day in UTC, "2026-01-31"."""
    return time.astimezone(UTC).date().isoformat()
