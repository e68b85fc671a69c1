"""Standing: what is left of candidates' scores once their quality and the texts before them are looked at."""

from collections.abc import Sequence
from dataclasses import replace
from math import fsum

from gateway.content.likeness import ALIKE, likeness, sketch_of
from gateway.content.quality import quality_of
from gateway.content.words import is_whole, text_of, words_of
from gateway.recommendation.query import Recommendation

# What is left of the score of a text that another one has said.
_SAID_BEFORE = 0.05


def standing(scored: Sequence[Recommendation], count: int) -> list[Recommendation]:
    """The first `count` candidates, best first, ties by id: poor texts sink, and deeper what was said before.

    The very same text under several ids is there once, under the one that scores best; two of which only the beginnings
    are known are never taken for the very same. Contributions shrink with the score, so they still add up to it.
    """
    worthy = _sorted([_times(one, quality_of(text_of(one.product)), "quality") for one in scored])
    said: set[tuple[str, ...]] = set()
    sketches: list[int] = []
    stood = []
    for one in worthy:
        text = text_of(one.product)
        if is_whole(one.product):
            if words_of(text) in said:
                continue
            said.add(words_of(text))
        sketch = sketch_of(text)
        likest = max((likeness(sketch, other) for other in sketches), default=0.0)
        if likest >= ALIKE:
            one = _times(one, _SAID_BEFORE, "said_before")
        else:
            sketches.append(sketch)
        stood.append(one)
        if len(sketches) >= count and one.score >= worthy[0].score * _SAID_BEFORE:
            break  # what follows, or was said before, scores less
    return _sorted(stood)[:count]


def _times(one: Recommendation, factor: float, name: str) -> Recommendation:
    reasons = tuple(
        replace(reason, contribution=reason.contribution * factor, features={**reason.features, name: factor})
        for reason in one.reasons
    )
    return replace(one, score=fsum(reason.contribution for reason in reasons), reasons=reasons)


def _sorted(scored: list[Recommendation]) -> list[Recommendation]:
    return sorted(scored, key=lambda one: (-one.score, one.product.id))
