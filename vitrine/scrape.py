"""What a process shows of its metrics, read at one moment."""

import asyncio
import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import httpx
from prometheus_client import REGISTRY, Metric
from prometheus_client.parser import text_string_to_metric_families

from vitrine.client.settings import ClientSettings, is_of_this_machine
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


@dataclass(frozen=True, slots=True)
class Silent:
    """A process that does not show its metrics, and why."""

    address: str
    reason: str


def read_page(address: str, page: str, time_s: float) -> Scrape:
    """A page in Prometheus' text format."""
    return _scrape(address, text_string_to_metric_families(page), time_s)


def own_scrape(address: str) -> Scrape:
    """This process's own, which is called `address`."""
    return _scrape(address, REGISTRY.collect(), time.time())


async def read_processes(addresses: Sequence[str], settings: ClientSettings) -> list[Scrape | Silent]:
    """What those at `addresses` show, in order.

    Raises FailedPrecondition when a file that `settings` names cannot be read.
    """
    tls, credentials = settings.tls(), settings.credentials()
    # Read here, not at each page: what is wrong with the file is then said by its name.
    trusted = ssl.create_default_context(cadata=read_authorities(tls.ca).decode()) if tls and tls.ca else True
    async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S, verify=trusted) as client:
        return await asyncio.gather(*(_page(client, address, credentials) for address in addresses))


async def _page(client: httpx.AsyncClient, address: str, credentials: str) -> Scrape | Silent:
    url = address if "://" in address else f"http://{address}"
    # The gateway's HTTP port asks for the scope admin where there are keys.
    is_safe = url.startswith("https://") or is_of_this_machine(url)
    headers = {"authorization": f"Bearer {credentials}"} if credentials and is_safe else {}
    try:
        reply = await client.get(f"{url}/metrics", headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Silent(address, str(error) or type(error).__name__)
    if reply.status_code != HTTPStatus.OK:
        return Silent(address, f"HTTP {reply.status_code}")
    try:
        # In a thread: to read a page takes tens of milliseconds.
        return await asyncio.to_thread(read_page, address, reply.text, time.time())
    except ValueError as error:
        return Silent(address, f"not metrics: {error}")


def _scrape(address: str, families: Iterable[Metric], time_s: float) -> Scrape:
    values = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }
    return Scrape(address, time_s, values)
