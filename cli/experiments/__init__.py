"""The `vitrine experiments` commands: what is defined, who is where, and what came of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gateway.experiments.definitions import Definitions

app = typer.Typer(name="experiments", help="Experiments: check, bucket, report.", no_args_is_help=True)

_File = Annotated[
    Path | None, typer.Option("--file", help="TOML file of experiments.", show_default="VITRINE_EXPERIMENTS_FILE")
]


@app.command()
def check(file: Annotated[Path, typer.Argument(help="TOML file of experiments.")]) -> None:
    """Say what a file of experiments defines, or what is wrong with it."""
    from cli.experiments.tables import definitions_table
    from gateway.experiments.definitions import read_definitions

    _print(definitions_table(read_definitions(file)))


@app.command()
def bucket(
    visitor: Annotated[str, typer.Option(help="The shop's id of the visitor.")],
    file: _File = None,
) -> None:
    """Say which arm of each experiment a visitor is in."""
    from gateway.experiments.attribution import INTERLEAVED

    for name, experiment in _definitions(file).experiments.items():
        arm = experiment.arm_of(name, visitor)
        said = "does not take part" if arm is None else INTERLEAVED if experiment.interleave else arm.name
        typer.echo(f"{name}: {said}")


@app.command()
def report(
    events: Annotated[Path, typer.Option(help="Folder of `vitrine events export`, or of JSON lines, CSV or Parquet.")],
    experiment: Annotated[str, typer.Option(help="The experiment's name.")],
    file: _File = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures here.")] = None,
) -> None:
    """Compare arms by what their visitors did; of an interleaved experiment say whose results are clicked more.

    Ends with status 3 where the arms' sizes say that something is wrong with who was counted.
    """
    from cli.experiments.tables import interleaved_table, report_tables
    from cli.experiments.visits import FolderEvents
    from evaluation.experiments.interleaved import interleaved_report_of
    from evaluation.experiments.report import report_of
    from evaluation.experiments.visitors import ExperimentLog
    from evaluation.json_file import check_writable
    from vitrine.errors import FailedPrecondition

    check_writable(json_file)
    found = _definitions(file).experiments
    if experiment not in found:
        raise FailedPrecondition(f"there is no experiment {experiment!r}; there are: {', '.join(found) or 'none'}")
    source, log = FolderEvents(events), ExperimentLog(experiment)
    log.read(source)
    if source.refused:
        typer.echo(f"{source.refused:,} rows could not be read as events, the first: {source.first_fault}", err=True)
    if found[experiment].interleave:
        interleaved = interleaved_report_of(experiment, found[experiment], log)
        if json_file is not None:
            interleaved.write(json_file)
        _print(interleaved_table(interleaved))
        return
    made = report_of(experiment, found[experiment], log)
    if json_file is not None:
        made.write(json_file)
    _print(*report_tables(made))
    if made.is_mismatched:
        typer.echo(
            f"error: SAMPLE RATIO MISMATCH: chance makes arms of these sizes with p = {made.sample_ratio_p:.1g};"
            " find out who is missing before you believe a figure",
            err=True,
        )
        raise typer.Exit(3)


def _definitions(file: Path | None) -> "Definitions":
    from gateway.experiments.definitions import read_definitions
    from gateway.experiments.settings import ExperimentsSettings
    from vitrine.errors import FailedPrecondition

    path = file or ExperimentsSettings().file
    if path is None:
        raise FailedPrecondition("no file of experiments: give --file, or set VITRINE_EXPERIMENTS_FILE")
    return read_definitions(path)


def _print(*tables: object) -> None:
    from rich.console import Console

    for table in tables:
        Console().print(table)
