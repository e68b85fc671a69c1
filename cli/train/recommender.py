"""`vitrine train recommender`: all that recommendation learns from a shop's events, in one bundle."""

from pathlib import Path
from typing import Annotated

import typer

from cli.train.options import Out, Seed, Threads, one_line_errors, use_threads


def recommender(
    catalogue: Annotated[list[Path], typer.Option(help="The shop's products: JSON lines, CSV or Parquet; repeatable.")],
    events: Annotated[
        list[Path], typer.Option(help="What visitors did: files, or the folder of `vitrine events export`; repeatable.")
    ],
    out: Out,
    embedder: Annotated[Path, typer.Option(help="The embedder bundle that serves.")] = Path("models/embedder"),
    vectors: Annotated[
        Path | None, typer.Option(help="Where text vectors are kept between runs; unset: beside the bundle.")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="How product columns are read, as in `vitrine ingest`.")] = None,
    max_minutes: Annotated[float, typer.Option(min=0.1, help="Of training; the sequence model stops by it.")] = 60.0,
    half_life_days: Annotated[float, typer.Option(min=0.01, help="Of popularity, as the event store has it.")] = 7.0,
    eta: Annotated[float, typer.Option(min=0, help="Examination is 1/rank^eta where the log does not tell it.")] = 1.0,
    name: Annotated[str, typer.Option(help="The bundle's name.")] = "shop-recommender",
    version: Annotated[str, typer.Option(help="The bundle's version.")] = "1.0.0",
    seed: Seed = 17,
    threads: Threads = 0,
) -> None:
    """Learn sequence model, collaborative filtering, co-purchases and their fusion from catalogue and events.

    With too few events nothing is written, one line says what is missing, and the exit status is 0: a job that runs
    every night need not know when a new shop's first visitors came.
    """
    with one_line_errors():
        from training.errors import NothingToLearn
        from training.recommendation.fusion import FusionSettings
        from training.recommendation.recommender import RecommenderSettings
        from training.recommendation.sequence import SequenceSettings
        from training.recommendation.shop import RecommenderPlan, train_recommender

        use_threads(threads)
        settings = RecommenderSettings(
            sequence=SequenceSettings(max_minutes=0.6 * max_minutes, seed=seed),
            fusion=FusionSettings(seed=seed),
            half_life_days=half_life_days,
        )
        plan = RecommenderPlan(
            catalogue=tuple(catalogue),
            events=tuple(events),
            embedder=embedder,
            vectors=vectors or out.with_name(f"{out.name}.vectors"),
            mapping=mapping,
            eta=eta,
            settings=settings,
            name=name,
            version=version,
        )
        try:
            trained = train_recommender(plan, out, lambda line: typer.echo(line, err=True))
        except NothingToLearn as error:
            print(f"nothing trained, {out} not written: {error}")
            return
    for note in trained.notes:
        typer.echo(f"note: {note}", err=True)
    figures = trained.figures
    found = figures["lists"] / figures["asked"]
    print(f"last events held out: {figures['held_out']:.0f} lists; NDCG@10 of all last events:")
    for source in ("fusion", "behaviour", "als", "item_item", "co_purchase", "text", "popular"):
        if source in figures:
            print(f"  {source:<12}{figures[source] * found:.4f}")
    print(f"{trained.bundle.manifest.digest} {out}")
    if figures["fusion"] <= figures["popular"]:
        typer.echo(
            "warning: on last events held out this recommender does not beat what is popular; do not serve it"
            f" ({figures['fusion'] * found:.4f} against {figures['popular'] * found:.4f})",
            err=True,
        )
