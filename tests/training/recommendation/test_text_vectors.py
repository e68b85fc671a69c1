"""Text vectors are those that serve, and are made once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from training.errors import TrainingError
from training.recommendation.text_vectors import text_vectors
from vitrine.bundle import load_bundle
from vitrine.product import Product

_PRODUCTS = [Product(id="a", title="red watch"), Product(id="b", title="blue phone case"), Product(id="c", title="red")]


async def test_a_second_run_takes_the_vectors_of_the_first(
    make_embedder_bundle: Callable[..., Path], tmp_path: Path
) -> None:
    embedder, heard = make_embedder_bundle(), list[tuple[int, int]]()

    def moved(done: int, count: int) -> None:
        heard.append((done, count))

    first, model = await text_vectors(embedder, _PRODUCTS, tmp_path, moved)
    second, _ = await text_vectors(embedder, _PRODUCTS, tmp_path, moved)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-5)
    assert heard == [(3, 3)]
    assert model.digest == load_bundle(embedder, "embedder").manifest.digest


async def test_a_product_that_cannot_be_embedded_is_named(
    make_embedder_bundle: Callable[..., Path], tmp_path: Path
) -> None:
    products = [*_PRODUCTS, Product(id="bad", title="poison")]
    with pytest.raises(TrainingError, match="product bad cannot be embedded"):
        await text_vectors(make_embedder_bundle(), products, tmp_path, lambda done, count: None)


async def test_a_bundle_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no bundle at"):
        await text_vectors(tmp_path / "nowhere", _PRODUCTS, tmp_path, lambda done, count: None)
