"""`vitrine train embedder`: an embedder that learns one shop's queries, from what the shop has."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.train.options import Out, RunDir, Seed, Threads, one_line_errors, use_threads


def embedder(
    products: Annotated[list[Path], typer.Option(help="The shop's products: JSON lines, CSV or Parquet; repeatable.")],
    base: Annotated[str, typer.Option(help="packaged:minilm, packaged:e5, a bundle, a folder or a Hugging Face id.")],
    out: Out,
    run_dir: RunDir,
    events: Annotated[
        list[Path] | None,
        typer.Option(help="What shoppers did: files, or the folder of `vitrine events export`; repeatable."),
    ] = None,
    judgements: Annotated[list[Path] | None, typer.Option(help="Rows of query, product_id, grade; repeatable.")] = None,
    labels: Annotated[int | None, typer.Option(min=0, help="Labelled pairs to draw; unset: all, 0: none.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="How product columns are read, as in `vitrine ingest`.")] = None,
    revision: Annotated[str, typer.Option(help="Commit of a Hugging Face id.")] = "",
    objective: Annotated[
        Literal["softmax", "click"], typer.Option(help="Full softmax over the batch's products, or click probability.")
    ] = "softmax",
    label_free: Annotated[int, typer.Option(min=0, help="Pairs made from the catalogue, without labels.")] = 4_000,
    lexicon: Annotated[int, typer.Option(min=0, help="Pairs of made products in Chinese and English.")] = 400,
    epochs: Annotated[int, typer.Option(min=1, help="Rounds over the pairs.")] = 2,
    batch: Annotated[int, typer.Option(min=2, help="Pairs of a batch.")] = 48,
    negatives: Annotated[int, typer.Option(min=0, help="Hard negatives of each pair.")] = 2,
    mining: Annotated[
        Literal["never", "once", "every-epoch"], typer.Option(help="When negatives are mined by the model itself.")
    ] = "once",
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 3e-5,
    weight_decay: Annotated[float, typer.Option(min=0, help="Of AdamW.")] = 0.01,
    temperature: Annotated[float, typer.Option(min=0.001, help="What cosines are divided by.")] = 0.05,
    layers_kept: Annotated[int, typer.Option(min=0, help="Layers of the base to keep; 0: all.")] = 0,
    train_words: Annotated[bool, typer.Option(help="Train the word embeddings as well: slower.")] = False,
    after_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the trained weights in their average with the base's.")
    ] = 1.0,
    click_weight: Annotated[float, typer.Option(min=0, help="Of a click or view.")] = 1.0,
    cart_weight: Annotated[float, typer.Option(min=0, help="Of an add-to-cart.")] = 3.0,
    purchase_weight: Annotated[float, typer.Option(min=0, help="Of a purchase.")] = 5.0,
    eta: Annotated[float, typer.Option(min=0, help="Examination is 1/rank^eta where the log does not tell it.")] = 1.0,
    held_out: Annotated[float, typer.Option(min=0.05, max=0.5, help="Share of queries to measure on.")] = 0.2,
    max_tokens: Annotated[int, typer.Option(min=8, max=256, help="Tokens of a text in training.")] = 64,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches of each process that one step takes.")] = 1,
    precision: Annotated[Literal["no", "bf16", "fp16"], typer.Option(help="Mixed precision of activations.")] = "no",
    int8: Annotated[bool, typer.Option("--int8/--float32", help="Weights of the bundle.")] = True,
    name: Annotated[str, typer.Option(help="The bundle's name.")] = "shop-embedder",
    version: Annotated[str, typer.Option(help="The bundle's version.")] = "1.0.0",
    seed: Seed = 17,
    threads: Threads = 0,
) -> None:
    """Fine-tune an embedder on judgements, events and the catalogue itself; measure it on held-out queries."""
    with one_line_errors():
        from training.embedder_bundle import EmbedderPlan, train_embedder
        from training.embedder_fine_tuning import FineTuning
        from training.sources.clicks import EventWeights
        from training.sources.files import SourceFiles
        from training.sources.reading import event_paths

        use_threads(threads)
        weights = EventWeights(click_weight, cart_weight, purchase_weight, eta)
        plan = EmbedderPlan(
            files=SourceFiles(
                tuple(products), tuple(event_paths(events or ())), tuple(judgements or ()), mapping, weights
            ),
            base=base,
            revision=revision,
            tuning=FineTuning(
                objective=objective,
                seed=seed,
                labels=labels,
                label_free=label_free,
                lexicon=lexicon,
                epochs=epochs,
                batch=batch,
                negatives=negatives,
                mining=mining,
                learning_rate=rate,
                weight_decay=weight_decay,
                temperature=temperature,
                layers_kept=layers_kept,
                train_words=train_words,
                after_share=after_share,
                held_out=held_out,
                max_tokens=max_tokens,
                accumulate=accumulate,
                precision=precision,
            ),
            int8=int8,
            name=name,
            version=version,
        )
        bundle, tuned, notes = train_embedder(plan, out, run_dir)
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    print("learned from " + ", ".join(f"{count:,} {kind} pairs" for kind, count in tuned.pairs.items()))
    print(f"{'held-out':<12}{'queries':>8}  figure      before   after")
    for origin, after in tuned.after.items():
        for figure in after:
            if figure != "queries":
                before = tuned.before[origin][figure]
                print(f"{origin:<12}{after['queries']:>8.0f}  {figure:<10}{before:>8.3f}{after[figure]:>8.3f}")
    print(f"{bundle.manifest.digest} {out}")
