"""Random histories of writes, searches, snapshots, restarts and kills against a dict that does the same."""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, replace
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

from services.retriever import index_keeper
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from services.retriever.snapshots.creating import create_snapshot
from services.retriever.snapshots.databases import one_moment, replaced_postgres, replaced_sqlite
from services.retriever.snapshots.place import Place
from services.retriever.snapshots.restoring import newest_whole, restore_snapshot
from vitrine.deadline import Deadline
from vitrine.offer import Offer
from vitrine.ports import ProductFilter, RetrievalQuery
from vitrine.product import Product, checked_product
from vitrine.product_digest import content_digest

DIGEST = "sha256:model"
COLORS = ("red", "blue", "green")
MAX_ID = 15
numbers = st.integers(0, MAX_ID)
prices = st.sampled_from([None, 1.0, 2.0])


@dataclass(frozen=True)
class Item:
    """What the model knows of a product; its vector is made of `seed`."""

    color: str
    brand: str
    seed: int
    price: float | None = None

    def product(self, product_id: str) -> Product:
        """The product that says it."""
        currency = "" if self.price is None else "EUR"
        title = f"{self.color} shoe"
        return Product(id=product_id, title=title, brand=self.brand, price=self.price, currency_code=currency)


items = st.builds(Item, st.sampled_from(COLORS), st.sampled_from("ab"), numbers, prices)


def _vector(seed: int) -> Any:
    return np.random.default_rng(seed).normal(size=8).astype(np.float32)


def _soon() -> Deadline:
    return Deadline.after(60)


class Catalogue(RuleBasedStateMachine):
    """`model` holds what must be there, `saved` what was there at the last snapshot."""

    @initialize()
    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.lives = 0
        self.model: dict[str, Item] = {}
        self.saved: dict[str, Item] | None = None
        self.engines = self._opened()

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

    @rule(writes=st.dictionaries(numbers, items, min_size=1, max_size=8), by=numbers)
    def upsert(self, writes: dict[int, Item], by: int) -> None:
        written = {f"p{number}": item for number, item in writes.items()}
        products = [item.product(product_id) for product_id, item in written.items()]
        vectors = np.stack([_vector(item.seed) for item in written.values()])
        self._run(self._engine(by).upsert_products(products, vectors, model_digest=DIGEST, deadline=_soon()))
        self.model |= written

    @rule(deleted=st.lists(numbers, min_size=1, unique=True), by=numbers)
    def delete(self, deleted: list[int], by: int) -> None:
        ids = [f"p{number}" for number in deleted]
        result = self._run(self._engine(by).delete_products(ids, deadline=_soon()))
        assert [outcome.error is None for outcome in result.outcomes] == [i in self.model for i in ids]
        for product_id in ids:
            self.model.pop(product_id, None)

    @rule(offered=st.dictionaries(numbers, prices, min_size=1, max_size=8), by=numbers)
    def offer(self, offered: dict[int, float | None], by: int) -> None:
        offers = [Offer(f"p{number}", price, currency_code="EUR" if price else "") for number, price in offered.items()]
        result = self._run(self._engine(by).update_offers(offers, deadline=_soon()))
        assert [outcome.error is None for outcome in result.outcomes] == [offer.id in self.model for offer in offers]
        for offer in offers:
            if offer.id in self.model:
                self.model[offer.id] = replace(self.model[offer.id], price=offer.price)

    @rule()
    def reopen(self) -> None:
        self._close()
        self.engines = self._opened()

    @rule()
    def kill(self) -> None:
        """What lies on the disk at this moment is what kill -9 leaves: it goes on from a copy of that."""
        before, self.lives = self.lives, self.lives + 1
        shutil.copytree(self.folder / f"data{before}", self.folder / f"data{self.lives}")
        self._close()
        shutil.rmtree(self.folder / f"data{before}")
        self.engines = self._opened()

    @rule()
    def save(self) -> None:
        with self._moment() as connection:
            create_snapshot(connection, Place(str(self.folder / "snapshots")), moved=lambda *_: None)
        self.saved = dict(self.model)

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
        self.model = dict(self.saved)
        self.engines = self._opened()

    def _replaced(self) -> Any:
        return replaced_sqlite(self.folder / f"data{self.lives}", replace=True)

    @precondition(lambda self: self.model)
    @rule(seed=numbers, brand=st.sampled_from(["", "a", "b"]), price=prices, depth=st.integers(1, 20), by=numbers)
    def search_by_vector(self, seed: int, brand: str, price: float | None, depth: int, by: int) -> None:
        conditions = ProductFilter(brands=(brand,) if brand else (), max_price=price)
        query = RetrievalQuery(vector=_vector(seed), model_digest=DIGEST, filter=conditions, depth=depth)
        found = self._run(self._following(by).retrieve(query, deadline=_soon())).candidates
        unit = _vector(seed) / np.linalg.norm(_vector(seed))
        cosines = {
            product_id: float(unit @ (_vector(item.seed) / np.linalg.norm(_vector(item.seed))))
            for product_id, item in self.model.items()
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
    def words_ids_and_digests_agree(self) -> None:
        for number in range(len(self.engines)):
            engine = self._following(number)
            for color in COLORS:
                found = self._run(engine.retrieve(RetrievalQuery(text=color, depth=50), deadline=_soon())).candidates
                assert sorted(c.product_id for c in found) == sorted(
                    i for i, m in self.model.items() if m.color == color
                )
                assert all(c.product.title == f"{color} shoe" for c in found)
            ids = [f"p{number}" for number in range(MAX_ID + 1)]
            known = self._run(engine.get_products(ids, deadline=_soon())).products
            assert {product.id: product.price for product in known} == {i: m.price for i, m in self.model.items()}
            assert self._run(engine.get_index(deadline=_soon())).products == len(self.model)
            page = self._run(engine.list_product_digests("", 100, deadline=_soon()))
            assert dict(page.digests) == {
                product_id: content_digest(checked_product(item.product(product_id)))
                for product_id, item in self.model.items()
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

    @initialize()
    def open(self) -> None:
        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS histories WITH (FORCE)")
            connection.execute("CREATE DATABASE histories")
        self.url = self.server.get_uri("histories")
        super().open()

    def _settings(self, name: str) -> RetrieverSettings:
        shared = {"catalogue_url": self.url, "catalogue_poll_s": 0.01}
        return RetrieverSettings.model_validate(super()._settings(name).model_dump() | shared)

    def _opened(self) -> list[RetrieverEngine]:
        return [self._run(RetrieverEngine.open(self._settings(name))) for name in ("data0", "other")]

    @rule()
    def kill(self) -> None:
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

        async def shown() -> None:
            async with asyncio.timeout(60):
                while True:
                    if engine._snapshot.revision >= revision:
                        return
                    await asyncio.sleep(0.002)

        self._run(shown())
        return engine


@pytest.fixture(autouse=True)
def _early_housekeeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done once thousands of versions are dead or unsaved is done after a few."""
    for name in ("FREE_DEAD", "FREE_LOOSE", "FREE_UNSAVED"):
        monkeypatch.setattr(index_keeper, name, 3)


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
    run_state_machine_as_test(Catalogue, settings=_histories(8, 12))


def test_histories_of_two_retrievers_on_one_database(postgres_server: Any) -> None:
    SharedCatalogue.server = postgres_server
    run_state_machine_as_test(SharedCatalogue, settings=_histories(3, 8))
