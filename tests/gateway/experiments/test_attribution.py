"""Tokens that say what an answer was."""

from datetime import UTC, datetime
from random import Random

import pytest

from gateway.experiments.attribution import INTERLEAVED, MAX_CHARACTERS, Attribution, new_answer_id, read_token

NOW = datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC)


def test_a_token_holds_the_answer() -> None:
    answer = Attribution("home", NOW, "Qk3vX0aPz1bM_-xy", {"varied-home": "b", "new_ranks": "today"})
    assert answer.token() == "1.home.t9q9c5.Qk3vX0aPz1bM_-xy.varied-home~b.new_ranks~today"
    assert read_token(answer.token()) == answer


@pytest.mark.parametrize("count", [0, 1, 7, 8, 10, 100, 200])
def test_teams_come_back_as_they_were(count: int) -> None:
    teams = Random(count).choices((0, 1), k=count)
    answer = Attribution("search", NOW, new_answer_id(), {"a": "b", "ranks": INTERLEAVED}, {"ranks": teams})
    assert len(answer.token()) <= MAX_CHARACTERS
    assert read_token(answer.token()) == answer


def test_an_ads_token_is_that_of_its_answer() -> None:
    answer = Attribution("ads", NOW, new_answer_id(), {"bids": "b"})
    assert read_token(f"{answer.token()}.{'x' * 62}") == answer


def test_without_experiments_it_is_short() -> None:
    token = Attribution("search", NOW, new_answer_id()).token()
    assert len(token) < 40
    found = read_token(token)
    assert found is not None
    assert (found.place, found.time, found.arms) == ("search", NOW, {})


@pytest.mark.parametrize(
    "token",
    [
        "",
        "Qk3vX0aPz1bM_-xy",
        "2.home.t3k9xa.Qk3v",
        "1.home.t3k9xa",
        "1.home.zzzzzzzz.Qk3v",
        "1.home.t3k9xa.Qk3v.arm.arm",
        "1.home.t3k9xa.Qk3v.a~b.",
        "1.home.t3k9xa.Qk3v.a~b~c",
        "1.home.t3k9xa.Qk3v.a~~A",
        "1.home.t3k9xa.安娜",
        "1.home.t3k9xa." + "Q" * 33,
    ],
)
def test_what_is_no_token_is_read_as_none(token: str) -> None:
    assert read_token(token) is None
