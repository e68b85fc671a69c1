"""`python -m loadtest`: exits 1 when the suite went past a limit, and 2 when a tool, and not the suite, failed."""

import json
import os
import secrets
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from loadtest.ghz import STAGES, Measured, ToolFailed, run_stage
from loadtest.limits import broken_limits, read_limits
from loadtest.requests import FRESH, POPULAR, write_descriptors, write_requests
from loadtest.suite import SuiteNotReady, Targets, replicas, running_suite

# Which service each stage loads, in the order they run.
SERVICE = {
    "noop": "gateway",
    "search_hot": "gateway",
    "search_cold": "gateway",
    "embed": "embedder",
    "embed_stream": "embedder",
    "retrieve": "retriever",
    "rank": "ranker",
}


def main(
    gateway: Annotated[str, typer.Option(help="host:port of the gateway.")] = "127.0.0.1:50051",
    embedder: Annotated[str, typer.Option(help="host:port of the embedder.")] = "127.0.0.1:50052",
    retriever: Annotated[str, typer.Option(help="host:port of the retriever.")] = "127.0.0.1:50053",
    ranker: Annotated[str, typer.Option(help="host:port of the ranker.")] = "127.0.0.1:50054",
    duration_s: Annotated[int, typer.Option(min=1, help="Seconds of load for each stage.")] = 10,
    seed: Annotated[int | None, typer.Option(help="Draw of the queries; drawn when not given.")] = None,
    folder: Annotated[Path, typer.Option(help="Folder for data files and results.")] = Path("build/loadtest"),
) -> None:
    """Load the suite stage by stage with ghz. One is started when none runs."""
    targets = Targets(gateway, embedder, retriever, ranker)
    seed = secrets.randbits(32) if seed is None else seed
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with running_suite(targets, folder) as what:
            write_requests(folder, embedder=embedder, retriever=retriever, seed=seed)
            write_descriptors(folder / "vitrine.binpb")
            measured = _run(targets, folder, duration_s)
    except (ToolFailed, SuiteNotReady) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    title = f"{what}, {duration_s} s a stage, {os.cpu_count()} cores, seed {seed}"
    Console(width=100).print(_table(title, measured, targets))
    broken = broken_limits(measured, read_limits())
    result = folder / "result.json"
    result.write_text(
        json.dumps(
            {
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
                "cores": os.cpu_count(),
                "duration_s": duration_s,
                "seed": seed,
                "replicas": {name: replicas(target) for name, target in targets.all().items()},
                "stages": [{**asdict(row), "errors": row.errors} for row in measured],
                "broken_limits": broken,
            },
            indent=1,
        )
        + "\n"
    )
    print(f"written to {result}")
    for limit in broken:
        print(f"past its limit: {limit}", file=sys.stderr)
    if broken:
        raise typer.Exit(1)


def _run(targets: Targets, folder: Path, duration_s: int) -> list[Measured]:
    ends = ["--duration", f"{duration_s}s"]
    measured = []
    for stage, service in SERVICE.items():
        target, descriptors = targets.all()[service], folder / "vitrine.binpb"
        if stage == "search_hot":
            warm_up = folder / "search_warm_up.bin"
            run_stage(stage, target, data=warm_up, descriptors=descriptors, ends=["--total", str(POPULAR)])
        row = run_stage(stage, target, data=folder / f"{stage}.bin", descriptors=descriptors, ends=ends)
        if stage == "search_cold" and row.calls > FRESH:
            raise ToolFailed(f"{row.calls} calls used up the {FRESH} queries of {stage}; run it for a shorter time")
        measured.append(row)
    return measured


def _table(title: str, measured: list[Measured], targets: Targets) -> Table:
    hit = ", ".join(f"{name} {' '.join(replicas(target))}" for name, target in targets.all().items())
    table = Table(title=title, caption=f"replicas: {hit}")
    table.add_column("stage")
    for column in ("in flight", "calls", "rps", "p50 ms", "p95 ms", "p99 ms", "errors"):
        table.add_column(column, justify="right")
    for row in measured:
        in_flight = json.loads((STAGES / f"{row.stage}.json").read_text())["concurrency"]
        figures = (f"{row.rps:,.1f}", f"{row.p50_ms:.2f}", f"{row.p95_ms:.2f}", f"{row.p99_ms:.2f}", str(row.errors))
        table.add_row(row.stage, str(in_flight), f"{row.calls:,}", *figures)
    return table


if __name__ == "__main__":
    typer.run(main)
