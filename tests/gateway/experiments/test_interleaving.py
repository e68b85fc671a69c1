"""Team-draft interleaving: fair between equals, and it finds the better order."""

from random import Random

from gateway.experiments.interleaving import team_draft


def test_every_item_is_there_once_and_teams_take_turns() -> None:
    for seed in map(str, range(50)):
        mixed = team_draft((list(range(10)), list(range(9, -1, -1))), 10, seed)
        assert sorted(item for item, _ in mixed) == list(range(10))
        teams = [team for _, team in mixed]
        assert [sum(teams[at : at + 2]) for at in range(0, 10, 2)] == [1] * 5
        # Each captain takes the best that is left to him.
        assert [next(item for item, of in mixed if of == team) for team in (0, 1)] == [0, 9]


def test_the_seed_decides() -> None:
    orders = (list(range(20)), list(range(19, -1, -1)))
    assert team_draft(orders, 10, "a") == team_draft(orders, 10, "a")
    assert len({tuple(team_draft(orders, 10, str(seed))) for seed in range(20)}) > 10


def test_when_one_order_ends_the_other_goes_on() -> None:
    assert [item for item, _ in team_draft(([1, 2, 3, 4, 5], [2]), 10, "s")][-2:] == [4, 5]
    assert sorted(item for item, _ in team_draft(([], [2, 3]), 10, "s")) == [2, 3]
    assert team_draft(([], []), 10, "s") == []
    assert len(team_draft(([1, 2, 3], [4, 5, 6]), 5, "s")) == 5


def wins(better: float, answers: int = 1_200) -> float:
    """Mean credit of the second order per click, in [0, 1], where it agrees with what is relevant so much more."""
    draws = Random(7)
    credit, clicks = 0, 0
    for number in range(answers):
        relevant = draws.sample(range(20), 20)

        def order(quality: float, relevant: list[int] = relevant) -> list[int]:
            noise = {item: draws.gauss(0, 10) for item in relevant}
            return sorted(relevant, key=lambda item: quality * relevant.index(item) + noise[item])

        mixed = team_draft((order(1.0), order(better)), 10, str(number))
        for place, (item, team) in enumerate(mixed):
            # Seen with the place's probability, clicked with the item's.
            if draws.random() < 1 / (place + 1) and draws.random() < 0.8 ** relevant.index(item):
                credit, clicks = credit + team, clicks + 1
    return credit / clicks


def test_clicks_fall_to_equal_orders_alike() -> None:
    # About 2,500 clicks: four standard errors are 0.04.
    assert abs(wins(better=1.0) - 0.5) < 0.04


def test_the_better_order_is_found() -> None:
    assert wins(better=3.0) > 0.54
    assert wins(better=0.2) < 0.46
