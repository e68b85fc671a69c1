"""`vitrine train promote`: a candidate bundle takes the place of the one in service only when it loses nothing."""

from pathlib import Path
from typing import Annotated

import typer

from cli.train.options import one_line_errors


def promote(
    candidate: Annotated[Path, typer.Option(help="Bundle folder that asks to be served.", exists=True)],
    in_service: Annotated[Path, typer.Option(help="Bundle folder that is served; replaced when nothing is lost.")],
    candidate_report: Annotated[Path, typer.Option(help="`vitrine evaluate relevance --json` with the candidate.")],
    in_service_report: Annotated[Path, typer.Option(help="The same with the bundle in service.")],
    order: Annotated[str, typer.Option(help="The order that counts: dense for an embedder, ranked for a ranker.")],
    why: Annotated[Path, typer.Option(help="File for the decision and its reasons.")] = Path("promotion.json"),
) -> None:
    """Replace the bundle in service by a candidate that loses on no metric; say why, either way."""
    with one_line_errors():
        from training.ledger_chain import bundle_kind
        from training.promotion import promote as replace
        from training.promotion import read_report

        before, after = (read_report(path, order) for path in (in_service_report, candidate_report))
        decision = replace(candidate, in_service, bundle_kind(candidate), before, after, order, why)
    for reason in decision.reasons:
        print(reason)
    print("promoted" if decision.promote else "refused: the bundle in service stays")
    if not decision.promote:
        raise typer.Exit(1)
