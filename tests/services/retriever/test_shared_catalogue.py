"""Several retrievers on one catalogue in PostgreSQL: any may write, each follows, all answer alike."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.retriever.catalogue import Catalogue
from services.retriever.engine import RetrieverEngine
from vitrine.errors import FailedPrecondition, InvalidArgument, Unavailable
from vitrine.offer import Offer
from vitrine.ports import IndexInfo

OpenReplica = Callable[..., Awaitable[RetrieverEngine]]


@pytest.fixture
def open_replica(open_engine: Any, tmp_path: Path, postgres_url: str) -> OpenReplica:
    """Opens retrievers on one database, each with a folder of its own."""
    count = 0

    async def open_one(**settings: object) -> RetrieverEngine:
        nonlocal count
        count += 1
        shared = {"catalogue_url": postgres_url, "data_dir": tmp_path / f"replica{count}", "catalogue_poll_s": 0.02}
        engine: RetrieverEngine = await open_engine(**shared | settings)
        return engine

    return open_one


async def _until(engine: RetrieverEngine, shop: Any, shows: Callable[[IndexInfo], bool]) -> IndexInfo:
    """What the retriever says of its index once that is as awaited."""
    async with asyncio.timeout(60):
        while True:
            info = await engine.get_index(deadline=shop.deadline())
            if shows(info):
                return info
            await asyncio.sleep(0.005)


async def _shown(engine: RetrieverEngine, revision: int, shop: Any) -> None:
    """Waits until the retriever shows a revision."""
    await _until(engine, shop, lambda info: info.revision >= revision)


async def _seen(engine: RetrieverEngine, shop: Any) -> list[Any]:
    """All that a retriever can find, with what it says of each; in its order where that is of vectors.

    Scores of words count versions that died and are not cleared away yet, which is each retriever's own affair.
    """
    by_vector = (await shop.search(engine, depth=200, vector=shop.vectors(1)[0])).candidates
    found: list[Any] = [(c.product_id, pytest.approx(c.score, abs=1e-5), c.product) for c in by_vector]
    for words in ("smart watch", "智能手表"):
        by_words = (await shop.search(engine, depth=200, text=words)).candidates
        found.append(sorted((c.product_id, c.product.revision) for c in by_words))
    return found


async def test_what_one_writes_the_others_show(open_replica: OpenReplica, shop: Any) -> None:
    one, other = await open_replica(), await open_replica()
    vectors = shop.vectors(30)
    written = await shop.fill(one, [shop.product(n) for n in range(20)], vectors[:20])
    await _shown(other, written.revision, shop)
    assert await _seen(other, shop) == await _seen(one, shop)
    written = await shop.fill(other, [shop.product(n, price=7.0) for n in range(10, 30)], vectors[10:])
    deleted = await one.delete_products(["p00000", "p00029", "p00099"], deadline=shop.deadline())
    # The write of the other is there though nobody waited for it: whoever writes follows first.
    assert [outcome.error is None for outcome in deleted.outcomes] == [True, True, False]
    offered = await other.update_offers([Offer("p00001", price=3.0)], deadline=shop.deadline())
    assert written.revision < deleted.revision < offered.revision
    await _shown(one, offered.revision, shop)
    assert await _seen(one, shop) == await _seen(other, shop)
    third = await open_replica()
    assert await _seen(third, shop) == await _seen(one, shop)
    assert (await third.get_index(deadline=shop.deadline())).products == 28


async def test_writes_at_once_are_all_there(open_replica: OpenReplica, shop: Any) -> None:
    """Three retrievers write the same and other products at once; nothing is lost, double, or half there."""
    engines = [await open_replica() for _ in range(3)]
    vectors = shop.vectors(60)

    async def write(writer: int) -> int:
        revision = 0
        for turn in range(6):
            numbers = [*range(10), *range(10 + 10 * writer, 20 + 10 * writer)]
            products = [shop.product(n, title=f"smart watch of {writer} turn {turn}") for n in numbers]
            revision = (await shop.fill(engines[writer], products, vectors[numbers])).revision
        return revision

    newest = max(await asyncio.gather(*map(write, range(3))))
    seen = []
    for engine in engines:
        await _shown(engine, newest, shop)
        assert (await engine.get_index(deadline=shop.deadline())).products == 40
        found = await engine.get_products([f"p{n:05}" for n in range(10)], deadline=shop.deadline())
        # They were written together, so all ten are of the write that came last.
        assert len({product.title for product in found.products}) == 1
        await engine.self_test()
        seen.append(await _seen(engine, shop))
    assert seen[0] == seen[1] == seen[2]


async def test_a_retriever_that_stood_still_makes_its_views_anew(
    open_replica: OpenReplica, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What died meanwhile is purged, as its reader was taken for gone."""
    one, other = await open_replica(), await open_replica()
    vectors = shop.vectors(4)
    first = await shop.fill(one, [shop.product(n) for n in range(4)], vectors)
    await _shown(other, first.revision, shop)
    with monkeypatch.context() as still:
        still.setattr(type(other._writer), "_follow_others", _only_for(one._writer))
        with one._catalogue.begin() as connection:
            connection.exec_driver_sql("UPDATE reader SET seen_s = seen_s - 3600")
        await one.delete_products(["p00001"], deadline=shop.deadline())
        latest = await shop.fill(one, [shop.product(0, title="smart watch renewed")], vectors[:1])
        with other._catalogue.changes_since(first.revision) as changes:
            assert changes is None
    await _shown(other, latest.revision, shop)
    assert await _seen(other, shop) == await _seen(one, shop)
    assert len(await shop.found(other, text="smart watch renewed 智能手表")) == 3


