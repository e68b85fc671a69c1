"""Answers that are kept: they are the pipeline's, and never outlive what they depend on."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.clients.index_version import IndexVersion
from gateway.experiments.attribution import read_token
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from tests.gateway.conftest import OpenShop, Part, Shop, Suite, sample_products
from vitrine.deadline import Deadline
from vitrine.errors import Unavailable
from vitrine.offer import Offer
from vitrine.ports import Embeddings
from vitrine.v1 import catalog_service_pb2, common_pb2, search_service_pb2

LIMIT_S = 60.0
QUERY = "blue smart watch"


async def ask(shop: Shop, query: str = QUERY, **fields: Any) -> search_service_pb2.SearchResponse:
    """Searches as the public services do."""
    request = search_service_pb2.SearchRequest(query=query, **fields)
    return await shop.gateway.api.search(request, Deadline.after(LIMIT_S))


def shown(answer: search_service_pb2.SearchResponse) -> list[str]:
    return [result.product.id for result in answer.results]


async def test_the_same_search_is_answered_again_without_any_stage(shop: Shop) -> None:
    first = await ask(shop)
    asked = [shop.retriever.count("retrieve"), shop.embedder.count("embed"), shop.ranker.count("rank")]
    again = await ask(shop, "  Blue SMART watch ")
    assert list(again.cached) == ["answer"]
    assert [shop.retriever.count("retrieve"), shop.embedder.count("embed"), shop.ranker.count("rank")] == asked
    assert again.results == first.results
    assert (again.rank_depth, again.total_size, again.reading) == (first.rank_depth, first.total_size, first.reading)
    assert [one.stage for one in again.timings] == ["total"]
    assert "answer" not in (await ask(shop, page_size=3)).cached


async def test_a_search_of_which_nothing_is_kept_asks_for_no_version(shop: Shop) -> None:
    query = "a watch that nobody asked for before"
    before = shop.retriever.count("get_version")
    await ask(shop, query)
    assert shop.retriever.count("get_version") == before
    assert "answer" in (await ask(shop, query)).cached
    assert shop.retriever.count("get_version") == before + 1


async def test_an_answer_given_again_has_tokens_of_its_own(shop: Shop) -> None:
    first, again = await ask(shop), await ask(shop)
    assert first.attribution_token != again.attribution_token
    assert read_token(again.attribution_token) is not None
    pages = [await ask(shop, page_token=answer.next_page_token) for answer in (first, again)]
    assert shown(pages[0]) == shown(pages[1])
    assert not set(shown(pages[0])) & set(shown(first))
    assert [page.attribution_token for page in pages] == [first.attribution_token, again.attribution_token]


async def test_what_takes_no_time_does_not_make_searches_look_quick(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Admission would let in too many that are late, and tell those it refuses to come back too soon."""
    first = await ask(shop)
    admission = shop.gateway.api.searches.pipeline.admission

    def entered(*_: Any) -> None:
        raise AssertionError("counted among the searches")

    with monkeypatch.context() as patched:
        patched.setattr(admission, "admit", entered)
        again = await ask(shop)
    assert (list(again.cached), again.results) == (["answer"], first.results)


async def deleted(shop: Shop, product_id: str) -> None:
    await shop.retriever.delete_products([product_id], deadline=Deadline.after(LIMIT_S))


async def offered(shop: Shop, product_id: str) -> None:
    await shop.retriever.update_offers([Offer(product_id, price=9_999.0)], deadline=Deadline.after(LIMIT_S))


@pytest.mark.parametrize("write", [deleted, offered])
async def test_a_write_ends_what_was_kept(own_shop: Shop, write: Callable[[Shop, str], Awaitable[None]]) -> None:
    before = await ask(own_shop)
    await write(own_shop, shown(before)[0])
    after = await ask(own_shop)
    assert after.cached != ["answer"]
    assert after.results[0] != before.results[0]
    assert (await ask(own_shop)).results == after.results


