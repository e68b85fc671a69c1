"""kill -9 at any moment: what was acknowledged is there, what was deleted is gone, nothing is wrong or double."""

import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.services.retriever.writing_process import DIGEST, product_of, vector_of

ROUNDS = 4
ROOT = Path(__file__).parents[3]


def _killed_while_writing(folder: Path, first_version: int, lines: int) -> list[list[str]]:
    """What a writing process said until it was killed after `lines` lines."""
    command = [sys.executable, "-m", "tests.services.retriever.writing_process", str(folder), str(first_version)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.readlines()
    assert process.returncode == -9, "the process ended by itself"
    # Logs go to the same place; a last line that was cut short says nothing.
    return [line.split() for line in said if line.startswith(("begin ", "done ")) and line.endswith("\n")]


def _allowed(said: list[list[str]]) -> dict[str, set[int | None]]:
    """The versions that each id may have (None: gone): the last one acknowledged, or one begun after it."""
    states: defaultdict[str, set[int | None]] = defaultdict(lambda: {None})
    for stage, kind, product_id, version in said:
        state = int(version) if kind == "U" else None
        states[product_id] = {state} if stage == "done" else states[product_id] | {state}
    return states


async def test_killed_while_writing(tmp_path: Path, open_engine: Any, shop: Any) -> None:
    """faiss#861: kill -9 during writes and saves, then restart (case 109)."""
    choice = random.Random(5)
    said: list[list[str]] = []
    for round_number in range(ROUNDS):
        said += _killed_while_writing(tmp_path / "data", 1_000 * round_number, choice.randrange(50, 500))
    assert sum(stage == "done" for stage, *_ in said) > 50
    engine = await open_engine(exact_rows=20)
    alerts = (await engine.get_index(deadline=shop.deadline())).alerts
    assert [alert for alert in alerts if "graph" in alert] == []
    allowed = _allowed(said)
    found = await engine.get_products(list(allowed), deadline=shop.deadline())
    versions = dict.fromkeys(allowed) | {product.id: int(product.title.split(" v")[1]) for product in found.products}
    for product_id, version in versions.items():
        assert version in allowed[product_id], product_id
    living = {product_id: version for product_id, version in versions.items() if version is not None}
    assert (await engine.get_index(deadline=shop.deadline())).products == len(living)
    for product_id, version in living.items():
        by_vector = await shop.search(engine, vector=vector_of(product_id, version), model_digest=DIGEST)
        assert {c.product_id for c in by_vector.candidates} == set(living)
        assert by_vector.candidates[0].product_id == product_id
        assert by_vector.candidates[0].score == pytest.approx(1.0, abs=1e-3)
        assert by_vector.candidates[0].product.title == product_of(product_id, version).title
        assert await shop.found(engine, text=f"v{version}") == sorted(
            other for other, its in living.items() if its == version
        )
