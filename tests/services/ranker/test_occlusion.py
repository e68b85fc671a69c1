"""Words, and what the shipped ranker says of them."""

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from services.ranker.engine import RankerEngine
from services.ranker.occlusion import words_of
from services.ranker.settings import RankerSettings
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.ports import Explanation, RankCandidate, TokenAttribution
from vitrine.text import normalize_text


@pytest.fixture(scope="module")
async def shipped(budget: ComputeBudget) -> AsyncIterator[RankerEngine]:
    engine = await RankerEngine.open(RankerSettings(), budget)
    yield engine
    await engine.close()


async def explained(engine: RankerEngine, query: str, text: str) -> Explanation:
    asked = [RankCandidate("a", text)]
    (one,) = (await engine.explain(query, asked, deadline=Deadline.after(60))).explanations
    return one


def written(text: str) -> list[str]:
    return [text[word.start : word.end] for word in words_of(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Sony WH-1000XM4, black!", ["Sony", "WH-1000XM4", "black"]),
        ("色织六层纱布夏凉被 1.5米", ["色织", "六层", "纱布", "夏凉", "被", "1.5", "米"]),
        ("苹果iPhone手机", ["苹果", "iPhone", "手机"]),
        ("  ｉＰｈｏｎｅ\u3000１５ ", ["ｉＰｈｏｎｅ", "１５"]),
        ("cafe\u0301 don't", ["cafe\u0301", "don't"]),
        ("!!! ...", []),
        ("", []),
    ],
)
def test_words_are_spans_of_the_text_as_it_is(text: str, words: list[str]) -> None:
    assert written(text) == words
    spans = words_of(text)
    assert all(before.end <= after.start for before, after in pairwise(spans))


@pytest.mark.parametrize(
    ("query", "text", "planted"),
    [
        ("red running shoes", "Norvik lightweight running shoes for women, blue", {"running", "shoes"}),
        ("蚕丝被", "双宫茧 蚕丝被 空调被 夏天", {"蚕丝", "被", "蚕丝被"}),
    ],
)
async def test_the_word_that_matches_matters_most(
    shipped: RankerEngine, query: str, text: str, planted: set[str]
) -> None:
    one = await explained(shipped, query, text)
    assert max(one.text_tokens, key=lambda token: token.attribution).text in planted
    unlike = await explained(shipped, query, "Lumora coffee machine 咖啡机")
    assert unlike.logit < one.logit


async def test_taking_a_word_out_is_what_ranking_without_it_says(shipped: RankerEngine) -> None:
    query, text = "智能手表 GPS", "Norvik Ｓｍａｒｔ watch 智能手表, with GPS"
    one = await explained(shipped, query, text)

    async def logit(query: str, text: str) -> float:
        ranking = await shipped.rank(query, [RankCandidate("a", text)], deadline=Deadline.after(60))
        return ranking.ranked[0].logit

    def without(text: str, word: TokenAttribution) -> str:
        assert text[word.start : word.end] == word.text
        return text[: word.start] + text[word.end :]

    assert one.logit == pytest.approx(await logit(query, text), abs=1e-4)
    for word in one.text_tokens:
        expected = one.logit - await logit(query, without(text, word))
        assert word.attribution == pytest.approx(expected, abs=1e-4)
    for word in one.query_tokens:
        expected = one.logit - await logit(without(query, word), text)
        assert word.attribution == pytest.approx(expected, abs=1e-4)


async def test_how_a_text_is_written_changes_spans_and_nothing_else(shipped: RankerEngine) -> None:
    text = "ＮＯＲＶＩＫ  Running\u200b  shoes"
    one, other = await explained(shipped, "shoes", text), await explained(shipped, "shoes", normalize_text(text))
    assert [word.attribution for word in one.text_tokens] == pytest.approx(
        [word.attribution for word in other.text_tokens], abs=1e-4
    )
    assert [normalize_text(word.text) for word in one.text_tokens] == [word.text for word in other.text_tokens]
