"""Reads a shop of one's own: products, and events as `vitrine sample` or `vitrine events export` write them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from evaluation.recommendation.data import Dataset, TextVectors
from evaluation.recommendation.leave_one_out import leave_one_out
from evaluation.shop_folder import file_of
from training.recommendation.event_files import read_visitor_events
from training.recommendation.shop import facts_of
from training.run_folder import file_digest
from training.sources.catalogue import read_products
from training.sources.reading import event_paths


def read_recommendation_folder(folder: Path, vectors_of: TextVectors, mapping: Path | None = None) -> Dataset:
    """The shop in `folder`: a file `products` in any format that ingest reads; `events`, a file or a folder of Parquet.

    The last product that each visitor turned to is asked for. Raises InvalidArgument when a file is missing, and
    TrainingError as the readers of training say.
    """
    notes: list[str] = []
    catalogue = file_of(folder, "products")
    products = list({one.id: one for one in read_products((catalogue,), mapping, notes.append)}.values())
    paths = event_paths([folder / "events" if (folder / "events").is_dir() else file_of(folder, "events")])
    events = read_visitor_events(paths, [product.id for product in products], notes.append)
    digest = "+".join(file_digest(path)[:16] for path in (catalogue, *paths))
    known = replace(events.interactions, text_vectors=vectors_of(products))
    data = leave_one_out(folder.resolve().name, digest, known, notes)
    # What is asked for is in no basket either.
    size = len(products)
    kept = np.isin(
        events.purchases.visitors * size + events.purchases.products,
        data.interactions.visitors * size + data.interactions.products,
    )
    return replace(data, purchases=events.purchases.where(kept), facts=facts_of(products))
