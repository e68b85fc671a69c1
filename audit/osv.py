"""The Open Source Vulnerabilities database (osv.dev), asked for every advisory of some packages."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx

from audit.advisories import Advisories, Advisory, Range, Waiver
from vitrine.errors import Unavailable

URL = "https://api.osv.dev/v1/query"
_TIMEOUT_S = 30.0
_MAX_SUMMARY = 120


def fetched(packages: Iterable[str], waivers: tuple[Waiver, ...], url: str = URL) -> Advisories:
    """All that is known of the packages. Raises Unavailable where the database cannot be asked about all of them."""
    known: dict[str, tuple[Advisory, ...]] = {}
    try:
        with httpx.Client(timeout=_TIMEOUT_S) as client:
            for package in sorted(packages):
                known[package] = tuple(_advisories(client, url, package))
    except (httpx.HTTPError, ValueError) as error:
        raise Unavailable(f"{url} cannot be asked: {error}; the advisories kept stay as they are") from error
    return Advisories(source=url, taken=datetime.now(UTC).date(), packages=known, waivers=waivers)


def _advisories(client: httpx.Client, url: str, package: str) -> Iterator[Advisory]:
    token: str | None = None
    while True:
        query = {"package": {"name": package, "ecosystem": "PyPI"}} | ({"page_token": token} if token else {})
        reply = client.post(url, json=query)
        reply.raise_for_status()
        answer = reply.json()
        for found in answer.get("vulns", ()):
            if "withdrawn" not in found and (ranges := tuple(_ranges(found, package))):
                yield Advisory(id=found["id"], summary=found.get("summary", "")[:_MAX_SUMMARY], ranges=ranges)
        token = answer.get("next_page_token")
        if not token:
            return


def _ranges(found: dict[str, Any], package: str) -> Iterator[Range]:
    for affected in found.get("affected", ()):
        if affected.get("package", {}).get("name", "").lower() != package:
            continue
        ecosystem = [one for one in affected.get("ranges", ()) if one["type"] == "ECOSYSTEM"]
        for each in ecosystem:
            yield from _between(each["events"])
        if not ecosystem:
            for version in affected.get("versions", ()):
                yield Range(introduced=version, last_affected=version)


def _between(events: list[dict[str, str]]) -> Iterator[Range]:
    """One range from each `introduced` to the event after it."""
    introduced: str | None = None
    for event in events:
        if "introduced" in event:
            introduced = event["introduced"]
        elif introduced is not None and ("fixed" in event or "last_affected" in event):
            yield Range(introduced=introduced, fixed=event.get("fixed"), last_affected=event.get("last_affected"))
            introduced = None
    if introduced is not None:
        yield Range(introduced=introduced)
