"""What the simulated shoppers type: real-looking queries in Chinese and English, popular or never seen before."""

from collections.abc import Iterator

import numpy as np

from cli.sample.draw import Draw
from cli.sample.lexicon import Language
from cli.sample.products import Shop
from cli.sample.queries import query_for

_SHOP = Shop(products=2_000, seed=1)
_LANGUAGES: tuple[Language, Language] = ("zh", "en")
ZIPF_EXPONENT = 1.1


def popular_queries(count: int, seed: int) -> list[str]:
    """`count` different queries that products of the sample shop answer, half of them Chinese."""
    return _different(_queries(Draw(seed, "popular")), count)


def fresh_queries(count: int, seed: int) -> list[str]:
    """`count` different queries that no cache holds: each ends in a model number drawn for this seed."""
    draw = Draw(seed, "fresh")
    return _different((f"{query} {_model_number(draw)}" for query in _queries(draw)), count)


def zipf_draws(queries: list[str], count: int, seed: int) -> list[str]:
    """`count` draws from `queries`: the r-th of them comes with probability proportional to r ** -1.1."""
    weights = np.arange(1, len(queries) + 1, dtype=np.float64) ** -ZIPF_EXPONENT
    places = np.random.default_rng(seed).choice(len(queries), size=count, p=weights / weights.sum())
    return [queries[place] for place in places]


def _different(queries: Iterator[str], count: int) -> list[str]:
    kept: dict[str, None] = {}
    while len(kept) < count:
        kept[next(queries)] = None
    return list(kept)


def _queries(draw: Draw) -> Iterator[str]:
    while True:
        language = _LANGUAGES[draw.below(2)]
        yield query_for(_SHOP.facts(draw.below(_SHOP.products)), language, draw).text


def _model_number(draw: Draw) -> str:
    return f"{draw.one('ABCDEFGHKLMNPRSTVWXYZ')}{draw.below(1_000_000_000):09d}"
