"""The versions written last that match: Milvus has no order but nearness, so rows are asked in windows from the end."""

from services.retriever.milvus.collection import MAX_FOUND
from services.retriever.milvus.snapshot import MilvusSnapshot
from vitrine.deadline import Deadline

# Each window is so much wider than the one before.
_GROWTH = 8


def newest_rows(snapshot: MilvusSnapshot, seen: str, limit: int, deadline: Deadline) -> list[int]:
    """Row keys of the newest `limit` that the expression allows, the newest first."""
    rows: list[int] = []
    if snapshot.collection is None:
        return rows
    end, width = snapshot.next_row, 2 * limit
    while end > 1 and len(rows) < limit:
        deadline.check("the search for the newest")
        start = max(1, end - width)
        window = f"row >= {start} and row < {end} and {seen}"
        found = snapshot.collection.read(window, ["row"], MAX_FOUND, deadline)
        if len(found) == MAX_FOUND and width > MAX_FOUND:
            # There may be more, and which were left out nobody knows.
            width = MAX_FOUND
            continue
        rows += sorted((entity["row"] for entity in found), reverse=True)
        end, width = start, width * _GROWTH
    return rows[:limit]
