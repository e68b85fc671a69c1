"""`vitrine train tune`: searches hyper-parameters, says what mattered and the command that trains with the best."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.train.options import RunDir, Seed, Threads, one_line_errors, use_threads

if TYPE_CHECKING:
    from training.tuning import Range


def tune(
    what: Annotated[Literal["embedder", "ranker"], typer.Option(help="Whose training to tune.")],
    products: Annotated[list[Path], typer.Option(help="The shop's products: JSON lines, CSV or Parquet; repeatable.")],
    base: Annotated[str, typer.Option(help="packaged:minilm, packaged:e5, a bundle, a folder or a Hugging Face id.")],
    run_dir: RunDir,
    events: Annotated[
        list[Path] | None,
        typer.Option(help="What shoppers did: files, or the folder of `vitrine events export`; repeatable."),
    ] = None,
    judgements: Annotated[list[Path] | None, typer.Option(help="Rows of query, product_id, grade; repeatable.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="How product columns are read, as in `vitrine ingest`.")] = None,
    embedder: Annotated[Path, typer.Option(help="For a ranker: the bundle whose retrieval it follows.")] = Path(
        "models/embedder"
    ),
    trials: Annotated[int, typer.Option(min=1, help="Trials that the study is to have; more resume it.")] = 20,
    vary: Annotated[
        list[str] | None, typer.Option(help="What to search, such as learning_rate or layers_kept; unset: all.")
    ] = None,
    bounds: Annotated[list[str] | None, typer.Option("--range", help="NAME=LOW:HIGH in place of the default.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Rounds of each trial; a value is reported after each.")] = 2,
    label_free: Annotated[int, typer.Option(min=0, help="Pairs (embedder) or lists (ranker) made label-free.")] = 400,
    labels: Annotated[int | None, typer.Option(min=0, help="Labelled pairs to draw; unset: all, 0: none.")] = None,
    held_out: Annotated[float, typer.Option(min=0.05, max=0.5, help="Share of queries to measure on.")] = 0.2,
    revision: Annotated[str, typer.Option(help="Commit of a Hugging Face id.")] = "",
    seed: Seed = 7,
    threads: Threads = 0,
) -> None:
    """Try hyper-parameters on held-out queries, unpromising trials ended early; the study is kept and resumed."""
    with one_line_errors():
        from training.candidate_mining import MiningSettings
        from training.embedder_fine_tuning import FineTuning
        from training.ranker_fine_tuning import RankerTuning
        from training.sources.files import SourceFiles
        from training.sources.reading import event_paths
        from training.tuning_objectives import TuningPlan, tune_training

        use_threads(threads)
        of_ranker = what == "ranker"
        fixed = ["--epochs", str(epochs), "--held-out", str(held_out)]
        fixed += ["--made-lists" if of_ranker else "--label-free", str(label_free)]
        fixed += ["--labels", str(labels)] if labels is not None else []
        plan = TuningPlan(
            what=what,
            files=SourceFiles(tuple(products), tuple(event_paths(events or ())), tuple(judgements or ()), mapping),
            base=base,
            revision=revision,
            trials=trials,
            seed=seed,
            vary=tuple(vary or ()),
            ranges=dict(map(_range, bounds or ())),
            embedder_tuning=FineTuning(epochs=epochs, label_free=label_free, labels=labels, held_out=held_out),
            ranker_tuning=RankerTuning(epochs=epochs),
            embedder=embedder,
            mining=MiningSettings(labels=labels, made_lists=label_free),
            held_out=held_out,
            fixed_options=tuple(fixed),
        )
        tuned, command = tune_training(plan, run_dir)
    print(
        f"{tuned.trials} trials, {tuned.pruned} ended early, {tuned.failed} failed or cut off; best {tuned.value:.4f}"
    )
    for name, share in sorted(tuned.importance.items(), key=lambda entry: -entry[1]):
        print(f"  {name:<14} mattered {share:4.0%}   best {tuned.best[name]}")
    print(command)


def _range(text: str) -> "tuple[str, Range]":
    from training.errors import TrainingError
    from training.tuning import Range

    name, _, ends = text.partition("=")
    try:
        low, high = map(float, ends.split(":"))
    except ValueError:
        raise TrainingError(f"--range {text!r} is not NAME=LOW:HIGH") from None
    if not low < high:
        raise TrainingError(f"--range {text!r}: the first bound must be below the second")
    return name, Range(low, high)
