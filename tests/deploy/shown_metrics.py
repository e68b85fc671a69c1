"""The series that Vitrine's processes show, as the code declares them."""

from typing import Any

from prometheus_client import REGISTRY

import cli.up.one_process  # noqa: F401  # all that a process can show


def shown() -> dict[str, set[str]]:
    """The label names of each of our series, by its name as it is scraped."""
    found: dict[str, set[str]] = {}
    collectors: set[Any] = set(REGISTRY._names_to_collectors.values())
    for collector in collectors:
        name, labels = getattr(collector, "_name", ""), set(getattr(collector, "_labelnames", ()))
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
        for suffix in suffixes.get(getattr(collector, "_type", ""), [""]):
            found[name + suffix] = labels
    return {name: labels for name, labels in found.items() if name.startswith("vitrine_")}
