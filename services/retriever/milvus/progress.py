"""How far a collection is: kept in the collection itself, as the entity with row key 0, so that both go together."""

import json
from typing import NamedTuple

import numpy as np

from services.retriever.milvus.collection import Collection
from vitrine.deadline import Deadline


class Progress(NamedTuple):
    """The collection holds all that lived at `revision`, and nothing that was dead by then; 0: nobody knows.

    Its vectors are those that the catalogue had after `fills` (see the table `generation`).
    """

    revision: int
    fills: int


def read_progress(collection: Collection, deadline: Deadline) -> Progress:
    """What is noted."""
    found = collection.read("row == 0", ["texts"], 1, deadline)
    if not found:
        return Progress(0, 0)
    noted = found[0]["texts"]
    told = json.loads(noted) if isinstance(noted, str | bytes) else noted
    return Progress(int(told["revision"]), int(told.get("fills", 0)))


def write_progress(collection: Collection, progress: Progress) -> None:
    """Notes it."""
    nothing = {"id": "", "terms": [], "values": {}, "numbers": {}, "words": ""}
    vectors = {field: np.zeros(dim, np.float32) for field, dim in collection.dims.items()}
    collection.put([{"row": 0, "texts": progress._asdict(), **nothing, **vectors}])
