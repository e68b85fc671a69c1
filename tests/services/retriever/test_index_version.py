"""The version of what searches depend on, by which answers are kept: alike over every backend."""

from typing import Any

import pytest

import services.retriever.milvus.term_index as term_index
from vitrine.ports import Retriever


async def test_it_is_the_same_until_something_is_written(retriever: Retriever, shop: Any) -> None:
    async def version() -> str:
        found = await shop.search(retriever, text="watch")
        assert found.version == await retriever.get_version(deadline=shop.deadline())
        # It stands for what is searched, not for who asks.
        assert (await shop.search(retriever, vector=shop.vectors(1)[0])).version == found.version
        return str(found.version)

    seen = [await version()]
    await shop.fill(retriever, [shop.product(1), shop.product(2)], shop.vectors(2))
    seen.append(await version())
    await retriever.delete_products(["p00001"], deadline=shop.deadline())
    seen.append(await version())
    assert all(seen)
    assert len(set(seen)) == 3


async def test_a_start_has_versions_of_its_own(open_engine: Any, shop: Any, backend: str) -> None:
    seen = set()
    for _ in range(2):
        engine = await open_engine(backend=backend)
        seen.add(await engine.get_version(deadline=shop.deadline()))
        await engine.close()
    assert len(seen) == 2


async def test_over_milvus_it_changes_when_words_are_counted_anew(
    open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await open_engine(backend="milvus")
    before = await engine.get_version(deadline=shop.deadline())
    monkeypatch.setattr(term_index.Counts, "turn", staticmethod(lambda: -1))
    assert await engine.get_version(deadline=shop.deadline()) != before
