"""`vitrine train ranker`: a cross-encoder that learns what the retriever's evidence misses, for one shop."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.train.options import Out, RunDir, Seed, Threads, one_line_errors, use_threads


def ranker(
    products: Annotated[list[Path], typer.Option(help="The shop's products: JSON lines, CSV or Parquet; repeatable.")],
    base: Annotated[str, typer.Option(help="packaged:minilm, packaged:e5, a bundle, a folder or a Hugging Face id.")],
    out: Out,
    run_dir: RunDir,
    embedder: Annotated[Path, typer.Option(help="Embedder bundle whose retrieval the ranker follows.")] = Path(
        "models/embedder"
    ),
    events: Annotated[
        list[Path] | None,
        typer.Option(help="What shoppers did: files, or the folder of `vitrine events export`; repeatable."),
    ] = None,
    judgements: Annotated[list[Path] | None, typer.Option(help="Rows of query, product_id, grade; repeatable.")] = None,
    labels: Annotated[int | None, typer.Option(min=0, help="Labelled pairs to draw; unset: all, 0: none.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="How product columns are read, as in `vitrine ingest`.")] = None,
    revision: Annotated[str, typer.Option(help="Commit of a Hugging Face id.")] = "",
    teacher: Annotated[
        list[str] | None,
        typer.Option(help="[zh=|en=]SOURCE[*WEIGHT]: a base or ranker bundle to learn from; repeatable."),
    ] = None,
    loss: Annotated[Literal["pointwise", "listwise", "both"], typer.Option(help="The loss on relevance.")] = "both",
    distil: Annotated[Literal["kl", "margin-mse"], typer.Option(help="The loss on teachers' scores.")] = "kl",
    distil_weight: Annotated[float, typer.Option(min=0, help="Weight of the loss on teachers' scores.")] = 0.5,
    made_lists: Annotated[int, typer.Option(min=0, help="Queries made from the catalogue, without labels.")] = 400,
    epochs: Annotated[int, typer.Option(min=1, help="Rounds over the lists, each with other candidates.")] = 2,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 5e-5,
    weight_decay: Annotated[float, typer.Option(min=0, help="Of AdamW.")] = 0.01,
    batch_lists: Annotated[int, typer.Option(min=1, help="Lists of a batch.")] = 4,
    list_size: Annotated[int, typer.Option(min=2, help="Candidates of a list in a batch.")] = 12,
    max_tokens: Annotated[int, typer.Option(min=16, max=256, help="Tokens of a pair in training.")] = 48,
    held_out: Annotated[
        float, typer.Option(min=0.05, max=0.5, help="Share of queries to fit score and calibration on, and to measure.")
    ] = 0.2,
    with_evidence: Annotated[
        bool, typer.Option("--evidence/--no-evidence", help="Loss on the final score, or on the logit alone.")
    ] = True,
    train_words: Annotated[bool, typer.Option(help="Train the word embeddings as well: slower.")] = False,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches of each process that one step takes.")] = 1,
    precision: Annotated[Literal["no", "bf16", "fp16"], typer.Option(help="Mixed precision of activations.")] = "no",
    int8: Annotated[bool, typer.Option("--int8/--float32", help="Weights of the bundle.")] = True,
    name: Annotated[str, typer.Option(help="The bundle's name.")] = "shop-ranker",
    version: Annotated[str, typer.Option(help="The bundle's version.")] = "1.0.0",
    seed: Seed = 23,
    threads: Threads = 0,
) -> None:
    """Train a cross-encoder on what the retriever finds, and fit its final score and calibration."""
    with one_line_errors():
        from training.candidate_mining import MiningSettings
        from training.ranker_bundle import RankerPlan, train_ranker
        from training.ranker_fine_tuning import RankerTuning
        from training.ranker_teachers import teacher_spec
        from training.sources.files import SourceFiles
        from training.sources.reading import event_paths

        use_threads(threads)
        plan = RankerPlan(
            files=SourceFiles(tuple(products), tuple(event_paths(events or ())), tuple(judgements or ()), mapping),
            base=base,
            revision=revision,
            embedder=embedder,
            teachers=tuple(map(teacher_spec, teacher or ())),
            mining=MiningSettings(seed=seed, labels=labels, made_lists=made_lists),
            tuning=RankerTuning(
                seed=seed,
                loss=loss,
                rate=rate,
                weight_decay=weight_decay,
                epochs=epochs,
                batch_lists=batch_lists,
                list_size=list_size,
                max_tokens=max_tokens,
                distil=distil,
                distil_weight=distil_weight,
                with_evidence=with_evidence,
                train_words=train_words,
                accumulate=accumulate,
                precision=precision,
            ),
            held_out=held_out,
            int8=int8,
            name=name,
            version=version,
        )
        bundle, tuned = train_ranker(plan, out, run_dir)
    figures = tuned.figures
    print(f"nDCG@10 on {figures.queries} held-out queries (relevance from {figures.origin}):")
    for order, value in figures.ndcg_10.items():
        languages = "".join(f"  {language} {means[order]:.3f}" for language, means in figures.by_language.items())
        print(f"  {order:<16}{value:.3f}{languages}")
    print(f"  final against retrieval: p = {figures.p_value:.3f} (paired sign-flip test)")
    weights = ", ".join(f"{part} {weight:.3g}" for part, weight in tuned.calibration.evidence.items())
    print(f"final score: {weights}; calibration error {tuned.fit.ece:.3f}, Brier {tuned.fit.brier:.3f}")
    print(f"{bundle.manifest.digest} {out}")
    if not figures.beats_retrieval:
        typer.echo(
            "warning: on held-out queries this ranker does not beat the retriever's order; do not serve it"
            f" ({figures.ndcg_10['final']:.3f} against {figures.ndcg_10['retrieval']:.3f})",
            err=True,
        )