def _only_for(writer: Any) -> Callable[[Any], None]:
    follow = type(writer)._follow_others
    return lambda its: follow(its) if its is writer else None


async def test_what_a_reader_still_needs_stays(open_replica: OpenReplica, shop: Any) -> None:
    one, other = await open_replica(), await open_replica()
    first = await shop.fill(one, [shop.product(n) for n in range(4)], shop.vectors(4))
    await _shown(other, first.revision, shop)
    held = other._snapshot
    deleted = await one.delete_products(["p00001"], deadline=shop.deadline())
    await _shown(other, deleted.revision, shop)
    await shop.fill(one, [shop.product(2)], shop.vectors(1))
    assert other._rows_of(["p00001"], held)
    with one._catalogue.changes_since(first.revision) as changes:
        assert changes is not None
        assert [product_id for _, product_id in changes.dead] == ["p00001", "p00002"]


async def test_searches_outlive_a_database_that_is_away(
    open_replica: OpenReplica, shop: Any, postgres_server: Any
) -> None:
    engine = await open_replica()
    vectors = shop.vectors(3)
    await shop.fill(engine, [shop.product(n) for n in range(3)], vectors)
    assert len(await shop.found(engine, text="智能手表 smart watch")) == 3
    name = psycopg.conninfo.conninfo_to_dict(engine._settings.catalogue_url)["dbname"]
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        connection.execute(cut, [name])
        [alert] = (await _until(engine, shop, lambda info: bool(info.alerts))).alerts
        assert "the catalogue cannot be read" in alert
        assert "is served meanwhile" in alert
        # Else nobody would be asked any more, whatever each has in memory.
        await engine.self_test()
        assert len(await shop.found(engine, text="智能手表 smart watch")) == 3
        with pytest.raises(Unavailable, match="the catalogue cannot be written"):
            await shop.fill(engine, [shop.product(4)], vectors[:1])
        connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
    [alert] = (await _until(engine, shop, lambda info: "cannot be read" not in "".join(info.alerts))).alerts
    assert "the last write failed" in alert
    await shop.fill(engine, [shop.product(4)], vectors[:1])
    assert (await engine.get_index(deadline=shop.deadline())).alerts == ()
    assert len(await shop.found(engine, text="智能手表 smart watch")) == 4


async def test_another_model_is_refused_by_every_retriever(open_replica: OpenReplica, shop: Any) -> None:
    one, other = await open_replica(), await open_replica()
    await shop.fill(one, [shop.product(1)], shop.vectors(1))
    with pytest.raises(FailedPrecondition, match=shop.OTHER_DIGEST):
        await shop.fill(other, [shop.product(2)], shop.vectors(1), shop.OTHER_DIGEST)
    await one.delete_products(["p00001"], deadline=shop.deadline())
    written = await shop.fill(other, [shop.product(2)], shop.vectors(1, dim=8), shop.OTHER_DIGEST)
    await _shown(one, written.revision, shop)
    assert (await one.get_index(deadline=shop.deadline())).model_digest == shop.OTHER_DIGEST
    assert await shop.found(one, vector=shop.vectors(1, dim=8)[0], model_digest=shop.OTHER_DIGEST) == ["p00002"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://root:secret@db/shop", "not an address such as postgresql://"),
        ("not a url with a secret", "not an address such as postgresql://"),
        ("postgresql//root:secret@db/shop", "not an address such as postgresql://"),
        ("postgresql://nobody:secret@127.0.0.1:1/shop", "check VITRINE_CATALOGUE_URL"),
        ("postgresql://127.0.0.1:1/shop?user=nobody&password=secret", "check VITRINE_CATALOGUE_URL"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(FailedPrecondition, match=said) as refusal:
        Catalogue(tmp_path, url)
    assert "secret" not in refusal.value.message
    Catalogue(tmp_path).close()


async def test_ids_are_listed_by_code_point(open_replica: OpenReplica, shop: Any) -> None:
    engine = await open_replica()
    ids = ["a-1", "A-1", "a1", "表", "é", "Z", "_", "10", "9", "🚲"]
    await shop.fill(engine, [shop.product(1, id=product_id) for product_id in ids], shop.vectors(len(ids)))
    page = await engine.list_product_digests("", 100, deadline=shop.deadline())
    assert [product_id for product_id, _ in page.digests] == sorted(ids)
    with pytest.raises(InvalidArgument, match="page_token"):
        await engine.list_product_digests("%%", 10, deadline=shop.deadline())
