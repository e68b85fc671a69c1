"""What a process shows at /metrics, read at one moment."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

import httpx
from prometheus_client.parser import text_string_to_metric_families

from vitrine.errors import Unavailable
from vitrine.gateway_client import ClientSettings, is_of_this_machine
from vitrine.tls import read_authorities

_TIMEOUT_S = 5.0

# A series: its name and its labels, sorted by name.
Series = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Scrape:
    """The series of one process, and when they were read (Unix time in s)."""

    address: str
    time_s: float
    values: dict[Series, float]

    def value(self, name: str, **labels: str) -> float | None:
        """The value of one series."""
        return self.values.get((name, tuple(sorted(labels.items()))))


def read_page(address: str, page: str, time_s: float) -> Scrape:
    """A page in Prometheus' text format."""
    values = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }
    return Scrape(address, time_s, values)


async def scraped(addresses: Sequence[str]) -> list[Scrape]:
    """What those that answer show, in order. Raises Unavailable, naming each and why, when none does."""
    settings = ClientSettings()
    tls, credentials = settings.tls(), settings.credentials()
    # Read here, not at each page: what is wrong with the file is then said by its name.
    trusted = ssl.create_default_context(cadata=read_authorities(tls.ca).decode()) if tls and tls.ca else True
    async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S, verify=trusted) as client:
        found = await asyncio.gather(*(_page(client, address, credentials) for address in addresses))
    if all(isinstance(one, str) for one in found):
        reasons = "; ".join(f"{address}: {why}" for address, why in zip(addresses, found, strict=True))
        raise Unavailable(f"no process shows its metrics ({reasons}); is Vitrine up, and on these ports? See --help")
    return [one for one in found if isinstance(one, Scrape)]


async def _page(client: httpx.AsyncClient, address: str, credentials: str) -> Scrape | str:
    url = address if "://" in address else f"http://{address}"
    # The gateway's HTTP port asks for the scope admin where there are keys.
    is_safe = url.startswith("https://") or is_of_this_machine(url)
    headers = {"authorization": f"Bearer {credentials}"} if credentials and is_safe else {}
    try:
        reply = await client.get(f"{url}/metrics", headers=headers)
    except httpx.HTTPError as error:
        return str(error) or type(error).__name__
    if reply.status_code != HTTPStatus.OK:
        return f"HTTP {reply.status_code}"
    try:
        return read_page(address, reply.text, time.time())
    except ValueError as error:
        return f"not metrics: {error}"
