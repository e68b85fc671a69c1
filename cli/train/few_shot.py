"""`vitrine train few-shot`: what 0, 10, 50, … labels buy, on queries that gave none; a report, no model."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.train.options import RunDir, Seed, one_line_errors
from cli.train.progress import stages

if TYPE_CHECKING:
    from evaluation.judged_data import JudgedShop
    from training.few_shot import Figure, Row


def few_shot(
    dataset: Annotated[str, typer.Option(help="icecat, or a folder with products and judgements.")],
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds icecat.")] = None,
    labels: Annotated[str, typer.Option(help="Numbers of labels, parted by commas.")] = "0,10,50,200,1000",
    folds: Annotated[
        int, typer.Option(min=2, help="Parts of the queries; each is measured by fits on the others.")
    ] = 5,
    draws: Annotated[int, typer.Option(min=1, help="Times that folds and labels are drawn anew.")] = 5,
    seed: Seed = 11,
    embedder: Annotated[Path, typer.Option(help="Embedder bundle.")] = Path("models/embedder"),
    ranker: Annotated[Path, typer.Option(help="Ranker bundle.")] = Path("models/ranker"),
    run_dir: RunDir = Path("runs/few-shot"),
    out: Annotated[Path, typer.Option(help="JSON report; the chart is written beside it, as .png.")] = Path(
        "few-shot.json"
    ),
) -> None:
    """Report quality by number of labels: label-free, and with score weights, probability, embedder or ranker adapted.

    Judgements are trained on for this report alone: it writes no model.
    """
    with one_line_errors():
        from cli.train.judged_pairs import judged_pairs
        from training.few_shot import few_shot_rows, report
        from training.few_shot_chart import write_chart
        from training.run_folder import write_atomically

        counts = _counts(labels)
        _check_out(out)
        shop = _read_shop(dataset, data_dir)
        with stages() as advance:
            pairs, made_of = judged_pairs(shop, embedder, ranker, run_dir, advance)
            rows = few_shot_rows(pairs, counts, folds, draws, seed, advance)
        made_of |= {"folds": folds, "draws": draws, "seed": seed}
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = out.with_name(f".{out.stem}.tmp.png")
        write_chart(rows, f"{shop.name}: what labels buy", scratch)
        scratch.replace(out.with_suffix(".png"))
        write_atomically(out, (json.dumps(report(rows, made_of), ensure_ascii=False, indent=1) + "\n").encode())
    Console().print(few_shot_table(rows, shop.name))


def _counts(text: str) -> list[int]:
    from training.errors import TrainingError

    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = [-1]
    if min(counts) < 0:
        raise TrainingError(f"--labels: {text!r} is not numbers of labels parted by commas, such as 0,10,50")
    return counts


def _check_out(out: Path) -> None:
    from training.errors import TrainingError
    from training.whole_folder import check_file

    if out.is_dir() or out.suffix == ".png":
        raise TrainingError(f"--out: {out} must be a file for JSON; give a name such as few-shot.json")
    check_file(out)
    check_file(out.with_suffix(".png"))


def _read_shop(dataset: str, data_dir: Path | None) -> "JudgedShop":
    from evaluation.datasets import read_dataset
    from evaluation.judged_data import JudgedShop
    from training.errors import TrainingError

    shop = read_dataset(dataset, data_dir)
    if not isinstance(shop, JudgedShop):
        raise TrainingError(f"--dataset: {dataset} has no catalogue and graded queries; give icecat or a shop's folder")
    return shop


def few_shot_table(rows: "list[Row]", name: str) -> Table:
    """A line for each order and adaptation, a column for each number of labels."""
    counts = sorted({row.labels for row in rows})
    drawn = {row.labels: row.drawn for row in rows}
    heads = [f"{count:,}" if drawn[count] == count else f"{count:,} ({drawn[count]:.0f} drawn)" for count in counts]
    table = Table(
        "order",
        "adapted",
        *heads,
        title=f"{name}: nDCG@10 of held-out queries by number of labels",
        caption="below: gain over no labels on the same queries, 95 % of resamples; log loss where labels refit it",
    )
    for order, adapted in dict.fromkeys((row.order, row.adaptation) for row in rows):
        cells = {row.labels: _cell(row) for row in rows if (row.order, row.adaptation) == (order, adapted)}
        table.add_row(order, adapted, *(cells[count] for count in counts))
    return table


def _cell(row: "Row") -> str:
    lines = [f"{row.ndcg_10.value:.3f}", _signed(row.gain)]
    if row.log_loss is not None:
        lines.append(f"log loss {row.log_loss.value:.3f}, ECE {row.calibration_error:.3f}")
    return "\n".join(lines)


def _signed(figure: "Figure") -> str:
    return f"{figure.value:+.3f} ({figure.low:+.3f} to {figure.high:+.3f})"
