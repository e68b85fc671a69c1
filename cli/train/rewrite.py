"""`vitrine train rewrite`: a bundle's weights in the graph that this version writes."""

from pathlib import Path
from typing import Annotated

import typer

from cli.train.options import Out, one_line_errors


def rewrite(
    bundle: Annotated[Path, typer.Option(help="Bundle folder of an embedder or ranker of the BERT family.")],
    version: Annotated[str, typer.Option(help="Version of the bundle that is written.")],
    out: Out,
) -> None:
    """Write a bundle's weights anew, as this version writes them: the same numbers in a faster graph, without training.

    An embedder has another digest then: products are embedded again.
    """
    with one_line_errors():
        from training.rewriting import rewrite_bundle

        written = rewrite_bundle(bundle, out, version)
        print(f"{written.manifest.digest} {out}")