async def test_rules_hold_from_their_change_on(
    open_shop: OpenShop, shop_vectors: Embeddings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("")
    retriever = await RetrieverEngine.open(RetrieverSettings(data_dir=tmp_path / "catalogue", rules=rules))
    await retriever.upsert_products(
        sample_products(), shop_vectors.vectors, model_digest=shop_vectors.model_digest, deadline=Deadline.after(60)
    )
    shop = await open_shop()
    for part in (shop.gateway.ports.retriever, shop.retriever):
        assert isinstance(part, Part)
        part.port = retriever
    first = await ask(shop)
    last = shown(first)[-1]
    rules.write_text(f'[[rules]]\nqueries = ["{QUERY}"]\npins = ["{last}"]\n')
    # The answer that found the file changed is of the rules before or after, and the next one is of those after.
    await ask(shop)
    assert shown(await ask(shop))[0] == last
    rules.write_text(f'[[rules]]\nqueries = ["{QUERY}"]\nblocks = ["{last}"]\nends = 2000-01-01\n')
    await ask(shop)
    assert shown(await ask(shop)) == shown(first)
    await retriever.close()


@pytest.mark.parametrize(
    "fields", [{"visitor_id": "v"}, {"explain": True}, {"highlight": True}, {"order_by": "price"}], ids=str
)
async def test_what_is_one_callers_alone_is_not_kept(shop: Shop, fields: dict[str, Any]) -> None:
    await ask(shop, page_size=2, **fields)
    assert "answer" not in (await ask(shop, page_size=2, **fields)).cached


async def test_an_answer_that_lacks_a_part_is_not_kept(shop: Shop) -> None:
    shop.ranker.error = Unavailable("gone")
    assert list((await ask(shop)).degradations) == [common_pb2.DEGRADATION_NOT_RANKED]
    shop.ranker.error = None
    assert (await ask(shop)).rank_depth >= 12
    assert (await ask(shop)).cached == ["answer"]
    # Another model in the ranker's place.
    shop.gateway.api.searches.models = ("", "another")
    assert (await ask(shop)).cached != ["answer"]


async def test_each_of_many_retrievers_has_its_answer_kept_and_its_earlier_ones_go(own_shop: Shop) -> None:
    retrieve, sizes = own_shop.retriever.port.retrieve, []

    class Behind:
        """One of several replicas, as a round over them comes to it."""

        version = ""

        async def retrieve(self, *args: Any, **named: Any) -> Any:
            return replace(await retrieve(*args, **named), version=self.version)

        async def get_version(self, **_: Any) -> str:
            return self.version

    own_shop.retriever.port = behind = Behind()
    for publication in (1, 2):
        for is_kept in (False, True):
            for number in range(12):
                behind.version = f"replica{number}.{publication}.rules"
                assert ((await ask(own_shop)).cached == ["answer"]) == is_kept
        sizes.append(own_shop.gateway.api.searches._kept_bytes)
    assert sizes[0] == sizes[1]
    behind.version = ""
    assert (await ask(own_shop)).cached != ["answer"]


async def test_no_version_no_kept_answer_and_the_least_used_go_first(open_shop: OpenShop) -> None:
    shop = await open_shop(kept_answers_mb=0)
    await ask(shop)
    assert (await ask(shop)).cached == ["query_embedding"]
    small = await open_shop()
    small.gateway.api.searches._limit_bytes = 29 * (await ask(small)).ByteSize() // 10
    for query in ("red phone case", QUERY, "coffee machine"):
        await ask(small, query)
    assert (await ask(small)).cached == ["answer"]
    assert (await ask(small, "red phone case")).cached == ["query_embedding"]


async def test_over_grpc_a_deleted_product_is_gone_at_once(suite: Suite) -> None:
    request = search_service_pb2.SearchRequest(query=QUERY)
    before = await suite.search.Search(request, timeout=LIMIT_S)
    assert (await suite.search.Search(request, timeout=LIMIT_S)).cached == ["answer"]
    gone = before.results[0].product.id
    await suite.catalog.DeleteProducts(
        catalog_service_pb2.CatalogServiceDeleteProductsRequest(ids=[gone]), timeout=LIMIT_S
    )
    for answer in await asyncio.gather(*(suite.search.Search(request, timeout=LIMIT_S) for _ in range(8))):
        assert gone not in shown(answer)


async def test_a_question_under_way_answers_nobody_who_comes_later() -> None:
    begun, answers = asyncio.Semaphore(0), iter("abc")
    free = [asyncio.Event(), asyncio.Event()]
    asked: list[str] = []

    async def ask_retriever(_deadline: Deadline) -> str:
        number = len(asked)
        asked.append(answer := next(answers))
        begun.release()
        await free[number].wait()
        return answer

    version = IndexVersion(ask_retriever)
    first = asyncio.create_task(version.current(deadline=Deadline.after(LIMIT_S)))
    await begun.acquire()
    late = [asyncio.create_task(version.current(deadline=Deadline.after(LIMIT_S))) for _ in range(3)]
    free[0].set()
    await begun.acquire()
    free[1].set()
    assert [await first, *(await asyncio.gather(*late))] == ["a", "b", "b", "b"]
    assert asked == ["a", "b"]
