"""Team-draft interleaving: two orders as one list in which clicks say which order is liked more."""

from collections.abc import Hashable, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def team_draft(orders: tuple[Sequence[T], Sequence[T]], count: int, seed: str) -> list[tuple[T, int]]:
    """At most `count` items, none twice, each with the order (0, 1) that chose it.

    Radlinski, Kurup and Joachims (2008): as captains choose their teams, in each round both orders take the best item
    that is left, and a coin says which is first; so neither has the better places but by chance, and between orders
    of one quality clicks fall to both alike. When one order is at its end the other one goes on. `seed` throws the
    coins.
    """
    coins = Random(seed)
    waiting = tuple(iter(order) for order in orders)
    taken: dict[T, int] = {}
    ended: set[int] = set()
    while len(taken) < count and len(ended) < 2:
        first = coins.getrandbits(1)
        for team in (first, 1 - first):
            item = next((item for item in waiting[team] if item not in taken), None)
            if item is None:
                ended.add(team)
            elif len(taken) < count:
                taken[item] = team
    return list(taken.items())
