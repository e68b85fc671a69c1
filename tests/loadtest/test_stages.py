"""The load test's stages: none of the contract's methods is left out, and every stage has its limits."""

from pathlib import Path
from typing import Any

import pytest

from loadtest.ghz import Measured
from loadtest.limits import NO_OP_STAGE, read_limits
from loadtest.material import Material
from loadtest.methods import NO_OP, methods
from loadtest.stages import LOADS, SWEPT, Stages
from loadtest.suite import Targets
from vitrine.text import normalize_text

NOWHERE = Targets("", "", "", "")
STAGES = [(name, temperature) for name, load in LOADS.items() for temperature in load.temperatures()]


def test_every_method_of_the_contract_has_a_load() -> None:
    known, protos = methods(), Path(__file__).parents[2] / "protos/vitrine/v1"
    declared = sum(
        line.startswith("  rpc ") for path in protos.glob("*.proto") for line in path.read_text().splitlines()
    )
    assert len(known) == declared + 1
    assert {name for name in known if name not in LOADS} == set(), (
        "give each a Load in loadtest/public_loads.py or internal_loads.py"
    )
    assert set(LOADS) == set(known)
    assert all(load.temperatures() for load in LOADS.values())


def test_every_stage_has_limits_and_errors_are_none_of_them() -> None:
    limits = read_limits()
    assert set(limits) == {f"{name} {temperature}" for name, temperature in STAGES}
    assert {limit.max_errors for limit in limits.values()} == {0}
    assert all(limits[stage].max_cost_in_noops for stage in limits if stage != NO_OP_STAGE)
    assert set(SWEPT) <= set(STAGES)


# What needs no suite that runs.
@pytest.mark.parametrize(
    "name",
    [
        "SearchService/Search",
        "SearchService/Suggest",
        "CatalogService/GetProduct",
        "CatalogService/UpdateOffers",
        "UserEventService/WriteUserEvents",
        "RecommendationService/Recommend",
        "EmbedderService/Embed",
        "RetrieverService/RetrieveRelated",
    ],
)
def test_cold_requests_never_repeat_and_hot_ones_do(name: str) -> None:
    material = Material(NOWHERE, seed=1, popular_count=20, fresh_count=500)
    asked = {
        temperature: [message.SerializeToString() for message in messages(material)]
        for temperature, messages in LOADS[name].temperatures().items()
    }
    assert len(set(asked["cold"])) == len(asked["cold"]) > 400
    assert len(set(asked["hot"])) <= 20


def test_what_is_cold_is_asked_once_by_all_callers_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def sent(_: Stages, stage: str, _method: Any, data: Any, in_flight: int, ends: list[str], *_more: Any) -> Measured:
        assert ends[0] == "--total"
        asked.extend(data[number % len(data)].SerializeToString() for number in range(int(ends[1])))
        return Measured(stage, int(ends[1]), 1e6, 1.0, 1.0, 1.0, {"OK": int(ends[1])}, in_flight=in_flight)

    monkeypatch.setattr(Stages, "_data", lambda _, messages: list(messages))
    monkeypatch.setattr(Stages, "_ghz", sent)
    name = "SearchService/Search"
    material = Material(NOWHERE, seed=1, popular_count=20, fresh_count=500)
    stages = Stages(tmp_path, "suite", material, 2.0, lambda said: None)
    stages._by_callers(methods()[name], "cold")
    stages._one(methods()[name], LOADS[name], "cold", LOADS[name].temperatures()["cold"](material))
    assert len(set(asked)) == len(asked) > 400


def test_cold_queries_are_new_to_every_cache() -> None:
    one, other = (Material(NOWHERE, seed=seed, popular_count=20, fresh_count=500) for seed in (1, 2))
    assert len({normalize_text(query) for query in (*one.fresh, *other.fresh, *set(one.popular))}) >= 1_000 + 10


def test_the_no_op_comes_first_of_all() -> None:
    assert next(iter(LOADS)) == NO_OP
