"""The rule of personalised search: taste breaks near-ties, and nothing else; what is late or away has no say."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.notes import Notes
from gateway.personalisation import Personalisation, TasteScale
from gateway.ranking import Ordered
from gateway.recommendation.query import Reason, Source
from gateway.recommendation.settings import RecommendationSettings
from gateway.recommendation.taste import Taste
from gateway.recommendation.taste_scores import Reasons
from gateway.search import Degradation, RankScores
from vitrine.deadline import Deadline
from vitrine.errors import Unavailable
from vitrine.ports import Candidate, VisitorAction
from vitrine.user_event import EventType

SETTINGS = RecommendationSettings(search_taste=0.05, events_timeout_s=0.5)


class Viewed:
    """A history of one product viewed."""

    async def history(self, visitor_id: str, *, deadline: Deadline, limit: int = 200) -> tuple[VisitorAction, ...]:
        return (VisitorAction(EventType.VIEW_ITEM, datetime.now(UTC), "liked"),)


class Told:
    """A taste that is told, in two reasons for each product."""

    def __init__(self, tastes: dict[str, float], error: Exception | None = None) -> None:
        self.tastes = tastes
        self.error = error
        self.wait = asyncio.Event()
        self.wait.set()

    async def reasons(self, taste: Taste, ids: Sequence[str], deadline: Deadline) -> Reasons:
        await self.wait.wait()
        if self.error is not None:
            raise self.error
        return {
            one: (Reason(Source.HISTORY, self.tastes[one] * 0.75), Reason(Source.ALS, self.tastes[one] * 0.25))
            for one in ids
            if one in self.tastes
        }


def order_of(probabilities: Sequence[float], behind: int = 2) -> Ordered:
    """A ranked head with these probabilities, best first, and some products that were not ranked."""
    count = len(probabilities)
    return Ordered(
        [Candidate(f"p{place}", 1.0 / (place + 1), ()) for place in range(count + behind)],
        [RankScores(0.0, 0.0, probability) for probability in sorted(probabilities, reverse=True)],
    )


async def personalised(order: Ordered, *sources: TasteScale, history: Any = None) -> tuple[Ordered, Notes]:
    notes, deadline = Notes(), Deadline.after(30)
    personalisation = Personalisation(history or Viewed(), sources, SETTINGS)
    personal = personalisation.begun("ana", notes, deadline)
    assert personal is not None
    try:
        personal.look_at([one.product_id for one in order.candidates[: len(order.ranks)]])
        return await personal.ordered(order), notes
    finally:
        personal.end()


@given(st.lists(st.tuples(st.floats(0.001, 0.999), st.floats(-30, 30, allow_subnormal=False)), min_size=1, max_size=20))
def test_what_is_less_relevant_by_more_than_the_setting_never_comes_first(given: list[tuple[float, float]]) -> None:
    order = order_of([probability for probability, _ in given])
    tastes = {f"p{place}": taste for place, (_, taste) in enumerate(given)}
    found, notes = asyncio.run(personalised(order, TasteScale(Told(tastes), strong=1.0)))
    assert notes.degradations == []
    assert sorted(one.product_id for one in found.candidates) == sorted(one.product_id for one in order.candidates)
    probabilities = [rank.probability for rank in found.ranks if rank is not None]
    for place, probability in enumerate(probabilities):
        assert max(probabilities[place:]) <= probability + SETTINGS.search_taste + 1e-12
    values = [
        probability + found.personal[one.product_id].score
        for one, probability in zip(found.candidates, probabilities, strict=False)
    ]
    assert values == sorted(values, reverse=True)
    assert [one.product_id for one in found.candidates[len(given) :]] == [f"p{len(given)}", f"p{len(given) + 1}"]
    for one in found.personal.values():
        assert sum(reason.contribution for reason in one.reasons) == pytest.approx(one.score, abs=1e-12)


async def test_among_equals_the_likest_leads_and_a_weak_taste_stays_weak() -> None:
    order = order_of([0.8, 0.8, 0.8])
    strong, _ = await personalised(order, TasteScale(Told({"p0": -3.0, "p1": 0.0, "p2": 3.0}), strong=1.0))
    assert [one.product_id for one in strong.candidates] == ["p2", "p1", "p0", "p3", "p4"]
    assert strong.personal["p2"].score == pytest.approx(SETTINGS.search_taste / 2)
    weak, _ = await personalised(order, TasteScale(Told({"p2": 0.1}), strong=1.0))
    assert weak.personal["p2"].score == pytest.approx(SETTINGS.search_taste / 20)


async def test_where_one_source_is_away_the_next_one_tells_and_that_is_noted() -> None:
    order = order_of([0.8, 0.8])
    learned = TasteScale(Told({}, Unavailable("away")), strong=1.0)
    likeness = TasteScale(Told({"p1": 1.0}), strong=1.0)
    found, notes = await personalised(order, learned, likeness)
    assert [one.product_id for one in found.candidates[:2]] == ["p1", "p0"]
    assert notes.degradations == [Degradation.NO_RECOMMENDER]
    found, notes = await personalised(order, TasteScale(Told({}, Unavailable("away")), strong=1.0))
    assert found == order
    assert notes.degradations == [Degradation.NO_PERSONALISATION]


async def test_a_taste_that_comes_too_late_has_no_say() -> None:
    late = Told({"p1": 1.0})
    late.wait.clear()
    order = order_of([0.8, 0.8])
    found, notes = await personalised(order, TasteScale(late, strong=1.0))
    assert found == order
    assert notes.degradations == [Degradation.NO_PERSONALISATION]


def test_nobody_is_asked_where_no_visitor_is_known_or_it_is_off() -> None:
    assert Personalisation(Viewed(), (), SETTINGS).begun("", Notes(), Deadline.after(1)) is None
    off = Personalisation(Viewed(), (), RecommendationSettings(search_taste=0))
    assert off.begun("ana", Notes(), Deadline.after(1)) is None
