"""Other ways to type the same thing: model numbers in part, sizes in other units, slips of either script."""

import random
import re
from collections import defaultdict
from collections.abc import Iterable

from training.shop_queries import Units, with_other_unit, with_typo
from training.vocabulary import has_han

_NUMBER = r"(?<![\d.])(\d+(?:\.\d+)?)"
_RUNS = re.compile(r"[a-z]+|\d+")


def _unit(written: str, *forms: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    end = r"(?![a-z])" if written[-2:].strip(")").isascii() else ""
    return re.compile(rf"{_NUMBER}[ -]?(?:{written}){end}"), forms


# Written forms that are plainly one unit; "g" alone may be gigabytes or grams, so it is only ever written, never read.
_UNITS: Units = (
    _unit("\"|''|”|inches|inch|英寸|寸|吋", "{0} inch", '{0}"', "{0}-inch", "{0}寸", "{0}英寸", "{0} 寸", "{0} in"),
    _unit("gb", "{0}gb", "{0} gb", "{0}g"),
    _unit("tb", "{0}tb", "{0} tb", "{0}t"),
    _unit("ml|毫升", "{0}ml", "{0} ml", "{0}毫升", "{0} 毫升"),
    _unit("liters|liter|litre|l|升", "{0}l", "{0} l", "{0}升", "{0} liter"),
    _unit("kg|公斤|千克", "{0}kg", "{0} kg", "{0}公斤", "{0}千克"),
    _unit("cm|厘米", "{0}cm", "{0} cm", "{0}厘米"),
    _unit("mm|毫米", "{0}mm", "{0} mm", "{0}毫米"),
    _unit("w|watt|瓦", "{0}w", "{0} w", "{0}瓦", "{0} watt"),
    _unit("hz|赫兹", "{0}hz", "{0} hz", "{0}赫兹"),
    _unit("mah|毫安", "{0}mah", "{0} mah", "{0}毫安"),
)
# A thousand of the one is one of the other.
_THOUSANDS = (("l", "ml"), ("升", "毫升"), ("kg", "g"), ("公斤", "克"), ("m", "mm"))


def model_form(model: str, rng: random.Random) -> str:
    """A model number as shoppers type it: "wh-1000xm5" gives "wh1000xm5", "wh 1000xm5", "wh1000", "1000xm5".

    Normalised in and out; a model without a digit comes back as it is.
    """
    runs = _RUNS.findall(model)
    if not any(run.isdigit() for run in runs):
        return model
    spans = [
        runs[start:end]
        for start in range(len(runs))
        for end in range(start + 1, len(runs) + 1)
        if any(run.isdigit() for run in runs[start:end]) and len("".join(runs[start:end])) >= 3
    ]
    part = runs if rng.random() < 0.5 or not spans else rng.choice(spans)
    if rng.random() < 0.7:
        return "".join(part)
    cut = rng.randint(1, max(1, len(part) - 1))
    return f"{''.join(part[:cut])}{rng.choice(' -')}{''.join(part[cut:])}".strip(" -")


def sizes(text: str) -> list[str]:
    """The sizes that a text tells, as it writes them."""
    return [match.group(0) for pattern, _ in _UNITS for match in pattern.finditer(text)]


def unit_form(text: str, rng: random.Random) -> str:
    """The same size in another unit, spelling or script: 17", 17 inch, 17 寸; 1.5l, 1500ml; 256gb, 256g."""
    changed = _in_thousands(text) if rng.random() < 0.3 else text
    return changed if changed != text else with_other_unit(text, rng, _UNITS)


def _in_thousands(text: str) -> str:
    for large, small in _THOUSANDS:
        if match := re.search(rf"{_NUMBER} ?{large}(?![a-z])", text):
            number = f"{round(float(match.group(1)) * 1000, 3):g}{small}"
        elif (match := re.search(rf"{_NUMBER} ?{small}(?![a-z])", text)) and float(match.group(1)) >= 500:
            number = f"{float(match.group(1)) / 1000:g}{large}"
        else:
            continue
        return text[: match.start()] + number + text[match.end() :]
    return text


class Slips:
    """Typing errors in either script. Of Chinese: a character of the same sound, one left out, two swapped.

    A sound's characters are those of `texts`, so that what is typed by mistake is something that shoppers do type.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        from pypinyin import Style, pinyin

        characters = sorted({character for text in texts for character in text if has_han(character)})
        sounds = pinyin(characters, style=Style.NORMAL, heteronym=False) if characters else []
        by_sound: dict[str, list[str]] = defaultdict(list)
        for character, (sound,) in zip(characters, sounds, strict=True):
            by_sound[sound].append(character)
        self._alike = {character: alike for alike in by_sound.values() for character in alike if len(alike) > 1}

    def slip(self, query: str, rng: random.Random) -> str:
        """The query with one slip; as it is when it is too short for one."""
        places = [at for at, character in enumerate(query) if has_han(character)]
        if len(places) < 2:
            return with_typo(query, rng)
        at = rng.choice(places)
        alike = [other for other in self._alike.get(query[at], ()) if other != query[at]]
        if alike and rng.random() < 0.7:
            return query[:at] + rng.choice(alike) + query[at + 1 :]
        if len(places) < 3:
            return query
        if rng.random() < 0.5 or at + 1 >= len(query):
            return query[:at] + query[at + 1 :]
        return query[:at] + query[at + 1] + query[at] + query[at + 2 :]
