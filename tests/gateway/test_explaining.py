"""Explanations of a search's results, over the real engines."""

from typing import Any

import pytest

from gateway.explaining import Explaining
from gateway.notes import Notes
from gateway.search import Degradation
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Unavailable
from vitrine.product_text import ranking_text
from vitrine.v1 import common_pb2, search_service_pb2

QUERY = "Ｒｅｄ  running shoes"


async def test_the_first_ten_say_which_words_made_them(shop: Any) -> None:
    answer = await shop.search(QUERY, page_size=12, explain=True)
    assert [hit.explanation is not None for hit in answer.hits] == [True] * 10 + [False] * 2
    assert answer.degradations == ()
    assert 0 < answer.timings_ms["explain"] < answer.timings_ms["total"]
    for index, hit in enumerate(answer.hits[:10]):
        explanation = hit.explanation
        assert (explanation.index, explanation.id) == (index, hit.product.id)
        assert explanation.text == ranking_text(hit.product)
        assert explanation.logit == pytest.approx(hit.rank.logit, abs=0.05)
        assert [QUERY[word.start : word.end] for word in explanation.query_tokens] == ["Ｒｅｄ", "running", "shoes"]
        for word in explanation.text_tokens:
            assert explanation.text[word.start : word.end] == word.text
    best = max(answer.hits[0].explanation.text_tokens, key=lambda word: word.attribution)
    assert best.text in ("red", "running", "shoes")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("runing shoos", ["running", "shoes"]),
        ("running shoes -red", ["running", "shoes"]),
        ("paobuxie", ["跑步", "鞋"]),
    ],
)
async def test_what_was_read_otherwise_is_explained_as_the_ranker_saw_it(
    shop: Any, typed: str, words: list[str]
) -> None:
    first = await shop.search(typed, page_size=1, explain=True)
    second = await shop.search(typed, page_size=1, page_token=first.next_page_token, explain=True)
    assert first.reading.model_text
    for hit in (*first.hits, *second.hits):
        assert [word.text for word in hit.explanation.query_tokens] == words
        assert hit.explanation.logit == pytest.approx(hit.rank.logit, abs=0.05)
        for word in hit.explanation.query_tokens:
            assert first.reading.model_text[word.start : word.end] == word.text


async def test_chinese_words_and_later_pages(shop: Any) -> None:
    first = await shop.search("红色跑步鞋", page_size=1)
    answer = await shop.search("红色跑步鞋", page_size=1, page_token=first.next_page_token, explain=True)
    words = [word.text for word in answer.hits[0].explanation.query_tokens]
    assert "".join(words) == "红色跑步鞋"
    assert len(words) > 1
    assert first.hits[0].explanation is None


@pytest.mark.parametrize("fault", [Unavailable("away"), DeadlineExceeded("late"), KeyError("bug")])
async def test_without_ranker_results_come_without_explanation(shop: Any, fault: Exception) -> None:
    shop.ranker.error = fault
    answer = await shop.search(QUERY, explain=True)
    assert len(answer.hits) == 10
    assert not any(hit.explanation for hit in answer.hits)
    assert answer.degradations == (Degradation.NOT_RANKED, Degradation.NOT_EXPLAINED)


async def test_a_ranker_that_hangs_costs_explanations_and_not_the_answer(shop: Any) -> None:
    answer = await shop.search(QUERY, page_size=2)
    shop.ranker.hanging = True
    explaining, deadline = Explaining(shop.ranker, shop.retriever, reserve_s=0.01), Deadline.after(0.05)
    explained = await explaining.explained(QUERY, answer, Notes(), deadline)
    assert explained.hits == answer.hits
    assert explained.degradations == (Degradation.NOT_EXPLAINED,)
    assert shop.ranker.count("explain") == 1


async def test_what_was_not_ranked_is_not_explained(shop: Any) -> None:
    answer = await shop.search(QUERY, rank_depth=2, explain=True)
    assert [hit.explanation is not None for hit in answer.hits] == [True] * 2 + [False] * 8
    assert answer.degradations == (Degradation.NOT_EXPLAINED,)


async def test_over_the_wire(suite: Any) -> None:
    request = search_service_pb2.SearchRequest(query=QUERY, page_size=1, explain=True)
    answer = await suite.search.Search(request, timeout=60)
    assert common_pb2.DEGRADATION_NOT_EXPLAINED not in answer.degradations
    for index, result in enumerate(answer.results):
        assert (result.explanation.index, result.explanation.id) == (index, result.product.id)
        assert [word.text for word in result.explanation.query_tokens] == ["Ｒｅｄ", "running", "shoes"]
        assert any(word.attribution for word in result.explanation.text_tokens)
    plain = await suite.search.Search(search_service_pb2.SearchRequest(query=QUERY, page_size=2))
    assert not any(result.HasField("explanation") for result in plain.results)
