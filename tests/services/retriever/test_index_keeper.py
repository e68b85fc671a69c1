"""The keeper of an index: what there is of it before it works."""

from pathlib import Path
from typing import Any

from services.retriever.index_keeper import IndexKeeper


def test_one_that_never_began_ends(tmp_path: Path) -> None:
    """A generation whose folder went while it was made was given up, and the retriever could not be closed."""
    unused: Any = None
    IndexKeeper(tmp_path, catalogue=unused, plan=unused, saved=unused, threads=1, hand_over=unused).close()
