"""`vitrine train shipped-embedder` and `shipped-ranker`: the recipes of the bundles in models/."""

from pathlib import Path
from typing import Annotated

import typer

from cli.train.options import DataDir, Out, RunDir, Seed, Threads, one_line_errors, use_threads
from vitrine.bundle import Bundle

Float32Out = Annotated[
    Path | None, typer.Option(help="Bundle folder for the same weights before int8, to be compared or fine-tuned.")
]


def shipped_embedder(
    data_dir: DataDir,
    out: Out = Path("models/embedder"),
    run_dir: RunDir = Path("runs/shipped-embedder"),
    four_layers: Annotated[
        bool, typer.Option("--four-layers", help="Distil it into four layers, which take two thirds of the time.")
    ] = False,
    teacher: Annotated[
        Path | None, typer.Option(help="Embedder bundle of six layers for --four-layers; unset: it is trained first.")
    ] = None,
    float32_out: Float32Out = None,
    seed: Seed = 17,
    distil_seed: Seed = 7,
    threads: Threads = 0,
) -> None:
    """Rebuild the embedder in models/: transplant, distil, contrast, average, int8; or one of fewer layers from it."""
    with one_line_errors():
        from training.embedder_distillation import EmbedderDistillation
        from training.embedder_training import EmbedderSettings
        from training.errors import TrainingError
        from training.shipped_embedder import train_four_layer_embedder, train_shipped_embedder

        use_threads(threads)
        settings = EmbedderSettings(seed=seed)
        if four_layers:
            distillation = EmbedderDistillation(seed=distil_seed)
            bundle = train_four_layer_embedder(data_dir, out, run_dir, settings, distillation, teacher, float32_out)
        elif teacher is not None:
            raise TrainingError("--teacher is for --four-layers; give that too, or leave the teacher out")
        else:
            bundle = train_shipped_embedder(data_dir, out, run_dir, settings, float32_out)
    if four_layers:
        _print_followed(bundle, "texts", "vectors beside the teacher's")
    print(f"{bundle.manifest.digest} {out}")


def shipped_ranker(
    data_dir: DataDir,
    out: Out = Path("models/ranker"),
    run_dir: RunDir = Path("runs/shipped-ranker"),
    embedder_run_dir: Annotated[
        Path, typer.Option(help="The embedder's run folder; its steps are run first when it lacks them.")
    ] = Path("runs/shipped-embedder"),
    teacher: Annotated[
        Path | None, typer.Option(help="Ranker bundle of six layers to distil; unset: it is trained first.")
    ] = None,
    embedder: Annotated[
        Path, typer.Option(help="Embedder bundle by which distillation finds the products near a query.")
    ] = Path("models/embedder"),
    float32_out: Float32Out = None,
    seed: Seed = 23,
    embedder_seed: Seed = 17,
    distil_seed: Seed = 7,
    threads: Threads = 0,
) -> None:
    """Rebuild the ranker in models/: six layers on label-free lists, calibration, distillation into four, int8.

    Distillation takes minutes on a GPU, which it uses where torch sees one, and days on a CPU.
    """
    with one_line_errors():
        from training.embedder_training import EmbedderSettings
        from training.ranker_distillation import DistillationSettings
        from training.ranker_training import RankerSettings
        from training.shipped_ranker import six_layer_ranker, train_shipped_ranker

        use_threads(threads)

        def six_layers() -> Path:
            if teacher is not None:
                return teacher
            settings, embedders = RankerSettings(seed=seed), EmbedderSettings(seed=embedder_seed)
            return six_layer_ranker(data_dir, run_dir, embedder_run_dir, settings, embedders)

        distillation = DistillationSettings(seed=distil_seed)
        bundle = train_shipped_ranker(data_dir, out, run_dir, embedder, distillation, six_layers, float32_out)
    _print_followed(bundle, "queries", "logits beside the teacher's")
    print(f"{bundle.manifest.digest} {out}")


def _print_followed(bundle: Bundle, what: str, compared: str) -> None:
    """How near the student comes to its teacher, before and after."""
    follows = bundle.manifest.metrics["follows_teacher"]
    print(f"{follows[f'held_out_{what}']} held-out {what}, {compared}:  before   after")
    for name, after in follows["after"].items():
        print(f"{name:<50}{follows['before'][name]:>8.3f}{after:>8.3f}")
