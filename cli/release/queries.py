"""Judged queries for a release's gate: from a file of judgements, or from what visitors did after searching."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from gateway.releases.gates import MAX_QUERIES
from gateway.search import MAX_QUERY_CHARACTERS
from vitrine.errors import FailedPrecondition, invalid
from vitrine.rows import RowFile
from vitrine.text import normalize_text
from vitrine.v1 import release_service_pb2 as pb

# What a product gains by what a visitor did with it after a search.
GAINS: Mapping[str, float] = {"select_item": 1.0, "view_item": 1.0, "add_to_cart": 2.0, "purchase": 3.0}
# One visitor's click may be a mistake.
LEAST_CLICKS = 2

_Grades = dict[str, dict[str, float]]


def judged_queries(path: Path) -> list[pb.JudgedQuery]:
    """The queries of a file with columns query, product_id and grade. Raises InvalidArgument naming file and line."""
    grades: _Grades = defaultdict(dict)
    for row in RowFile(path).rows():
        if row.fault:
            raise invalid(str(path), f"line {row.line} {row.fault}")
        try:
            query, product_id, grade = row.values["query"], str(row.values["product_id"]), float(row.values["grade"])
            product_id.encode()  # Half of a surrogate pair, which JSON allows, is in no product's id.
        except (KeyError, TypeError, ValueError, OverflowError):
            raise invalid(str(path), f"line {row.line} has no query, product_id and grade, a number") from None
        grades[normalize_text(str(query))][product_id] = grade
    return _messages(grades)


def clicked_queries(folder: Path) -> list[pb.JudgedQuery]:
    """The most frequent queries of exported events, with what was clicked, put into carts and bought after them.

    Events belong to a search by its attribution token; the search, or any of them, says the query. Raises
    FailedPrecondition when the folder holds no exported events.
    """
    import pyarrow.dataset

    if not any(folder.glob("*/*.parquet")):
        raise FailedPrecondition(f"{folder} holds no exported events; write them with: vitrine events export")
    columns = ["event_type", "query", "attribution_token", "product_ids"]
    events = pyarrow.dataset.dataset(folder, format="parquet", partitioning="hive", exclude_invalid_files=True)
    query_of: dict[str, str] = {}
    done: dict[str, list[tuple[str, list[str]]]] = defaultdict(list)
    for batch in events.to_batches(columns=columns):
        for event in batch.to_pylist():
            if not (token := event["attribution_token"]):
                continue
            if event["query"]:
                query_of[token] = normalize_text(event["query"])
            if event["event_type"] in GAINS:
                done[token].append((event["event_type"], event["product_ids"]))
    grades: _Grades = defaultdict(dict)
    clicks: dict[tuple[str, str], int] = defaultdict(int)
    asked: dict[str, int] = defaultdict(int)
    for token, query in query_of.items():
        asked[query] += 1
        for kind, ids in done[token]:
            for product_id in ids:
                clicks[query, product_id] += 1
                grades[query][product_id] = max(grades[query].get(product_id, 0.0), GAINS[kind])
    for (query, product_id), count in clicks.items():
        if count < LEAST_CLICKS:
            del grades[query][product_id]
    frequent = sorted(grades, key=lambda query: (-asked[query], query))
    return _messages({query: grades[query] for query in frequent})


def _messages(grades: Mapping[str, Mapping[str, float]]) -> list[pb.JudgedQuery]:
    """As many as a call takes; queries without any product that answers them say nothing."""
    useful: Iterable[tuple[str, Mapping[str, float]]] = (
        (query, {one: gain for one, gain in gains.items() if gain > 0})
        for query, gains in grades.items()
        if 0 < len(query) <= MAX_QUERY_CHARACTERS
    )
    return [pb.JudgedQuery(query=query, gains=gains) for query, gains in useful if gains][:MAX_QUERIES]
