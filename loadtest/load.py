"""How a method is loaded: what is asked, hot and cold, and by how many callers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from loadtest.material import Material

Messages = Callable[[Material], Sequence[Message]]


@dataclass(frozen=True, slots=True)
class Load:
    """`hot` is asked over and over, after each of it was asked once; of `cold` nothing is asked twice.

    A method whose request says nothing, or that changes what there is but once, has one of them only. `changes`: it
    writes, and belongs to a shop of its own. `whole`: all of `cold` is asked, however long it takes, for another method
    counts on it.
    """

    hot: Messages | None = None
    cold: Messages | None = None
    in_flight: int = 8
    changes: bool = False
    whole: bool = False

    def temperatures(self) -> dict[str, Messages]:
        """What there is to ask, by "hot" and "cold"."""
        asked = {"hot": self.hot, "cold": self.cold}
        return {temperature: messages for temperature, messages in asked.items() if messages is not None}
