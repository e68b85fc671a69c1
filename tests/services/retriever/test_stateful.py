"""Random histories of writes, searches and restarts against a dict that does the same."""

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from vitrine.deadline import Deadline
from vitrine.ports import ProductFilter, RetrievalQuery
from vitrine.product import Product

DIGEST = "sha256:model"
COLORS = ("red", "blue", "green")
numbers = st.integers(0, 15)


def _vector(seed: int) -> Any:
    return np.random.default_rng(seed).normal(size=8).astype(np.float32)


class Catalogue(RuleBasedStateMachine):
    """`model` holds what must be there: the color, brand and vector seed of each id."""

    @initialize()
    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.model: dict[str, tuple[str, str, int]] = {}
        self.engine = self._opened()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def _opened(self) -> RetrieverEngine:
        # A graph from 5 products on, so that histories meet it at every age.
        made = RetrieverSettings(
            data_dir=Path(self.folder.name), exact_rows=5, storage="float32", port=0, product_cache=4
        )
        return self._run(RetrieverEngine.open(made))  # type: ignore[no-any-return]

    @rule(writes=st.lists(st.tuples(numbers, st.sampled_from(COLORS), st.sampled_from("ab"), numbers), min_size=1))
    def upsert(self, writes: list[tuple[int, str, str, int]]) -> None:
        products = [Product(id=f"p{n}", title=f"{color} shoe", brand=brand) for n, color, brand, _ in writes]
        vectors = np.stack([_vector(seed) for *_, seed in writes])
        self._run(self.engine.upsert_products(products, vectors, model_digest=DIGEST, deadline=Deadline.after(60)))
        self.model |= {f"p{n}": (color, brand, seed) for n, color, brand, seed in writes}

    @rule(deleted=st.lists(numbers, min_size=1, unique=True))
    def delete(self, deleted: list[int]) -> None:
        ids = [f"p{n}" for n in deleted]
        result = self._run(self.engine.delete_products(ids, deadline=Deadline.after(60)))
        assert [outcome.error is None for outcome in result.outcomes] == [i in self.model for i in ids]
        for product_id in ids:
            self.model.pop(product_id, None)

    @rule()
    def reopen(self) -> None:
        self._run(self.engine.close())
        self.engine = self._opened()

    @precondition(lambda self: self.model)
    @rule(seed=numbers, brand=st.sampled_from(["", "a", "b"]), depth=st.integers(1, 20))
    def search_by_vector(self, seed: int, brand: str, depth: int) -> None:
        brands = (brand,) if brand else ()
        query = RetrievalQuery(
            vector=_vector(seed), model_digest=DIGEST, filter=ProductFilter(brands=brands), depth=depth
        )
        found = self._run(self.engine.retrieve(query, deadline=Deadline.after(60))).candidates
        unit = _vector(seed) / np.linalg.norm(_vector(seed))
        cosines = {
            product_id: float(unit @ (_vector(its) / np.linalg.norm(_vector(its))))
            for product_id, (_, made_by, its) in self.model.items()
            if not brand or made_by == brand
        }
        best = sorted(cosines, key=lambda product_id: (-round(cosines[product_id], 5), product_id))[:depth]
        assert (
            sorted(c.product_id for c in found if c.score > cosines[best[-1]] + 1e-4)
            == sorted(i for i in best if cosines[i] > cosines[best[-1]] + 1e-4)
            if best
            else not found
        )
        assert len(found) == len(best)
        for candidate in found:
            assert abs(candidate.score - cosines[candidate.product_id]) < 1e-4

    @invariant()
    def words_and_ids_agree(self) -> None:
        for color in COLORS:
            query = RetrievalQuery(text=color, depth=50)
            found = self._run(self.engine.retrieve(query, deadline=Deadline.after(60)))
            ids = [c.product_id for c in found.candidates]
            assert sorted(ids) == sorted(i for i, (its, *_) in self.model.items() if its == color)
            assert all(c.product.title == f"{color} shoe" for c in found.candidates)
        known = self._run(self.engine.get_products([f"p{n}" for n in range(16)], deadline=Deadline.after(60)))
        assert {product.id for product in known.products} == set(self.model)

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self._run(self.engine.close())
            self.folder.cleanup()
            self.loop.close()


TestCatalogue = Catalogue.TestCase
TestCatalogue.settings = settings(
    max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
