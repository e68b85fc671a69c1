"""The experiments file: what it may say, and what is refused by name."""

from pathlib import Path
from typing import get_args

import pytest

from gateway.experiments.definitions import SEARCH, Place, read_definitions
from gateway.recommendation.query import Placement, Source
from vitrine.errors import FailedPrecondition

WHOLE = """
[experiments.varied-home]
placements = ["home", "similar"]
traffic = 0.5

[[experiments.varied-home.arms]]
name = "today"

[[experiments.varied-home.arms]]
name = "varied"
weight = 3
settings = { diversity = 0.4, interests = 8, source_weights = { popular = 0.5 } }

[experiments.depth]
placements = ["search"]
interleave = true
arms = [{ name = "today" }, { name = "deep", settings = { rank_depth = 100, personalize = false } }]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "experiments.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read(tmp_path: Path) -> None:
    found = read_definitions(written(tmp_path, WHOLE)).experiments
    assert list(found) == ["varied-home", "depth"]
    varied = found["varied-home"].arms[1]
    assert (varied.weight, varied.settings.diversity, varied.settings.source_weights) == (3, 0.4, {Source.POPULAR: 0.5})
    assert found["depth"].arms[1].settings.personalize is False


def test_every_placement_can_be_named() -> None:
    assert set(get_args(Place)) == {SEARCH} | {placement.value for placement in Placement}


ARMS = 'arms = [{ name = "a" }, { name = "b" }]'
ONE = f'placements = ["home"]\n{ARMS}\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WHOLE.replace("diversity", "diversty"), r"arms\[1\].settings.diversty: is not known; known here: diversity, "),
        (WHOLE.replace("weight", "wait"), r"varied-home.arms\[1\].wait: is not known; known here: name, weight"),
        (WHOLE.replace("traffic", "share"), r"experiments.varied-home.share: is not known; known here: placements"),
        (WHOLE.replace("experiments.depth", "experiment.depth"), "experiment: is not known; known here: experiments"),
        (WHOLE.replace("0.4", "1.4"), r"settings.diversity: Input should be less than or equal to 1"),
        (WHOLE.replace("popular", "famous"), r"source_weights.famous"),
        (WHOLE.replace("0.5", "0"), "traffic: Input should be greater than 0"),
        (WHOLE.replace('"similar"', '"smilar"'), r"placements\[1\]: Input should be 'search', 'home'"),
        (WHOLE.replace('"varied"', '"today"'), "two arms have the name 'today'"),
        (WHOLE.replace('"varied"', '"interleaved"'), "stands for both arms"),
        (WHOLE.replace('"varied"', '"a.b"'), "'a.b' is no name"),
        (WHOLE.replace('["search"]', '["cart"]'), "counts only in search; the placements are cart"),
        (WHOLE.replace('["home", "similar"]', '["search"]'), "counts only in recommendations"),
        (WHOLE.replace('{ name = "deep"', '{ name = "x" }, { name = "deep"'), "two arms, and there are 3"),
        ("[experiments.x]\n" + ONE.replace("]\narms", ', "ads"]\ninterleave = true\narms'), "are not interleaved"),
        (f"[experiments.x]\n{ONE}[experiments.x]\n{ONE}", "is not TOML"),
        ("[experiments.x]\nplacements = ['home']\narms = [{ name = 'a' }]", "arms: Tuple should have at least 2"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(FailedPrecondition, match=said) as caught:
        read_definitions(written(tmp_path, text))
    assert "experiments.toml" in caught.value.message


def test_two_experiments_may_not_set_the_same_in_one_placement(tmp_path: Path) -> None:
    arms = 'arms = [{ name = "a" }, { name = "b", settings = { interests = 2 } }]'
    text = f'[experiments.one]\nplacements = ["home"]\n{arms}\n[experiments.two]\nplacements = ["PLACE"]\n{arms}\n'
    assert len(read_definitions(written(tmp_path, text.replace("PLACE", "similar"))).experiments) == 2
    with pytest.raises(FailedPrecondition, match="one and two both set interests in home"):
        read_definitions(written(tmp_path, text.replace("PLACE", "home")))


def test_names_that_would_make_tokens_too_long_are_refused(tmp_path: Path) -> None:
    def named(count: int) -> Path:
        return written(tmp_path, "".join(f"[experiments.{'n' * 37}{number:03}]\n{ONE}" for number in range(count)))

    assert len(read_definitions(named(3)).experiments) == 3
    with pytest.raises(FailedPrecondition, match=r"tokens of 202 characters, and they may have 190"):
        read_definitions(named(4))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match=r"nowhere.toml cannot be read: No such file"):
        read_definitions(tmp_path / "nowhere.toml")


RELEASES = """
[experiments.one]
placements = ["search", "home"]
arms = [{ name = "today" }, { name = "new", release = "spring" }]
[experiments.other]
placements = ["similar", "home"]
arms = [{ name = "today" }, { name = "new", release = "autumn", settings = { diversity = 0.4 } }]
"""


def test_an_arm_names_a_release_beside_its_settings(tmp_path: Path) -> None:
    text = RELEASES.replace('"similar", "home"', '"similar"')
    one, other = read_definitions(written(tmp_path, text)).experiments.values()
    assert (one.releases, other.releases) == ({"spring"}, {"autumn"})
    assert [arm.sets.release for arm in one.arms] == [None, "spring"]
    assert (other.arms[1].sets.release, other.arms[1].sets.diversity) == ("autumn", 0.4)
    with pytest.raises(FailedPrecondition, match="one and other both set release in home"):
        read_definitions(written(tmp_path, RELEASES))
    with pytest.raises(FailedPrecondition, match="release is no setting; name it beside settings"):
        read_definitions(written(tmp_path, text.replace("{ diversity = 0.4 }", '{ release = "autumn" }')))
