"""A process that writes to a catalogue until it is killed, and says before and after each write what it does.

Arguments: folder, first version. Lines: "begin U id version", "done U id version", the same with D for deletes.
"""

import asyncio
import os
import sys
from pathlib import Path

import numpy as np

from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from vitrine.deadline import Deadline
from vitrine.product import Product
from vitrine.vectors import FloatArray

DIGEST = "sha256:kill"
WRITERS = 4
IDS_OF_A_WRITER = 12


def product_of(product_id: str, version: int) -> Product:
    """The product that says its version."""
    return Product(id=product_id, title=f"{product_id} v{version}")


def vector_of(product_id: str, version: int) -> FloatArray:
    """The (16,) vector of a version, unlike all others."""
    return np.random.default_rng([int(product_id[1:]), version]).normal(size=16).astype(np.float32)


def _say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def _write(engine: RetrieverEngine, writer: int, first_version: int) -> None:
    ids = [f"k{writer * IDS_OF_A_WRITER + number}" for number in range(IDS_OF_A_WRITER)]
    random = np.random.default_rng([writer, first_version])
    version = first_version
    while True:
        chosen = [str(product_id) for product_id in random.choice(ids, 3, replace=False)]
        version += 1
        if random.random() < 0.3:
            for product_id in chosen:
                _say("begin", "D", product_id, version)
            await engine.delete_products(chosen, deadline=Deadline.after(60))
            for product_id in chosen:
                _say("done", "D", product_id, version)
            continue
        for product_id in chosen:
            _say("begin", "U", product_id, version)
        vectors = np.stack([vector_of(product_id, version) for product_id in chosen])
        await engine.upsert_products(
            [product_of(product_id, version) for product_id in chosen],
            vectors,
            model_digest=DIGEST,
            deadline=Deadline.after(60),
        )
        for product_id in chosen:
            _say("done", "U", product_id, version)


async def _main(folder: Path, first_version: int) -> None:
    # So few rows are searched exactly that the vector graph is built and saved in between.
    engine = await RetrieverEngine.open(RetrieverSettings(data_dir=folder, exact_rows=20, port=0))
    async with asyncio.TaskGroup() as writers:
        for writer in range(WRITERS):
            writers.create_task(_write(engine, writer, first_version))


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2])))
