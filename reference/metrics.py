"""The page of metrics: all that the four servers register, and which of them do."""

import json
import subprocess
import sys
from typing import NamedTuple

from reference.markdown import plain, table

PROCESSES = ("gateway", "services.embedder", "services.retriever", "services.ranker")
_SUFFIX = {"counter": "_total", "histogram": "_bucket", "gauge": ""}
# A process shows what its modules register: each is looked at in an interpreter of its own.
_PROGRAM = """
import importlib, json, sys
importlib.import_module(sys.argv[1] + ".__main__")
from prometheus_client import REGISTRY
ours = {one for one in REGISTRY._names_to_collectors.values() if getattr(one, "_name", "").startswith("vitrine_")}
print(json.dumps([(one._name, one._type, list(one._labelnames), one._documentation) for one in ours]))
"""
_INTRODUCTION = """# Metrics

What each process shows at `/metrics`, besides Python's own (`process_resident_memory_bytes`,
`process_cpu_seconds_total`, `process_open_fds`, `python_gc_…`). `vitrine up` is all four in one. A histogram has `_sum`
and `_count` beside its buckets. [Observability](observability.md) says where they are shown, what to ask them, and
which alerts they raise.

"""


class Metric(NamedTuple):
    """One metric, by the name that a query has: with `_total` for a counter, `_bucket` for a histogram."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def metrics_by_process() -> dict[Metric, list[str]]:
    """All metrics by name, and the processes that show each."""
    running = {
        process: subprocess.Popen([sys.executable, "-c", _PROGRAM, process], stdout=subprocess.PIPE, text=True)
        for process in PROCESSES
    }
    shown: dict[Metric, list[str]] = {}
    for process, one in running.items():
        answer, _ = one.communicate(timeout=300)
        if one.returncode:
            raise RuntimeError(f"{process} cannot be imported: see above")
        for name, kind, labels, meaning in json.loads(answer):
            metric = Metric(name + _SUFFIX[kind], kind, tuple(labels), meaning.rstrip("."))
            shown.setdefault(metric, []).append(process.rpartition(".")[2])
    return dict(sorted(shown.items()))


def metrics_page() -> str:
    """The page."""
    rows = (
        (
            f"`{metric.name}`",
            metric.kind,
            ", ".join(f"`{label}`" for label in metric.labels),
            "all" if len(processes) == len(PROCESSES) else ", ".join(processes),
            plain(metric.meaning),
        )
        for metric, processes in metrics_by_process().items()
    )
    return _INTRODUCTION + table(("metric", "type", "labels", "shown by", "meaning"), rows).rstrip() + "\n"
