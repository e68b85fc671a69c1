"""Exploration: places kept for products that nobody knows yet, so that they can become known."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace

from gateway.recommendation.query import Reason, Recommendation, Source


def explored(
    results: Sequence[Recommendation], newcomers: Iterable[Recommendation], share: float, *, new: Container[str]
) -> list[Recommendation]:
    """The results with a newcomer, best first, at the last of every 1 / `share` places among which there is none.

    `new` are the ids of all products that nobody knows; of `newcomers` no more are made than shown.

    It takes the place of what stood there. Whatever it lacks of the score of that product is told as contribution of
    FRESH, so that its reasons still add up.
    """
    listed = list(results)
    if share <= 0:
        return listed
    every = max(round(1 / share), 1)
    shown = {one.product.id for one in listed}
    waiting = (one for one in newcomers if one.product.id not in shown)
    for end in range(every, len(listed) + 1, every):
        if any(one.product.id in new for one in listed[end - every : end]):
            continue
        if (newcomer := next(waiting, None)) is None:
            break
        listed[end - 1] = _lifted(newcomer, listed[end - 1].score)
    return listed


def _lifted(one: Recommendation, score: float) -> Recommendation:
    missing = score - one.score
    if missing <= 0:
        return one
    known = next((reason for reason in one.reasons if reason.source is Source.FRESH), Reason(Source.FRESH, 0.0))
    fresh = replace(known, contribution=known.contribution + missing)
    others = [reason for reason in one.reasons if reason.source is not Source.FRESH and reason.contribution]
    reasons = sorted([fresh, *others], key=lambda reason: -reason.contribution)
    return replace(one, score=score, reasons=tuple(reasons))
