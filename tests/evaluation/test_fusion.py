"""Fusions of the same finds, by the real retriever."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from evaluation.engines import Engines, open_engines
from evaluation.fusion import ADAPTIVE, DENSE, LEXICAL, ONE_WEIGHT, RRF, compare_fusions
from evaluation.icecat import read_icecat


@pytest.fixture(scope="module")
async def engines() -> AsyncIterator[Engines]:
    async with open_engines(Path("models/embedder"), Path("models/ranker")) as opened:
        yield opened


async def test_fusions_of_a_small_shop(engines: Engines, data_dir: Path) -> None:
    shop = read_icecat(data_dir)
    await engines.write(shop.products, lambda *_: None)
    result = await compare_fusions(engines, shop, lambda *_: None)
    assert tuple(result.figures) == (LEXICAL, DENSE, RRF, ONE_WEIGHT, ADAPTIVE)
    assert (result.dataset, result.queries, result.named) == ("icecat", 3, 0)
    for name, gains in result.gains.items():
        for metric, gain in gains.items():
            means = result.figures[name].means[metric].value - result.figures[RRF].means[metric].value
            assert gain.gain.value == pytest.approx(means)
            assert 0 < gain.p_value <= 1


def test_the_command_prints_each_order_and_the_gain(data_dir: Path) -> None:
    run = CliRunner().invoke(app, ["evaluate", "fusion", "--dataset", "icecat", "--data-dir", str(data_dir)])
    assert run.exit_code == 0, run.output
    assert all(name in run.stdout for name in (LEXICAL, RRF, ADAPTIVE, "− rrf", "p="))


def test_pairs_are_refused_in_one_line(data_dir: Path) -> None:
    run = CliRunner().invoke(app, ["evaluate", "fusion", "--dataset", "zh", "--data-dir", str(data_dir)])
    assert run.exit_code == 1
    assert "holds pairs and no shop" in run.stderr
