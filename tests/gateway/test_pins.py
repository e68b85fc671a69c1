"""Pins of a merchant's rules, through the whole search."""

from pathlib import Path
from typing import Any

import pytest

from gateway.pins import apart, with_pins
from gateway.ranking import Ordered
from gateway.search import Degradation
from services.retriever.rules import read_rules
from vitrine.ports import Candidate, SourceScore

RULES = """
[[rules]]
queries = ["wireless headphones"]
pins = ["p239", "p003", "p777"]
blocks = ["p042"]
"""


@pytest.fixture
async def ruled_shop(open_shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A shop whose retriever follows the rules."""
    path = tmp_path / "rules.toml"
    path.write_text(RULES, encoding="utf-8")
    read_rules(path)
    monkeypatch.setenv("VITRINE_RETRIEVER_RULES", str(path))
    return await open_shop(own_catalogue=True)


async def test_pins_stand_first_unranked_and_say_what_they_are(ruled_shop: Any, shop: Any) -> None:
    answer = await ruled_shop.search("wireless headphones", page_size=8)
    plain = await shop.search("wireless headphones", page_size=8)
    assert [hit.product.id for hit in answer.hits[:2]] == ["p239", "p003"]
    assert [hit.position for hit in answer.hits] == list(range(1, 9))
    assert [[source.source for source in hit.sources][-1] for hit in answer.hits[:2]] == ["pin", "pin"]
    assert [hit.rank is None for hit in answer.hits] == [True, True] + [False] * 6
    # The others follow as they would without rules.
    others = [hit.product.id for hit in plain.hits if hit.product.id not in ("p239", "p003", "p042")]
    assert [hit.product.id for hit in answer.hits[2:]][: len(others)] == others[:6]
    assert 8 <= answer.rank_depth <= 32


async def test_a_pinned_product_comes_once_and_a_blocked_one_never(ruled_shop: Any) -> None:
    ids: list[str] = []
    token = ""
    while True:
        page = await ruled_shop.search("wireless headphones", page_size=100, page_token=token)
        ids += [hit.product.id for hit in page.hits]
        token = page.next_page_token
        if not token:
            break
    assert ids[:2] == ["p239", "p003"]
    assert len(set(ids)) == len(ids) == 239
    assert "p042" not in ids


async def test_other_queries_and_sorted_lists_have_no_pins(ruled_shop: Any) -> None:
    other = await ruled_shop.search("running shoes", page_size=3)
    assert all(source.source != "pin" for hit in other.hits for source in hit.sources)
    cheap = await ruled_shop.search("wireless headphones", page_size=3, order_by="price")
    prices = [hit.product.price for hit in cheap.hits]
    assert prices == sorted(prices)


async def test_pins_do_not_end_the_explanations(ruled_shop: Any) -> None:
    answer = await ruled_shop.search("wireless headphones", page_size=4, explain=True)
    assert [hit.explanation is not None for hit in answer.hits] == [False, False, True, True]
    assert Degradation.NOT_EXPLAINED not in answer.degradations


def _candidate(product_id: str, *sources: SourceScore) -> Candidate:
    return Candidate(product_id, 0.5, (SourceScore("dense", 1, 0.5), *sources))


def test_the_very_model_stays_before_what_is_ranked_as_pins_do() -> None:
    pinned, model = _candidate("a", SourceScore("pin", 1, 0.0)), _candidate("b", SourceScore("model_number", 2, 0.0))
    others = [_candidate("c"), _candidate("d")]
    first, rest = apart([pinned, model, *others])
    assert (first, rest) == ([pinned, model], others)
    ordered = with_pins(first, Ordered([others[1], others[0]]))
    assert [one.product_id for one in ordered.candidates] == ["a", "b", "d", "c"]
