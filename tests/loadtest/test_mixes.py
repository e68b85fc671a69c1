"""The query mixes: skewed and repeated where shoppers are, all different where caches must not help."""

from collections import Counter

from loadtest.mixes import fresh_queries, popular_queries, zipf_draws
from vitrine.text import detect_language, normalize_text


def test_popular_queries_are_different_and_in_both_languages() -> None:
    queries = popular_queries(300, seed=1)
    assert len(set(queries)) == 300
    assert queries == popular_queries(300, seed=1)
    languages = Counter(map(detect_language, queries))
    assert min(languages["zh"], languages["en"]) > 100


def test_draws_follow_zipf() -> None:
    queries = popular_queries(200, seed=1)
    counts = Counter(zipf_draws(queries, 50_000, seed=3))
    first, fourth = counts[queries[0]], counts[queries[3]]
    assert 0.9 < (first / fourth) / 4**1.1 < 1.1
    assert set(counts) <= set(queries)


def test_fresh_queries_never_repeat_within_or_between_runs() -> None:
    one, other = fresh_queries(3_000, seed=1), fresh_queries(3_000, seed=2)
    assert len({normalize_text(query) for query in one + other}) == 6_000
