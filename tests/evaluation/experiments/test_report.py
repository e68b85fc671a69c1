"""Reports of events: who is counted, where, and for how much."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from evaluation.experiments.interleaved import interleaved_report_of
from evaluation.experiments.report import Report, report_of
from evaluation.experiments.visitors import ExperimentLog
from gateway.experiments.attribution import INTERLEAVED, Attribution
from gateway.experiments.definitions import Experiment
from vitrine.user_event import EventProduct, EventType, UserEvent

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
TEST = Experiment.model_validate({"placements": ["home"], "arms": [{"name": "today"}, {"name": "varied"}]})
SHOWN, CLICK, VIEW = EventType.VIEW_ITEM_LIST, EventType.SELECT_ITEM, EventType.VIEW_ITEM
CART, BOUGHT, BACK = EventType.ADD_TO_CART, EventType.PURCHASE, EventType.REFUND


def event(visitor: str, kind: EventType, *products: str, token: str = "", at_s: float = 60, **fields: Any) -> UserEvent:
    return UserEvent(
        event_id=f"{visitor}-{kind.value}-{products}-{at_s}",
        event_type=kind,
        visitor_id=visitor,
        event_time=NOW + timedelta(seconds=at_s),
        products=tuple(EventProduct(one, fields.pop("quantity", 1), fields.pop("price", None)) for one in products),
        attribution_token=token,
        **fields,
    )


def token(arm: str, answer: str = "a1", **fields: Any) -> str:
    return Attribution("home", NOW, answer, {"other": "x", "test": arm}, **fields).token()


def report(events: Iterable[UserEvent], experiment: Experiment = TEST) -> Report:
    log = ExperimentLog("test")
    log.read(events)
    return report_of("test", experiment, log)


def test_figures_are_exact() -> None:
    today, varied = token("today"), token("varied")
    made = report(
        [
            # Out of order, as exported: the purchase before what led to it.
            event("ana", BOUGHT, "p1", at_s=90, price=10.0, quantity=2, currency_code="CNY", transaction_id="t1"),
            event("ana", SHOWN, "p1", "p2", "p3", "p4", token=today),
            event("ana", CLICK, "p1", token=today, at_s=70),
            event("ana", VIEW, "p1", token=today, at_s=71),
            event("ana", CART, "p1", at_s=80),
            event("ben", SHOWN, "p1", "p2", token=today),
            # Before the first answer: not the experiment's.
            event("ben", BOUGHT, "p9", at_s=-90, price=99.0, currency_code="CNY"),
            event("cem", SHOWN, "p1", "p2", "p3", "p4", token=varied),
            event("cem", CLICK, "p2", token=varied),
            event("cem", CLICK, "p3", token=varied),
            event("cem", BOUGHT, "p2", at_s=80, price=30.0, currency_code="CNY", transaction_id="t2"),
            event("cem", BOUGHT, "p3", at_s=81, price=5.0, currency_code="EUR", transaction_id="t3"),
            event("cem", BACK, at_s=99, currency_code="CNY", transaction_id="t2"),
            event("dan", SHOWN, "p1", token=token("varied", "a2")),
            # Of no experiment.
            event("eve", SHOWN, "p1"),
            event("eve", BOUGHT, "p1", price=70.0, currency_code="CNY"),
            event("fay", SHOWN, "p1", token="something else"),
        ]
    )
    today_is = made.arms[0]
    assert [(one.visitors, one.impressions, one.clicks) for one in made.arms] == [(2, 6, 1), (2, 5, 2)]
    names = ["ctr", "add_to_cart_rate", "conversion", "revenue_per_visitor_CNY", "revenue_per_visitor_EUR"]
    assert list(today_is.figures) == names
    values = [[figure.value for figure in one.figures.values() if figure] for one in made.arms]
    assert values == [pytest.approx([1 / 6, 0.5, 0.5, 10.0, 0.0]), pytest.approx([2 / 5, 0.0, 0.5, 0.0, 2.5])]
    assert made.sample_ratio_p == 1.0
    # Where the control's figure is 0 there is no lift over it.
    assert [one.metric for one in made.comparisons] == names[:-1]
    assert made.comparisons[0].lift.value == pytest.approx(1.4)
    assert all(one.p_holm >= one.lift.p_value for one in made.comparisons)
    assert made.notes == ("fewer than 100 visitors in today, varied: the intervals are too narrow",)


def test_part_of_an_order_given_back_is_taken_off() -> None:
    order = {"currency_code": "CNY", "transaction_id": "t1"}
    made = report(
        [
            event("ana", SHOWN, "p1", token=token("today")),
            event("ana", BOUGHT, "p1", price=10.0, quantity=3, at_s=70, **order),
            event("ana", BACK, "p1", price=10.0, at_s=80, **order),
            event("ana", BOUGHT, "p2", at_s=90, **order),
            event("ben", SHOWN, "p1", token=token("today")),
        ]
    )
    figure = made.arms[0].figures["revenue_per_visitor_CNY"]
    assert figure is not None
    assert figure.value == pytest.approx(10.0)
    assert any("1 products were bought without a price" in note for note in made.notes)


def test_who_was_in_two_arms_is_in_none_and_told() -> None:
    made = report(
        [
            event("ana", SHOWN, "p1", token=token("today")),
            event("ana", SHOWN, "p1", token=token("varied")),
            event("ben", SHOWN, "p1", token=token("gone")),
        ]
    )
    assert [one.visitors for one in made.arms] == [0, 0]
    assert any("1 visitors were in several arms" in note for note in made.notes)
    assert any("1 visitors were in arms that the file does not have" in note for note in made.notes)


def test_without_tokens_it_says_so() -> None:
    made = report([event("ana", SHOWN, "p1")])
    assert made.notes[0] == "none of 1 events carries a token of this experiment: send attribution_token"
    assert made.comparisons == ()


def test_a_sample_ratio_mismatch_is_found(tmp_path: Path) -> None:
    def shown(count: int, arm: str) -> list[UserEvent]:
        return [event(f"{arm}-{number}", SHOWN, "p1", token=token(arm)) for number in range(count)]

    assert not report(shown(1_020, "today") + shown(980, "varied")).is_mismatched
    # A tenth of one arm's visitors reports nothing.
    lost = report(shown(1_000, "today") + shown(850, "varied"))
    assert lost.is_mismatched
    lost.write(tmp_path / "report.json")
    assert '"sample_ratio_p": 0.000' in (tmp_path / "report.json").read_text()
    uneven = Experiment.model_validate(
        {"placements": ["home"], "arms": [{"name": "today", "weight": 9}, {"name": "varied"}]}
    )
    assert not report(shown(900, "today") + shown(100, "varied"), uneven).is_mismatched


BOTH = Experiment.model_validate(
    {"placements": ["home"], "interleave": True, "arms": [{"name": "today"}, {"name": "varied"}]}
)


def interleaved_token(answer: str, teams: list[int]) -> str:
    return token(INTERLEAVED, answer, teams={"test": teams})


def test_interleaved_clicks_go_to_the_arm_that_gave_the_result() -> None:
    first, second = interleaved_token("a1", [0, 1, 1, 0]), interleaved_token("a2", [1, 0])
    log = ExperimentLog("test")
    at = [EventProduct(f"p{place}", position=place) for place in range(1, 5)]

    def click(visitor: str, product: EventProduct, by: str) -> UserEvent:
        return UserEvent(
            f"{visitor}{product}", CLICK, visitor, event_time=NOW, products=(product,), attribution_token=by
        )

    log.read(
        [
            click("ana", at[1], first),
            click("ana", at[2], first),
            click("ana", at[0], second),
            # Without a position, by the list that was shown, which comes later.
            click("ben", EventProduct("p4"), first),
            UserEvent("l", SHOWN, "ben", event_time=NOW, products=tuple(at), attribution_token=first),
            # One of each: a tie.
            click("cem", at[0], second),
            click("cem", at[1], second),
            # Nobody knows where this one stood.
            click("dan", EventProduct("p9"), second),
            # Further down than the arms' results go.
            click("eve", at[3], second),
        ]
    )
    made = interleaved_report_of("test", BOTH, log)
    assert (made.visitors, made.clicks, made.wins, made.ties) == (5, (2, 4), (1, 1), 1)
    assert made.preference == 0.5
    assert made.p_value == 1.0
    assert made.notes == ("2 clicks say no position, and no list of the answer does: left out",)


def test_a_liked_arm_wins() -> None:
    draws, log = Random(3), ExperimentLog("test")
    for number in range(400):
        teams = [draws.getrandbits(1) for _ in range(10)]
        clicked = [place for place, team in enumerate(teams, start=1) if draws.random() < (0.2 if team else 0.1)]
        log.read(
            UserEvent(
                f"{number}-{place}", CLICK, f"v{number}", event_time=NOW,
                products=(EventProduct(f"p{place}", position=place),),
                attribution_token=interleaved_token(f"a{number}", teams),
            )
            for place in clicked
        )  # fmt: skip
    made = interleaved_report_of("test", BOTH, log)
    assert made.preference is not None
    assert made.preference > 0.6
    assert made.p_value < 0.001
