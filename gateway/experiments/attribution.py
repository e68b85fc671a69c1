"""Attribution tokens: what an answer was, in a form that events carry, so that no log of answers is needed.

`1.home.t3k9xa.Qk3vX0aPz1bM.varied-home~b.ranks~~1Zw` is: version, placement, time in seconds (base 36), the answer's
own id, and for each experiment its name with the visitor's arm, or, interleaved, with the team of each result: bits
behind a leading 1, from the first result on, in base64url. All characters are safe in an address. An ad's token has
one more part at its end, which is the ads' own. A token is not signed: who can write events needs no false token to
make false ones.
"""

import base64
import binascii
import re
import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from vitrine.user_event import MAX_TOKEN_CHARACTERS

# The token of an event has at most 256 characters, of which an ad's part takes 63.
MAX_CHARACTERS = 190
# The arm's name in answers to visitors who see both arms' results.
INTERLEAVED = "interleaved"
MAX_TEAMS = 200

_VERSION = "1"
_DIGITS = string.digits + string.ascii_lowercase
_TOKEN = re.compile(r"1\.([a-z]+)\.([0-9a-z]{1,7})\.([\w-]{1,32})((?:\.[\w-]+~{1,2}[\w-]+)*)(?:\.[\w-]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Attribution:
    """An answer: where it stood, when it was made, the visitor's arm in each experiment.

    `teams`: of interleaved experiments, which of its two arms (0, 1) gave each result, from the first on.
    """

    place: str
    time: datetime
    answer_id: str
    arms: Mapping[str, str] = field(default_factory=dict)
    teams: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def token(self) -> str:
        """The answer as a token."""
        arms = [f".{experiment}~{arm}" for experiment, arm in self.arms.items() if experiment not in self.teams]
        teams = [f".{experiment}~~{_packed(given)}" for experiment, given in self.teams.items()]
        time = _base36(round(self.time.timestamp()))
        return f"{_VERSION}.{self.place}.{time}.{self.answer_id}{''.join(arms + teams)}"


def new_answer_id() -> str:
    """An id for an answer: 16 characters, different from every other."""
    return secrets.token_urlsafe(12)


def read_token(token: str) -> Attribution | None:
    """The answer that a token, or an ad's token, is of; None where the token is none of these."""
    if len(token) > MAX_TOKEN_CHARACTERS or not (found := _TOKEN.fullmatch(token)):
        return None
    place, time, answer_id, rest = found.groups()
    arms: dict[str, str] = {}
    teams: dict[str, Sequence[int]] = {}
    for part in rest.split(".")[1:]:
        experiment, _, arm = part.partition("~")
        if arm.startswith("~"):
            given = _unpacked(arm[1:])
            if given is None:
                return None
            arms[experiment], teams[experiment] = INTERLEAVED, given
        else:
            arms[experiment] = arm
    return Attribution(place, datetime.fromtimestamp(int(time, 36), UTC), answer_id, arms, teams)


def _packed(teams: Sequence[int]) -> str:
    number = int("1" + "".join(map(str, teams)), 2)
    return base64.urlsafe_b64encode(number.to_bytes(len(teams) // 8 + 1)).decode().rstrip("=")


def _unpacked(text: str) -> Sequence[int] | None:
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    return [int(bit) for bit in f"{int.from_bytes(data):b}"[1:]]


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
