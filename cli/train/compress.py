"""`vitrine train compress`: a smaller bundle, and a ledger of what each step cost."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from cli.train.ledger import ledger_table
from cli.train.options import Out, RunDir, Seed, Threads, one_line_errors, use_threads


def compress(
    bundle: Annotated[str, typer.Option(help="What to make smaller: a bundle folder, packaged:e5, or another base.")],
    products: Annotated[list[Path], typer.Option(help="The shop's catalogue: JSON lines, CSV or Parquet.")],
    out: Out,
    run_dir: RunDir,
    judgements: Annotated[
        list[Path] | None, typer.Option(help="Judged pairs (query, product_id, grade): measured, never learned from.")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="How the catalogue is read, as in `vitrine ingest`.")] = None,
    vocabulary_texts: Annotated[
        list[Path] | None,
        typer.Option(help="Texts, one a line: the vocabulary is trimmed to theirs and the catalogue's."),
    ] = None,
    language_texts: Annotated[
        list[str] | None, typer.Option(help="LANGUAGE=FILE: texts that check a language other than zh and en.")
    ] = None,
    layers: Annotated[int | None, typer.Option(min=1, help="Layers to keep.")] = None,
    feed_forward: Annotated[int | None, typer.Option(min=1, help="Feed-forward units to keep in each layer.")] = None,
    heads: Annotated[int | None, typer.Option(min=1, help="Attention heads to keep in each layer.")] = None,
    int8: Annotated[
        Literal["best", "dynamic", "static", "none"],
        typer.Option(help="best compares a scale per token, per tensor and static; dynamic is the scale per token."),
    ] = "best",
    max_loss: Annotated[
        float | None, typer.Option(min=0, help="Refuse a step that loses more of any figure against the step before.")
    ] = None,
    lists: Annotated[int, typer.Option(min=2, help="Queries made from the catalogue.")] = 2_000,
    epochs: Annotated[int, typer.Option(min=1, help="Rounds of each repair.")] = 1,
    rate: Annotated[float, typer.Option(min=1e-8, help="Learning rate of the repair.")] = 2e-4,
    revision: Annotated[str, typer.Option(help="Commit of a Hugging Face id.")] = "",
    seed: Seed = 31,
    threads: Threads = 0,
) -> None:
    """Trim, prune, repair and quantise an embedder or ranker; the card says what each step cost."""
    with one_line_errors():
        from training.compress import CompressionSettings, Texts
        from training.compress import compress as run
        from training.repair import RepairSettings
        from training.sources.files import SourceFiles

        use_threads(threads)
        files = SourceFiles(tuple(products), judgements=tuple(judgements or ()), mapping=mapping)
        settings = CompressionSettings(
            layers, feed_forward, heads, int8, max_loss, lists, RepairSettings(seed=seed, epochs=epochs, rate=rate)
        )
        texts = Texts(tuple(vocabulary_texts or ()), dict(map(_language_file, language_texts or ())))
        written, entries = run(bundle, revision, files, texts, out, run_dir, settings)
    Console().print(ledger_table(entries))
    kept = written.manifest.lineage
    print(f"kept: {kept['int8_kept']} ({kept['int8_rule']})" if "int8_kept" in kept else "kept in float32")
    if kept.get("int8_loses"):
        typer.echo(f"warning: every int8 variant loses more than that; this one: {kept['int8_loses']}", err=True)
    print(f"{written.manifest.digest} {out}")


def _language_file(text: str) -> tuple[str, Path]:
    from training.errors import TrainingError

    language, found, path = text.partition("=")
    if not found or not language or not path:
        raise TrainingError(f"--language-texts {text!r} is not LANGUAGE=FILE")
    return language, Path(path)
