"""`vitrine train …`: makes the models, offline. Torch is imported when a command runs, not before."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from vitrine.bundle import BundleKind

app = typer.Typer(name="train", help="Make models: each step resumable, seeded, logged.", no_args_is_help=True)

DataDir = Annotated[Path, typer.Option(help="Folder of the shops' data.", exists=True, file_okay=False)]
Out = Annotated[Path, typer.Option(help="Bundle folder; replaced only when the new bundle is complete.")]
RunDir = Annotated[Path, typer.Option(help="Run folder: log, checkpoints, what made it. The same command resumes it.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed, data and machine give the same steps.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads; 0 leaves the choice to torch.")]


@app.command("shipped-embedder")
def shipped_embedder(
    data_dir: DataDir,
    out: Out = Path("models/embedder"),
    run_dir: RunDir = Path("runs/shipped-embedder"),
    seed: Seed = 17,
    threads: Threads = 0,
) -> None:
    """Rebuild the embedder in models/: transplant, distil, contrast, average, int8."""
    with _one_line_errors():
        from training.embedder_training import EmbedderSettings
        from training.shipped import train_shipped_embedder

        _use_threads(threads)
        bundle = train_shipped_embedder(data_dir, out, run_dir, EmbedderSettings(seed=seed))
        print(f"{bundle.manifest.digest} {out}")


@app.command("shipped-ranker")
def shipped_ranker(
    data_dir: DataDir,
    out: Out = Path("models/ranker"),
    run_dir: RunDir = Path("runs/shipped-ranker"),
    embedder_run_dir: Annotated[
        Path, typer.Option(help="The embedder's run folder; its steps are run first when it lacks them.")
    ] = Path("runs/shipped-embedder"),
    seed: Seed = 23,
    embedder_seed: Seed = 17,
    threads: Threads = 0,
) -> None:
    """Rebuild the ranker in models/: label-free lists, cross-encoder, calibration, int8."""
    with _one_line_errors():
        from training.embedder_training import EmbedderSettings
        from training.ranker_training import RankerSettings
        from training.shipped import train_shipped_ranker

        _use_threads(threads)
        bundle = train_shipped_ranker(
            data_dir, out, run_dir, embedder_run_dir, RankerSettings(seed=seed), EmbedderSettings(seed=embedder_seed)
        )
        print(f"{bundle.manifest.digest} {out}")


def _use_threads(threads: int) -> None:
    import torch

    if threads:
        torch.set_num_threads(threads)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """What the person can put right ends the command with one line on stderr and exit status 1."""
    from training.errors import TrainingError

    try:
        yield
    except TrainingError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


@app.command("promote")
def promote_bundle(
    candidate: Annotated[Path, typer.Option(help="Bundle folder that asks to be served.", exists=True)],
    in_service: Annotated[Path, typer.Option(help="Bundle folder that is served; replaced when nothing is lost.")],
    candidate_report: Annotated[Path, typer.Option(help="`vitrine evaluate relevance --json` with the candidate.")],
    in_service_report: Annotated[Path, typer.Option(help="The same with the bundle in service.")],
    order: Annotated[str, typer.Option(help="The order that counts: dense for an embedder, ranked for a ranker.")],
    why: Annotated[Path, typer.Option(help="File for the decision and its reasons.")] = Path("promotion.json"),
) -> None:
    """Replace the bundle in service by a candidate that loses on no metric; say why, either way."""
    with _one_line_errors():
        from training.promotion import compare, promote, read_report

        before, after = (read_report(path, order) for path in (in_service_report, candidate_report))
        kind: BundleKind = "embedder" if order == "dense" else "ranker"
        comparisons = [compare(metric, values, after.get(metric, {})) for metric, values in before.items()]
        decision = promote(candidate, in_service, kind, comparisons, why)
    for reason in decision.reasons:
        print(reason)
    print("promoted" if decision.promote else "refused: the bundle in service stays")
    if not decision.promote:
        raise typer.Exit(1)
