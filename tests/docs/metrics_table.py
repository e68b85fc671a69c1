"""The table of metrics, as the code has them: `python -m tests.docs.metrics_table` prints it."""

from typing import Any

from prometheus_client import REGISTRY

import cli.up.one_process  # noqa: F401  # all that a process can show

HEADER = ["| metric | labels | meaning |", "|---|---|---|"]
_SUFFIX = {"counter": "_total", "histogram": "_bucket", "gauge": ""}


def metrics_table() -> list[str]:
    """The table's lines, by name; a histogram has `_sum` and `_count` beside its buckets."""
    collectors: set[Any] = {one for one in REGISTRY._names_to_collectors.values() if hasattr(one, "_labelnames")}
    rows = (
        f"| `{one._name}{_SUFFIX[one._type]}` | {', '.join(f'`{label}`' for label in one._labelnames)} |"
        f" {one._documentation.rstrip('.')} |"
        for one in collectors
        if one._name.startswith("vitrine_")
    )
    return HEADER + sorted(rows)


if __name__ == "__main__":
    print("\n".join(metrics_table()))
