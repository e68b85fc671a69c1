"""`vitrine train shipped-embedder` and `shipped-ranker`: recipes of models/embedder and of models/ranker's teacher."""

from pathlib import Path
from typing import Annotated

import typer

from cli.train.options import DataDir, Out, RunDir, Seed, Threads, one_line_errors, use_threads

Float32Out = Annotated[
    Path | None, typer.Option(help="Bundle folder for the same weights before int8, to be compared or fine-tuned.")
]


def shipped_embedder(
    data_dir: DataDir,
    out: Out = Path("models/embedder"),
    run_dir: RunDir = Path("runs/shipped-embedder"),
    float32_out: Float32Out = None,
    seed: Seed = 17,
    threads: Threads = 0,
) -> None:
    """Rebuild the embedder in models/: transplant, distil, contrast, average, int8."""
    with one_line_errors():
        from training.embedder_training import EmbedderSettings
        from training.shipped_embedder import train_shipped_embedder

        use_threads(threads)
        bundle = train_shipped_embedder(data_dir, out, run_dir, EmbedderSettings(seed=seed), float32_out)
        print(f"{bundle.manifest.digest} {out}")


def shipped_ranker(
    data_dir: DataDir,
    out: Out = Path("models/ranker"),
    run_dir: RunDir = Path("runs/shipped-ranker"),
    embedder_run_dir: Annotated[
        Path, typer.Option(help="The embedder's run folder; its steps are run first when it lacks them.")
    ] = Path("runs/shipped-embedder"),
    float32_out: Float32Out = None,
    seed: Seed = 23,
    embedder_seed: Seed = 17,
    threads: Threads = 0,
) -> None:
    """Make the six layers that the ranker in models/ is distilled from: lists, cross-encoder, calibration, int8."""
    with one_line_errors():
        from training.embedder_training import EmbedderSettings
        from training.ranker_training import RankerSettings
        from training.shipped_ranker import train_shipped_ranker

        use_threads(threads)
        ranker, embedder = RankerSettings(seed=seed), EmbedderSettings(seed=embedder_seed)
        bundle = train_shipped_ranker(data_dir, out, run_dir, embedder_run_dir, ranker, embedder, float32_out)
        print(f"{bundle.manifest.digest} {out}")
