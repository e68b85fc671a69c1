"""Weights of fields, chosen on some queries and measured on others."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from evaluation.engines import open_engines
from evaluation.field_weights import TRIED, chosen_weights, compare_field_weights
from evaluation.icecat import read_icecat
from evaluation.relevance import METRICS, Relevance


def test_weights_are_chosen_without_the_queries_that_they_are_measured_on() -> None:
    part_of = {f"q{part}": part for part in range(5)}

    def figures(*values: float) -> Relevance:
        return Relevance({metric: dict(zip(part_of, values, strict=True)) for metric in METRICS}, {})

    # The best for all together, and so for each other part, is the best by the first query alone.
    by_one, by_the_rest = TRIED[:2]
    tried = {by_one: figures(1.0, 0.0, 0.0, 0.0, 0.0), by_the_rest: figures(0.0, 0.1, 0.1, 0.1, 0.1)}
    assert chosen_weights(tried, part_of) == [by_the_rest, *[by_one] * 4]


async def test_each_query_is_measured_by_weights_of_a_part(data_dir: Path) -> None:
    shop = read_icecat(data_dir)
    async with open_engines(Path("models/embedder"), Path("models/ranker")) as engines:
        result = await compare_field_weights(engines, shop, lambda *_: None)
    assert tuple(result.tried) == TRIED
    assert (result.queries, len(result.chosen)) == (3, 3)
    for metric, values in result.held_out.by_query.items():
        for query, value in values.items():
            assert value in {result.tried[weights].by_query[metric][query] for weights in result.chosen}
        gain = result.held_out.means[metric].value - result.rrf.means[metric].value
        assert result.gains[metric].gain.value == pytest.approx(gain)


async def test_what_a_query_excludes_is_found_by_neither_words_nor_vector(data_dir: Path) -> None:
    shop = read_icecat(data_dir)
    # A perfect answer but for the wired ones, which are the best by their grade, and which nobody finds.
    asked = {"headphones -wired": {"1": 1, "2": 3, "6": 0}}
    async with open_engines(Path("models/embedder"), Path("models/ranker")) as engines:
        result = await compare_field_weights(engines, replace(shop, grades={**shop.grades, **asked}), lambda *_: None)
    for figures in (*result.tried.values(), result.rrf):
        for metric in ("judged", "condensed", "full"):
            assert figures.by_query[metric]["headphones -wired"] == pytest.approx(1 / (3 + 1 / math.log2(3)))
        assert figures.by_query["recall_200"]["headphones -wired"] == 0


def test_the_command_prints_all_weights_and_the_gain(data_dir: Path) -> None:
    run = CliRunner().invoke(app, ["evaluate", "fields", "--dataset", "icecat", "--data-dir", str(data_dir)])
    assert run.exit_code == 0, run.output
    assert all(name in run.stdout for name in ("0.8/0.2", "held out", "− rrf", "p=", "chosen for each part"))


def test_pairs_are_refused_in_one_line(data_dir: Path) -> None:
    run = CliRunner().invoke(app, ["evaluate", "fields", "--dataset", "zh", "--data-dir", str(data_dir)])
    assert run.exit_code == 1
    assert "holds pairs and no shop" in run.stderr
