"""Random histories of writes, searches, flips, snapshots, restarts and kills against plain data that does the same."""

import asyncio
import multiprocessing
import shutil
import tempfile
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from services.retriever import index_keeper, words_rewriting
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from services.retriever.snapshots.creating import create_snapshot
from services.retriever.snapshots.databases import one_moment, replaced_postgres, replaced_sqlite
from services.retriever.snapshots.place import Place
from services.retriever.snapshots.restoring import newest_whole, restore_snapshot
from tests.services.retriever.truth import NEW, OLD, Item, Truth, vectors_of
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, NotFound
from vitrine.offer import Offer
from vitrine.ports import ProductFilter, RetrievalQuery
from vitrine.ports.release import Release
from vitrine.product import checked_product
from vitrine.product_digest import content_digest

COLORS = ("red", "blue", "green")
MAX_ID = 15
numbers = st.integers(0, MAX_ID)
prices = st.sampled_from([None, 1.0, 2.0])


items = st.builds(Item, st.sampled_from(COLORS), st.sampled_from("ab"), numbers, prices)
several = st.dictionaries(numbers, items, min_size=1, max_size=8)
RELEASES = {"new": NEW, "today": OLD, "before": OLD, "since": NEW}
names = st.sampled_from([*RELEASES, ""])


def _soon() -> Deadline:
    return Deadline.after(60)


def _cosine(one: Any, other: Any) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


