"""`vitrine train pretrain`: an encoder that has read the shop's own text before it is fine-tuned."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.train.options import RunDir, Seed, Threads, one_line_errors, use_threads


def pretrain(
    products: Annotated[list[Path], typer.Option(help="The shop's products: JSON lines, CSV or Parquet; repeatable.")],
    base: Annotated[str, typer.Option(help="packaged:minilm, packaged:e5, a bundle, a folder or a Hugging Face id.")],
    out: Annotated[Path, typer.Option(help="Folder for the new base; replaced only when it is complete.")],
    run_dir: RunDir,
    reviews: Annotated[list[Path] | None, typer.Option(help="Reviews, by a column text; repeatable.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="How product columns are read, as in `vitrine ingest`.")] = None,
    revision: Annotated[str, typer.Option(help="Commit of a Hugging Face id.")] = "",
    epochs: Annotated[int, typer.Option(min=1, help="Rounds over the texts, each with other masks.")] = 1,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 5e-5,
    weight_decay: Annotated[float, typer.Option(min=0, help="Of AdamW.")] = 0.01,
    masked: Annotated[float, typer.Option(min=0.01, max=0.9, help="Share of words that are masked.")] = 0.15,
    max_batches: Annotated[int, typer.Option(min=0, help="Batches to learn from at most; 0: all.")] = 0,
    batch_tokens: Annotated[int, typer.Option(min=64, help="Tokens of a batch, padding included.")] = 1_024,
    max_tokens: Annotated[int, typer.Option(min=8, max=512, help="Tokens of a row; longer texts take several.")] = 64,
    train_words: Annotated[
        bool, typer.Option("--train-words/--freeze-words", help="Whether the word embeddings learn as well.")
    ] = True,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches of each process that one step takes.")] = 1,
    precision: Annotated[Literal["no", "bf16", "fp16"], typer.Option(help="Mixed precision of activations.")] = "no",
    measure: Annotated[
        int, typer.Option(min=0, help="Label-free pairs of the fine-tuning that measures the gain; 0: no measuring.")
    ] = 1_000,
    judgements: Annotated[
        list[Path] | None, typer.Option(help="Rows of query, product_id, grade: to measure on only; repeatable.")
    ] = None,
    seed: Seed = 5,
    threads: Threads = 0,
) -> None:
    """Go on pre-training a base on the shop's text; measure the gain in an embedder, not only in loss."""
    with one_line_errors():
        from training.pretrained_base import PretrainingPlan, pretrain_base
        from training.pretraining import PretrainingSettings
        from training.sources.files import SourceFiles

        use_threads(threads)
        settings = PretrainingSettings(
            seed=seed,
            epochs=epochs,
            rate=rate,
            weight_decay=weight_decay,
            batch_tokens=batch_tokens,
            max_tokens=max_tokens,
            masked=masked,
            max_batches=max_batches,
            train_words=train_words,
            accumulate=accumulate,
            precision=precision,
        )
        files = SourceFiles(tuple(products), (), tuple(judgements or ()), mapping)
        plan = PretrainingPlan(files, tuple(reviews or ()), base, revision, settings, measure)
        result, gain = pretrain_base(plan, out, run_dir)
    print(f"texts {result.counts['texts']:,}, tokens {result.counts['tokens']:,}")
    print(f"held-out loss {result.loss_before:.3f} before, {result.loss_after:.3f} after")
    if gain is not None:
        print(f"{'fine-tuned':<12}{'queries':>8}  {'figure':<10}{'without':>8}{'with':>8}")
        for origin, after in gain.after.items():
            for figure in sorted(set(after) - {"queries"}):
                without = gain.before[origin][figure]
                print(f"{origin:<12}{after['queries']:>8.0f}  {figure:<10}{without:>8.3f}{after[figure]:>8.3f}")
    print(f"{result.base.digest} {out}")
