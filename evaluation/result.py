"""The result of one evaluation of relevance, as it is written to and read from a JSON file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from evaluation.intervals import Interval
from evaluation.json_file import write_json
from vitrine.errors import invalid

LISTED = 10


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query of a judged shop: its language, band, grades by product id, and the first 10 ids of each order.

    `judged` lists hold the judged products alone, `full` lists what a search of the whole catalogue shows.
    """

    language: str
    band: str
    grades: dict[str, int]
    judged: dict[str, list[str]]
    full: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """A judged pair and the ranker's probability; `product` is an id, or a title where there is no catalogue.

    `scores` by order is there for labelled pairs, whose figures follow from them; `source` is their collection.
    """

    query: str
    product: str
    grade: int
    relevant: bool
    probability: float
    source: str = ""
    scores: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Popularity:
    """Recall@50 of relevant products by their popularity: values by band, order and query, and the bands' rule."""

    rule: str
    recall_50: dict[str, dict[str, dict[str, float]]]


@dataclass(slots=True)
class RelevanceResult:
    """Figures by order ("lexical", "ranked", …) and metric, and the values of each query where the metric has them.

    `data_digest` is equal for equal judgements of equal products. `titles` are those of the listed products.
    """

    dataset: str
    data_digest: str
    kind: Literal["shop", "pairs"]
    made_of: dict[str, str | int]
    relevant_grade: int
    pairs: list[ScoredPair]
    figures: dict[str, dict[str, Interval]] = field(default_factory=dict)
    by_query: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    published: dict[str, dict[str, float]] = field(default_factory=dict)
    band_rule: str = ""
    queries: dict[str, JudgedQuery] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    popularity: Popularity | None = None

    def write(self, path: Path) -> None:
        """Writes the result as JSON, whole or not at all. Raises FailedPrecondition when that cannot be."""
        write_json(self, path)


_READER = TypeAdapter(RelevanceResult)


def read_result(path: Path) -> RelevanceResult:
    """A result that `write` wrote. Raises InvalidArgument when it is cut short, of another kind, or from before."""
    try:
        return _READER.validate_json(path.read_bytes())
    except OSError as error:
        raise invalid(str(path), f"cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        said = f"{where}: {fault['msg']}" if where else fault["msg"]
        raise invalid(
            str(path), f"is not a whole result of `vitrine evaluate relevance --json` ({said}); evaluate again"
        ) from error
