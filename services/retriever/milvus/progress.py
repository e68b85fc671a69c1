"""How far a collection is: kept in the collection itself, as the entity with row key 0, so that both go together."""

import json

import numpy as np

from services.retriever.milvus.collection import Collection
from vitrine.deadline import Deadline


def read_revision(collection: Collection, deadline: Deadline) -> int:
    """The collection holds all that lived at this revision, and nothing that was dead by then; 0: nobody knows."""
    found = collection.read("row == 0", ["texts"], 1, deadline)
    if not found:
        return 0
    noted = found[0]["texts"]
    return int((json.loads(noted) if isinstance(noted, str | bytes) else noted)["revision"])


def write_revision(collection: Collection, revision: int) -> None:
    """Notes it."""
    nothing = {"id": "", "terms": [], "values": {}, "numbers": {}, "words": ""}
    vectors = {field: np.zeros(dim, np.float32) for field, dim in collection.dims.items()}
    collection.put([{"row": 0, "texts": {"revision": revision}, **nothing, **vectors}])
