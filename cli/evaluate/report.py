"""`vitrine evaluate report`: a page of results, comparisons with earlier ones, and what bundles cost."""

from pathlib import Path
from typing import Annotated

import typer

from cli.evaluate.stages import stage_bars


def report(
    results: Annotated[list[Path], typer.Argument(help="Files of `vitrine evaluate relevance --json`.")],
    out: Annotated[Path, typer.Option(help="Folder for index.html and the charts as PNG; made when it is not there.")],
    baseline: Annotated[
        list[Path] | None, typer.Option(help="Earlier results of the same data, to compare each result with.")
    ] = None,
    bundle: Annotated[
        list[Path] | None, typer.Option(help="Bundle, or folder of bundles, to measure the latency of, here and now.")
    ] = None,
    worst: Annotated[int, typer.Option(min=0, max=100, help="Worst queries shown with their lists.")] = 10,
) -> None:
    """Write a page that works offline: figures with intervals, slices, calibration, worst queries, comparisons."""
    from evaluation.bundle_cost import find_bundles, measure_bundles
    from evaluation.comparison import check_comparable
    from evaluation.json_file import check_writable
    from evaluation.page import PAGE, write_page
    from evaluation.result import read_result

    check_writable(out / PAGE)
    read = [read_result(path) for path in results]
    before = [read_result(path) for path in baseline or []]
    check_comparable(before, read)
    bundles = find_bundles(bundle or [])
    with stage_bars() as advance:
        costs = measure_bundles(bundles, read, advance)
    print(write_page(out, read, before, costs, worst=worst))
