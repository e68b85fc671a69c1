"""`python -m bench`: exits 1 when a figure misses its limit, and 2 when a tool, and not the suite, failed."""

import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from bench import baseline_figures, mixed_figures, search_figures, stage_figures
from bench.figure import Figure, read_limits
from bench.machine import machine
from bench.report import Report
from bench.run import Run
from loadtest.ghz import ToolFailed
from loadtest.suite import SuiteNotReady

PARTS: dict[str, Callable[[Run], Iterator[Figure]]] = {
    "embed": stage_figures.embed,
    "rank": stage_figures.rank,
    "cold": search_figures.cold,
    "hot": partial(search_figures.hot, shape="one process"),
    "hot-suite": partial(search_figures.hot, shape="suite"),
    "overhead": partial(search_figures.overhead, shape="one process"),
    "overhead-suite": partial(search_figures.overhead, shape="suite"),
    "mixed": mixed_figures.mixed,
    "long-text": mixed_figures.long_text,
    "article": baseline_figures.article,
    "infinity": baseline_figures.infinity,
}


def main(
    only: Annotated[str, typer.Option(help=f"Parts, with commas: {','.join(PARTS)}. All when not given.")] = "",
    seconds: Annotated[int, typer.Option(min=1, help="Seconds of each side of a round.")] = 5,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; the median counts.")] = 3,
    draws: Annotated[int, typer.Option(min=1, help="Searches of the hot stream before it begins anew.")] = 1_000,
    seed: Annotated[int | None, typer.Option(help="Draw of the queries; drawn when not given.")] = None,
    folder: Annotated[Path, typer.Option(help="Folder for data, logs and reports.")] = Path("build/bench"),
) -> None:
    """Measure how close the suite runs to the machine, as ratios; write report.json and report.md."""
    parts = only.split(",") if only else list(PARTS)
    if unknown := [part for part in parts if part not in PARTS]:
        raise typer.BadParameter(f"{unknown[0]!r} is no part; choose from {', '.join(PARTS)}", param_hint="--only")
    folder.mkdir(parents=True, exist_ok=True)
    # Told to stop, it ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run = Run(folder.resolve(), seconds, rounds, draws, secrets.randbits(32) if seed is None else seed)
    settings: dict[str, str | int | float] = {
        "parts": "+".join(parts),
        "seconds": seconds,
        "rounds": rounds,
        "draws": draws,
        "seed": run.seed,
    }
    report = Report(datetime.now(UTC).isoformat(timespec="seconds"), machine(), settings, [], read_limits())
    try:
        for part in parts:
            for figure in PARTS[part](run):
                report.figures.append(figure)
                # After each, so that a run that is cut off leaves what it has.
                report.write(folder)
                value = "not run" if figure.value is None else f"{figure.value:.3g}"
                print(f"{figure.name}: {value}", flush=True)
    except (ToolFailed, SuiteNotReady) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    print(f"written to {folder / 'report.md'} and {folder / 'report.json'}")
    for fault in report.missed():
        print(f"missed: {fault}", file=sys.stderr)
    if report.missed():
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