async def _until(reached: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await reached():  # noqa: ASYNC110 (of a thread, or of another retriever)
            await asyncio.sleep(0.002)


async def _first_fault(first: Coroutine[Any, Any, None], *others: Coroutine[Any, Any, None]) -> BaseException | None:
    """What became of the first one, done at once with the others, which must go well."""
    fault, *rest = await asyncio.gather(first, *others, return_exceptions=True)
    assert rest == [None] * len(others)
    return fault


def _copy_if_there(source: str, target: str) -> str:
    """Copies a file, but for one that what goes on in the background has put away or renamed meanwhile."""
    with suppress(FileNotFoundError):
        shutil.copy2(source, target)
    return target


class Catalogue(RuleBasedStateMachine):
    """`truth` is what must be there, `saved` what was there at the last snapshot."""

    @initialize(writes=several)
    def open(self, writes: dict[int, Item]) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.lives = 0
        self.truth = Truth()
        self.saved: Truth | None = None
        self.engines = self._opened()
        self.upsert(writes, True, 0)

    def _settings(self, name: str) -> RetrieverSettings:
        """Few products are searched exactly, so that histories meet the vector index at every age."""
        made = {"data_dir": self.folder / name, "exact_rows": 5, "port": 0, "product_cache": 4}
        return RetrieverSettings.model_validate(made)

    def _opened(self) -> list[RetrieverEngine]:
        return [self._run(RetrieverEngine.open(self._settings(f"data{self.lives}")))]

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def _close(self) -> None:
        for engine in self.engines:
            self._run(engine.close())

    def _engine(self, number: int) -> RetrieverEngine:
        return self.engines[number % len(self.engines)]

    @rule(writes=several, both=st.sampled_from([True, True, False]), by=numbers)
    def upsert(self, writes: dict[int, Item], both: bool, by: int) -> None:
        self._run(self._write(writes, both, by))

    async def _write(self, writes: dict[int, Item], both: bool, by: int) -> None:
        written = {f"p{number}": item for number, item in writes.items()}
        seeds = [item.seed for item in written.values()]
        # A gateway that does not know of an adoption yet takes the other model for the catalogue's own.
        late = both and by % 2 and self.truth.kept is not None and self.truth.products
        first = self.truth.other if late else self.truth.own
        second = NEW if first == OLD else OLD
        result = await self._engine(by).upsert_products(
            [item.product(product_id) for product_id, item in written.items()],
            vectors_of(seeds, first),
            model_digest=first,
            deadline=_soon(),
            further={second: vectors_of(seeds, second)} if both else None,
        )
        assert [outcome.error for outcome in result.outcomes] == [None] * len(written)
        self.truth.write(written, both)

    @rule(deleted=st.lists(numbers, min_size=1, unique=True), by=numbers)
    def delete(self, deleted: list[int], by: int) -> None:
        ids = [f"p{number}" for number in deleted]
        result = self._run(self._engine(by).delete_products(ids, deadline=_soon()))
        assert [outcome.error is None for outcome in result.outcomes] == [i in self.truth.products for i in ids]
        for product_id in ids:
            self.truth.delete(product_id)

    @rule(offered=st.dictionaries(numbers, prices, min_size=1, max_size=8), by=numbers)
    def offer(self, offered: dict[int, float | None], by: int) -> None:
        offers = [Offer(f"p{number}", price, currency_code="EUR" if price else "") for number, price in offered.items()]
        result = self._run(self._engine(by).update_offers(offers, deadline=_soon()))
        products = self.truth.products
        assert [outcome.error is None for outcome in result.outcomes] == [offer.id in products for offer in offers]
        products |= {one.id: replace(products[one.id], price=one.price) for one in offers if one.id in products}

    @precondition(lambda self: self.truth.products)
    @rule(by=numbers)
    def create_releases(self, by: int) -> None:
        """One of each model; vectors of the other one are kept from now on, and those left over."""
        for name in ("today", "new"):
            self._run(self._engine(by).releases.write_release(Release(name, RELEASES[name]), deadline=_soon()))
            self.truth.releases[name] = RELEASES[name]
        if self.truth.kept is None:
            self.truth.kept = self._left_over(by)

    def _left_over(self, by: int) -> set[str]:
        """Ids that have a vector of the other model, of which none were kept before."""
        listing = self._engine(by).releases.list_unembedded(self.truth.other, 500, deadline=_soon())
        kept = set(self.truth.products) - {product.id for _, product in self._run(listing)}
        assert kept <= (self.truth.leftover if self.truth.other == OLD else set())
        return kept

    @precondition(lambda self: self.truth.kept is not None)
    @rule(count=st.integers(1, 20), by=numbers)
    def embed_some(self, count: int, by: int) -> None:
        lacking, other = self.truth.lacking, self.truth.other
        releases = self._engine(by).releases
        found = dict(self._run(releases.list_unembedded(other, count, deadline=_soon())))
        ids = {product.id for product in found.values()}
        assert ids <= lacking
        assert len(found) == len(ids) == min(count, len(lacking))
        if found:
            vectors = vectors_of((self.truth.products[product.id].seed for product in found.values()), other)
            self._run(releases.write_vectors(other, list(found), vectors, deadline=_soon()))
            self.truth.kept = (self.truth.kept or set()) | ids

    @precondition(lambda self: self.truth.products)
    @rule(by=numbers)
    def build(self, by: int) -> None:
        """Embeds what is left, and has the new vectors searched."""
        self.create_releases(by)
        self.embed_some(20, by)

        async def built() -> bool:
            _, recall = await self._engine(by).releases.build_generation(self.truth.other, deadline=_soon())
            assert recall is None or recall > 0
            return recall is not None

        self._run(_until(built))
        self.truth.built = True

    def _wait_for_other(self, by: int) -> None:
        """Another retriever may have built it, or it may be built again since vectors were added."""

        async def searched() -> bool:
            record = await self._engine(by).releases.get_releases(deadline=_soon())
            return any(one.model_digest == self.truth.other and one.searchable for one in record.generations)

        self._run(_until(searched))

    @precondition(lambda self: self.truth.products and self.truth.releases)
    @rule(name=names, writes=st.one_of(st.just({}), several), by=numbers)
    def flip(self, name: str, writes: dict[int, Item], by: int) -> None:
        """To a release, or back to none, while products are written."""
        truth = self.truth
        of_other = truth.releases.get(name) == truth.other
        able = truth.able or not of_other
        if of_other and able:
            self._wait_for_other(by)
        flipping = self._engine(by).releases.serve_release(name, expected_serving=truth.serving, deadline=_soon())
        writing = [self._write(writes, True, by + 1)] if writes else []
        fault = self._run(_first_fault(flipping, *writing))
        if name and name not in truth.releases:
            assert isinstance(fault, NotFound)
        elif able or fault is None:
            assert fault is None
            # The products that lacked a vector may have been those that were written.
            assert truth.able or not of_other
            truth.flip(name)
        else:
            assert isinstance(fault, FailedPrecondition)

    @precondition(lambda self: self.truth.able and self.truth.products)
    @rule(writes=st.one_of(st.just({}), several), by=numbers)
    def adopt(self, writes: dict[int, Item], by: int) -> None:
        """The other model serves and becomes the catalogue's own, while products are written."""
        truth = self.truth
        name = next(name for name, model in truth.releases.items() if model == truth.other)
        self.flip(name, {}, by)
        for number in range(len(self.engines)):
            self._wait_for_other(number)
        before = "before" if truth.own == OLD else "since"
        adopting = self._engine(by).releases.adopt_generation(
            truth.other, before=Release(before, truth.own), deadline=_soon()
        )
        writing = [self._write(writes, True, by + 1)] if writes else []
        assert self._run(_first_fault(adopting, *writing)) is None
        truth.adopt(before, (f"p{number}" for number in writes))

    @precondition(lambda self: self.truth.releases)
    @rule(name=st.sampled_from(list(RELEASES)), force=st.booleans(), by=numbers)
    def remove_release(self, name: str, force: bool, by: int) -> None:
        truth = self.truth
        removing = self._engine(by).releases.remove_release(name, force=force, deadline=_soon())
        fault = self._run(_first_fault(removing))
        if name not in truth.releases:
            assert isinstance(fault, NotFound)
        elif name == truth.serving or (name == truth.previous and not force):
            assert isinstance(fault, FailedPrecondition)
        else:
            assert fault is None
            truth.remove(name)

    @rule(killed=st.booleans())
    def restart(self, killed: bool) -> None:
        if killed:
            self._kill()
        else:
            self._close()
            self.engines = self._opened()

    def _kill(self) -> None:
        """What lies on the disk at this moment is what kill -9 leaves: it goes on from a copy of that."""
        before, self.lives = self.lives, self.lives + 1
        source, copy = (self.folder / f"data{life}" for life in (before, self.lives))
        try:
            shutil.copytree(source, copy, copy_function=_copy_if_there)
        except shutil.Error as error:
            # A folder that went while it was copied was gone at the end of that moment.
            if any(Path(lost).exists() for lost, _, _ in error.args[0]):
                raise
        self._close()
        shutil.rmtree(self.folder / f"data{before}")
        self.engines = self._opened()

    @rule()
    def save(self) -> None:
        with self._moment() as connection:
            create_snapshot(connection, Place(str(self.folder / "snapshots")), moved=lambda *_: None)
        self.saved = deepcopy(self.truth)

    def _moment(self) -> Any:
        return one_moment(self.folder / f"data{self.lives}", "")

    @precondition(lambda self: self.saved is not None)
    @rule()
    def restore(self) -> None:
        assert self.saved is not None
        self._close()
        snapshot, manifest = newest_whole(Place(str(self.folder / "snapshots")), skipped=pytest.fail)
        with self._replaced() as connection:
            restore_snapshot(connection, snapshot, manifest, moved=lambda *_: None)
        self.truth, self.saved = self.saved, None
        self.engines = self._opened()

    def _replaced(self) -> Any:
        return replaced_sqlite(self.folder / f"data{self.lives}", replace=True)

    @precondition(lambda self: self.truth.products)
    @rule(
        seed=numbers,
        brand=st.sampled_from(["", "a", "b"]),
        price=prices,
        depth=st.integers(1, 20),
        model=st.sampled_from([NEW, OLD]),
        by=numbers,
    )
    def search_by_vector(self, seed: int, brand: str, price: float | None, depth: int, model: str, by: int) -> None:
        engine = self._following(by)
        if model == self.truth.other and not self.truth.able:
            model = self.truth.own
        if model == self.truth.other:
            self._wait_for_other(by)
        conditions = ProductFilter(brands=(brand,) if brand else (), max_price=price)
        asked = vectors_of([seed], model)[0]
        query = RetrievalQuery(vector=asked, model_digest=model, filter=conditions, depth=depth)
        found = self._run(engine.retrieve(query, deadline=_soon())).candidates
        cosines = {
            product_id: _cosine(asked, vectors_of([item.seed], model)[0])
            for product_id, item in self.truth.products.items()
            if brand in ("", item.brand) and (price is None or (item.price is not None and item.price <= price))
        }
        best = sorted(cosines.values(), reverse=True)[:depth]
        assert len({candidate.product_id for candidate in found}) == len(found) == len(best)
        for candidate, cosine in zip(found, best, strict=True):
            assert abs(candidate.score - cosine) < 1e-2
            assert abs(candidate.score - cosines[candidate.product_id]) < 1e-2

    def _following(self, number: int) -> RetrieverEngine:
        return self._engine(number)

    @invariant()
    def what_serves_is_one_thing(self) -> None:
        for engine in self.engines:
            record = self._run(engine.releases.get_releases(deadline=_soon()))
            assert (record.serving, record.previous) == (self.truth.serving, self.truth.previous)
            assert {one.name: one.embedder_digest for one in record.releases} == self.truth.releases

    @invariant()
    def words_ids_and_digests_agree(self) -> None:
        for number in range(len(self.engines)):
            engine = self._following(number)
            for color in COLORS:
                found = self._run(engine.retrieve(RetrievalQuery(text=color, depth=50), deadline=_soon())).candidates
                assert sorted(c.product_id for c in found) == sorted(
                    i for i, m in self.truth.products.items() if m.color == color
                )
                assert all(c.product.title == f"{color} shoe" for c in found)
            ids = [f"p{number}" for number in range(MAX_ID + 1)]
            known = self._run(engine.get_products(ids, deadline=_soon())).products
            assert {product.id: product.price for product in known} == {
                i: m.price for i, m in self.truth.products.items()
            }
            assert self._run(engine.get_index(deadline=_soon())).products == len(self.truth.products)
            page = self._run(engine.list_product_digests("", 100, deadline=_soon()))
            assert dict(page.digests) == {
                product_id: content_digest(checked_product(item.product(product_id)))
                for product_id, item in self.truth.products.items()
            }
            self._run(engine.self_test())

    def teardown(self) -> None:
        if hasattr(self, "engines"):
            self._close()
            shutil.rmtree(self.folder)
            self.loop.close()


class SharedCatalogue(Catalogue):
    """Two retrievers on one PostgreSQL; either may write, and both must show it. A kill takes one of them."""

    server: Any

    @initialize(writes=several)
    def open(self, writes: dict[int, Item]) -> None:
        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS histories WITH (FORCE)")
            connection.execute("CREATE DATABASE histories")
        self.url = self.server.get_uri("histories")
        super().open(writes)

    def _settings(self, name: str) -> RetrieverSettings:
        shared = {"catalogue_url": self.url, "catalogue_poll_s": 0.01}
        return RetrieverSettings.model_validate(super()._settings(name).model_dump() | shared)

    def _opened(self) -> list[RetrieverEngine]:
        return [self._run(RetrieverEngine.open(self._settings(name))) for name in ("data0", "other")]

    def _kill(self) -> None:
        """One is gone without a word, with every connection that there was; another takes its place, with no folder."""
        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'histories'"
            connection.execute(cut)
        killed = self.engines.pop(0)
        self.lives += 1
        self.engines.append(self._run(RetrieverEngine.open(self._settings(f"data{self.lives}"))))
        self._run(killed.close())

    def _moment(self) -> Any:
        return one_moment(self.folder, self.url)

    def _replaced(self) -> Any:
        return replaced_postgres(self.url, replace=True)

    def _following(self, number: int) -> RetrieverEngine:
        engine = self._engine(number)
        revision = max(other._snapshot.revision for other in self.engines)

        async def shown() -> bool:
            return bool(engine._snapshot.revision >= revision)

        self._run(_until(shown))
        return engine


@pytest.fixture(autouse=True)
def _early_housekeeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done once thousands of versions are dead or unsaved is done after a few."""
    for name in ("FREE_DEAD", "FREE_LOOSE", "FREE_UNSAVED", "FREE_SEGMENTED"):
        monkeypatch.setattr(index_keeper, name, 3)
    monkeypatch.setattr(index_keeper, "REWRITTEN_AGAIN_S", 0.0)
    monkeypatch.setattr(index_keeper, "REWRITING_S", 0.001)
    # Words are rewritten again and again: a process each time would take a second.
    monkeypatch.setattr(words_rewriting.child_process, "begin", lambda nice: None)
    monkeypatch.setattr(multiprocessing.get_context("spawn"), "Process", _Thread)


class _Thread(threading.Thread):
    """A thread in a process's place; it cannot be killed, but does not take long."""

    exitcode: int | None = None

    def run(self) -> None:
        try:
            super().run()
        except SystemExit as error:
            self.exitcode = int(str(error.code))
        else:
            self.exitcode = 0

    def kill(self) -> None:
        self.join()


def _histories(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # A failure is told as it was found: making it smaller takes minutes, and its steps are few.
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
    )


def test_histories_of_one_retriever() -> None:
    run_state_machine_as_test(Catalogue, settings=_histories(9, 14))


def test_histories_of_two_retrievers_on_one_database(postgres_server: Any) -> None:
    SharedCatalogue.server = postgres_server
    run_state_machine_as_test(SharedCatalogue, settings=_histories(3, 8))
