"""`vitrine train …`: makes the models, offline. Torch is imported when a command runs, not before."""

import typer

from cli.train.compress import compress
from cli.train.embedder import embedder
from cli.train.few_shot import few_shot
from cli.train.ledger import ledger
from cli.train.pretrain import pretrain
from cli.train.promote import promote
from cli.train.ranker import ranker
from cli.train.recommender import recommender
from cli.train.rewrite import rewrite
from cli.train.shipped import shipped_embedder, shipped_ranker
from cli.train.tune import tune

app = typer.Typer(name="train", help="Make models: each step resumable, seeded, logged.", no_args_is_help=True)
for command in (
    compress,
    embedder,
    few_shot,
    ledger,
    pretrain,
    promote,
    ranker,
    recommender,
    rewrite,
    shipped_embedder,
    shipped_ranker,
    tune,
):
    app.command(command.__name__.replace("_", "-"))(command)
