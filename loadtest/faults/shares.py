"""How calls are shared among the replicas of a service, by the metrics of each."""

import asyncio
import time
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from loadtest.faults.suite import Suite

# What each service does once for a search.
_METHODS = {"gateway": "/Search", "embedder": "/Embed", "ranker": "/Rank", "retriever": "/Retrieve"}
_ITS_SHARE = 0.8
_GIVE_UP_S = 60.0


async def shares(suite: Suite, service: str, window_s: float) -> list[float]:
    """Of the calls that come in for so long, what each replica gets, 1.0 being an equal share; 0.0 each without any."""
    before = await _counts(suite, service)
    await asyncio.sleep(window_s)
    after = await _counts(suite, service)
    came = [now - then for now, then in zip(after, before, strict=True)]
    return [one * len(came) / (sum(came) or 1.0) for one in came]


async def seconds_until_shared(suite: Suite, service: str, number: int, window_s: float = 2.0) -> float:
    """How long it takes from now until a replica gets its share of calls; infinite when a minute is not enough."""
    begun_s = time.monotonic()
    while (taken_s := time.monotonic() - begun_s) < _GIVE_UP_S:
        if (await shares(suite, service, window_s))[number] >= _ITS_SHARE:
            return taken_s
    return float("inf")


async def _counts(suite: Suite, service: str) -> list[float]:
    urls = [suite.metrics_url(service, number) for number in range(len(suite.services[service].replicas))]
    return list(await asyncio.gather(*(asyncio.to_thread(_count, url, _METHODS[service]) for url in urls)))


def _count(url: str, method: str) -> float:
    """The calls of a method so far, however they ended."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    samples = (sample for family in families for sample in family.samples if sample.name == "vitrine_calls_total")
    return sum(sample.value for sample in samples if sample.labels["method"].endswith(method))
