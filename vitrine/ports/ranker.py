"""The port of the ranker: query and candidates to an order."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from vitrine.deadline import Deadline
from vitrine.errors import VitrineError, invalid
from vitrine.ports.service import Lane, ModelInfo, ServedModels


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the retriever knew: cosine, and BM25 divided by the query's best BM25."""

    dense: float
    lexical: float


@dataclass(frozen=True, slots=True)
class RankCandidate:
    """A product to score by its ranking text; tokens are kept by (id, revision) when revision > 0."""

    id: str
    text: str
    revision: int = 0
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class RankedCandidate:
    """A scored candidate: raw logit, score (logit and evidence), calibrated probability in (0, 1)."""

    index: int
    id: str
    logit: float
    score: float
    probability: float
    query_tokens_dropped: int = 0
    text_tokens_dropped: int = 0


@dataclass(frozen=True, slots=True)
class RankFailure:
    """A candidate that could not be scored, and why."""

    index: int
    id: str
    error: VitrineError


@dataclass(frozen=True, slots=True)
class Ranking:
    """Candidates by score, best first, ties by id; those that failed; and how many pairs the model read for it.

    It did not read those whose logits were kept. `cut_short`: its queue was full, or too much of the time over
    (three quarters; a quarter while others waited), before it had read all that it should.
    """

    ranked: tuple[RankedCandidate, ...]
    model_digest: str
    failures: tuple[RankFailure, ...] = field(default=())
    read_pairs: int = 0
    cut_short: bool = False


@dataclass(frozen=True, slots=True)
class TokenAttribution:
    """A word, where it stands in its text, and how much the logit falls without it."""

    text: str
    start: int
    end: int
    attribution: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """What each word of the query and of a candidate's `text` did to its logit; words that were cut are not there."""

    index: int
    id: str
    logit: float
    query_tokens: tuple[TokenAttribution, ...]
    text_tokens: tuple[TokenAttribution, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Explanations:
    """One for each candidate, in order."""

    explanations: tuple[Explanation, ...]
    model_digest: str


class Ranker(Protocol):
    """Query and candidates to an order."""

    async def rank(
        self,
        query: str,
        candidates: Sequence[RankCandidate],
        *,
        deadline: Deadline,
        top_n: int | None = None,
        lane: Lane = Lane.LIVE,
        model_digest: str = "",
        shown: int | None = None,
    ) -> Ranking:
        """Scores 1 to 256 candidates by a model that is served, "" being the first; a bad one fails its item only.

        With `shown`, candidates are left out that would hardly come among so many of the best.
        """
        ...

    async def explain(
        self, query: str, candidates: Sequence[RankCandidate], *, deadline: Deadline, model_digest: str = ""
    ) -> Explanations:
        """Says which words made the logits of 1 to 10 candidates; a bad one fails the call."""
        ...

    async def get_model(self, *, deadline: Deadline) -> ModelInfo:
        """Names the first of the models that are served."""
        ...

    async def get_models(self, *, deadline: Deadline) -> ServedModels:
        """Names all of them."""
        ...


def check_counts(top_n: int | None, shown: int | None) -> None:
    """Raises InvalidArgument for a count below 1."""
    if top_n is not None and top_n < 1:
        raise invalid("top_n", f"is {top_n}; give how many of the best to answer with, or leave it out for all")
    if shown is not None and shown < 1:
        raise invalid("shown", f"is {shown}; give how many of the best are shown, or leave it out to score all")
