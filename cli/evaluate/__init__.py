"""`vitrine evaluate …`: how good the suite's answers are, on judged data. Engines are imported when a command runs."""

import typer

from cli.evaluate.depth import depth
from cli.evaluate.fields import fields
from cli.evaluate.fusion import fusion
from cli.evaluate.recommendation import recommendation
from cli.evaluate.relevance import relevance
from cli.evaluate.report import report

app = typer.Typer(name="evaluate", help="Measure the suite on judged data.", no_args_is_help=True)
for command in (relevance, depth, fields, fusion, recommendation, report):
    app.command(command.__name__)(command)
