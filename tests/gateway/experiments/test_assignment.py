"""Calls under experiments, and a file that changes while it is followed."""

from typing import Any

import pytest

from gateway.experiments.assignment import Experiments
from gateway.experiments.attribution import INTERLEAVED, read_token
from gateway.metrics import EXPERIMENTS_FILE_REFUSED
from gateway.recommendation.settings import RecommendationSettings
from gateway.search import SearchQuery
from vitrine.errors import FailedPrecondition

TEXT = """
[experiments.home]
placements = ["home", "search"]
arms = [
  { name = "today" },
  { name = "varied", settings = { diversity = 0.9, recommender = false, rank_depth = 7 } },
]
[experiments.few]
placements = ["home"]
interleave = true
arms = [{ name = "today" }, { name = "one", settings = { interests = 1 } }]
"""


def test_a_call_has_the_settings_of_all_the_visitors_arms(experiments_file: Any) -> None:
    experiments_file.write(TEXT)
    experiments = Experiments(experiments_file.path)
    call = experiments.call(experiments_file.visitor_in("home", "varied"), "home")
    assert call.arms == {"home": "varied", "few": INTERLEAVED}
    first, second = (arm.over(RecommendationSettings()) for arm in call.tried)
    assert (first.diversity, first.interests) == (0.9, RecommendationSettings().interests)
    assert (second.diversity, second.interests) == (0.9, 1)
    assert [arm.recommender for arm in call.tried] == [False, False]
    found = read_token(call.token([0, 1, 1]))
    assert found is not None
    assert (found.place, found.arms, found.teams) == ("home", call.arms, {"few": [0, 1, 1]})


def test_what_a_search_says_itself_goes_before_the_arm(experiments_file: Any) -> None:
    experiments_file.write(TEXT)
    call = Experiments(experiments_file.path).call(experiments_file.visitor_in("home", "varied"), "search")
    assert call.arms == {"home": "varied"}
    assert call.settings.of_search(SearchQuery("q")).rank_depth == 7
    assert call.settings.of_search(SearchQuery("q", rank_depth=3)).rank_depth == 3


@pytest.mark.parametrize(("visitor", "place"), [("", "home"), ("ana", "cart")])
def test_who_has_no_id_and_what_is_elsewhere_is_in_none(experiments_file: Any, visitor: str, place: str) -> None:
    experiments_file.write(TEXT)
    call = Experiments(experiments_file.path).call(visitor, place)
    assert (call.arms, call.tried) == ({}, (call.settings,))
    assert not call.settings.model_fields_set


def test_each_answer_has_an_id_of_its_own() -> None:
    experiments = Experiments(None)
    assert experiments.call("ana", "home").token() != experiments.call("ana", "home").token()


def test_a_changed_file_is_taken_up_and_a_bad_one_is_not(experiments_file: Any) -> None:
    experiments_file.write(TEXT)
    experiments = Experiments(experiments_file.path)
    ana = experiments_file.visitor_in("home", "varied")
    assert experiments.call(ana, "search").settings.rank_depth == 7
    experiments_file.write(TEXT.replace("rank_depth = 7", "rank_depth = 90"))
    assert experiments.call(ana, "search").settings.rank_depth == 90
    for bad in (TEXT.replace("rank_depth", "rank_deepth"), "[", None):
        if bad is None:
            experiments_file.path.unlink()
        else:
            experiments_file.write(bad)
        assert experiments.call(ana, "search").settings.rank_depth == 90
        assert EXPERIMENTS_FILE_REFUSED._value.get() == 1
    experiments_file.write("")
    assert experiments.call(ana, "search").arms == {}
    assert EXPERIMENTS_FILE_REFUSED._value.get() == 0


def test_a_bad_file_at_the_start_is_refused(experiments_file: Any) -> None:
    with pytest.raises(FailedPrecondition, match=r"experiments.toml cannot be read"):
        Experiments(experiments_file.path)
