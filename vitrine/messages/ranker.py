"""Candidates and rankings over the wire."""

from collections.abc import Sequence

from vitrine.messages.common import error_to_message, lane_to_message
from vitrine.ports import (
    Evidence,
    Explanation,
    Explanations,
    Lane,
    RankCandidate,
    RankedCandidate,
    RankFailure,
    Ranking,
    TokenAttribution,
)
from vitrine.ports.ranker import check_counts
from vitrine.status import error_of
from vitrine.v1 import ranker_service_pb2


def rank_request(
    query: str,
    candidates: Sequence[RankCandidate],
    top_n: int | None,
    lane: Lane,
    model_digest: str,
    shown: int | None,
) -> ranker_service_pb2.RankRequest:
    """The request of a call. Raises InvalidArgument for what is below 1, which the wire cannot tell from unset."""
    check_counts(top_n, shown)
    return ranker_service_pb2.RankRequest(
        query=query,
        candidates=[_candidate_to_message(candidate) for candidate in candidates],
        top_n=top_n or 0,
        lane=lane_to_message(lane),
        model_digest=model_digest,
        shown=shown or 0,
    )


def _candidate_to_message(candidate: RankCandidate) -> ranker_service_pb2.RankCandidate:
    evidence = candidate.evidence
    return ranker_service_pb2.RankCandidate(
        id=candidate.id,
        text=candidate.text,
        revision=candidate.revision,
        evidence=None
        if evidence is None
        else ranker_service_pb2.Evidence(dense=evidence.dense, lexical=evidence.lexical),
    )


def candidate_from_message(message: ranker_service_pb2.RankCandidate) -> RankCandidate:
    """The candidate, unchecked."""
    evidence = None
    if message.HasField("evidence"):
        evidence = Evidence(message.evidence.dense, message.evidence.lexical)
    return RankCandidate(message.id, message.text, message.revision, evidence)


def ranking_to_message(ranking: Ranking) -> ranker_service_pb2.RankResponse:
    """The answer of a call."""
    return ranker_service_pb2.RankResponse(
        ranked=[
            ranker_service_pb2.RankedCandidate(
                index=ranked.index,
                id=ranked.id,
                logit=ranked.logit,
                score=ranked.score,
                probability=ranked.probability,
                query_tokens_dropped=ranked.query_tokens_dropped,
                text_tokens_dropped=ranked.text_tokens_dropped,
            )
            for ranked in ranking.ranked
        ],
        failures=[
            ranker_service_pb2.RankFailure(index=failure.index, id=failure.id, status=error_to_message(failure.error))
            for failure in ranking.failures
        ],
        model_digest=ranking.model_digest,
        read_pairs=ranking.read_pairs,
        cut_short=ranking.cut_short,
    )


def ranking_from_message(message: ranker_service_pb2.RankResponse) -> Ranking:
    """The ranking of an answer."""
    return Ranking(
        ranked=tuple(
            RankedCandidate(
                index=ranked.index,
                id=ranked.id,
                logit=ranked.logit,
                score=ranked.score,
                probability=ranked.probability,
                query_tokens_dropped=ranked.query_tokens_dropped,
                text_tokens_dropped=ranked.text_tokens_dropped,
            )
            for ranked in message.ranked
        ),
        model_digest=message.model_digest,
        failures=tuple(
            RankFailure(failure.index, failure.id, error_of(failure.status)) for failure in message.failures
        ),
        # A server of before the field reads every pair.
        read_pairs=message.read_pairs if message.HasField("read_pairs") else len(message.ranked),
        cut_short=message.cut_short,
    )


def explain_request(
    query: str, candidates: Sequence[RankCandidate], model_digest: str
) -> ranker_service_pb2.ExplainRequest:
    """The request of a call."""
    return ranker_service_pb2.ExplainRequest(
        query=query,
        candidates=[_candidate_to_message(candidate) for candidate in candidates],
        model_digest=model_digest,
    )


def explanations_to_message(explanations: Explanations) -> ranker_service_pb2.ExplainResponse:
    """The answer of a call."""
    return ranker_service_pb2.ExplainResponse(
        explanations=[explanation_to_message(one) for one in explanations.explanations],
        model_digest=explanations.model_digest,
    )


def explanations_from_message(message: ranker_service_pb2.ExplainResponse) -> Explanations:
    """The explanations of an answer."""
    return Explanations(
        tuple(
            Explanation(
                index=one.index,
                id=one.id,
                logit=one.logit,
                query_tokens=tuple(map(_attribution_from_message, one.query_tokens)),
                text_tokens=tuple(map(_attribution_from_message, one.text_tokens)),
                text=one.text,
            )
            for one in message.explanations
        ),
        message.model_digest,
    )


def explanation_to_message(explanation: Explanation) -> ranker_service_pb2.Explanation:
    """One candidate's words."""
    return ranker_service_pb2.Explanation(
        index=explanation.index,
        id=explanation.id,
        logit=explanation.logit,
        query_tokens=map(_attribution_to_message, explanation.query_tokens),
        text_tokens=map(_attribution_to_message, explanation.text_tokens),
        text=explanation.text,
    )


def _attribution_to_message(one: TokenAttribution) -> ranker_service_pb2.TokenAttribution:
    return ranker_service_pb2.TokenAttribution(text=one.text, start=one.start, end=one.end, attribution=one.attribution)


def _attribution_from_message(message: ranker_service_pb2.TokenAttribution) -> TokenAttribution:
    return TokenAttribution(message.text, message.start, message.end, message.attribution)
