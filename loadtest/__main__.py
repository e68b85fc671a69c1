"""`python -m loadtest`: exits 1 when the suite went past a limit, and 2 when a tool, and not the suite, failed."""

import os
import secrets
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Annotated

import grpc
import typer

from loadtest.ghz import ToolFailed
from loadtest.limits import broken_limits, read_limits
from loadtest.material import Material
from loadtest.page import page
from loadtest.recommender import made_recommender
from loadtest.result import Result
from loadtest.stages import Stages
from loadtest.suite import SHAPES, SuiteNotReady, Targets, replicas, require_serving, running_shape
from loadtest.table import markdown


@dataclass(frozen=True, slots=True)
class _Size:
    """How much is done: seconds of a stage, products of the shop, and popular queries."""

    seconds: float
    products: int
    popular: int


_QUICK, _WHOLE = _Size(0.4, 300, 30), _Size(2.0, 2_000, 150)
_PROCESSES = {"one process": ("gateway",), "suite": ("gateway", "embedder", "retriever", "ranker")}


def main(
    gateway: Annotated[str, typer.Option(help="host:port of a gateway that runs; reads alone are sent.")] = "",
    embedder: Annotated[str, typer.Option(help="host:port of its embedder.")] = "127.0.0.1:50052",
    retriever: Annotated[str, typer.Option(help="host:port of its retriever.")] = "127.0.0.1:50053",
    ranker: Annotated[str, typer.Option(help="host:port of its ranker.")] = "127.0.0.1:50054",
    quick: Annotated[bool, typer.Option(help="Every method, but shortly: under 3 minutes on two cores.")] = False,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Of load for each stage. [default: 2; quick: 0.4]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Draw of the queries; drawn when not given.")] = None,
    folder: Annotated[Path, typer.Option(help="Folder for data files and results.")] = Path("build/loadtest"),
) -> None:
    """Load every method with ghz, in one process and as a suite; both are started, unless --gateway names one."""
    began_s = monotonic()
    seed = secrets.randbits(32) if seed is None else seed
    size = _QUICK if quick else _WHOLE
    seconds = seconds or size.seconds
    folder /= f"{size.products}-products"
    folder.mkdir(parents=True, exist_ok=True)
    result = Result(_title(seconds, size.products, seed), seed, seconds)
    try:
        if gateway:
            targets = Targets(gateway, embedder, retriever, ranker)
            require_serving(targets)
            _load(result, "suite", targets, size, folder, changes=False)
        else:
            recommender = made_recommender(folder, size.products)
            for shape in SHAPES:
                with running_shape(shape, folder, size.products, recommender) as targets:
                    _load(result, shape, targets, size, folder, changes=True)
    except (ToolFailed, SuiteNotReady) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    except grpc.RpcError as error:
        print(f"what is asked could not be made: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    limits = read_limits()
    for shape, rows in result.measured.items():
        result.broken_limits.extend(f"{shape}: {said}" for said in broken_limits(rows, limits))
    result.write(folder / "result.json")
    (folder / "report.html").write_text(page(result), encoding="utf-8")
    (folder / "report.md").write_text(markdown(result), encoding="utf-8")
    print(markdown(result))
    print(f"{monotonic() - began_s:.0f} s; written to {folder}: result.json, report.md and report.html")
    for limit in result.broken_limits:
        print(f"past its limit: {limit}", file=sys.stderr)
    if result.broken_limits:
        raise typer.Exit(1)


def _load(result: Result, shape: str, targets: Targets, size: _Size, folder: Path, *, changes: bool) -> None:
    material = Material(targets, result.seed, size.products, size.popular)
    stages = Stages(folder, shape, material, result.seconds, lambda said: print(said, file=sys.stderr, flush=True))
    result.replicas[shape] = {name: replicas(target) for name, target in targets.all().items()}
    # By callers first: a write ends the answers that are kept.
    result.swept.extend(stages.swept(_PROCESSES[shape]))
    result.measured[shape] = list(stages.all(_PROCESSES[shape], changes=changes))


def _title(seconds: float, products: int, seed: int) -> str:
    today = datetime.now(UTC).date()
    return (
        f"{today}, {os.cpu_count()} cores, ghz on them too, {products:,} products, {seconds:g} s a stage, seed {seed}"
    )


if __name__ == "__main__":
    typer.run(main)
