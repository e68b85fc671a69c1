"""Messages by chance, from their descriptors: a new field is filled without anyone thinking of it."""

from collections.abc import Mapping
from math import isfinite
from random import Random
from typing import Any

import numpy as np
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tests.fuzz import values

_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_DEPTH = 5


class Maker:
    """Makes messages; `known` has texts by the names of fields that only they open (digests, tokens).

    Of a message a share of the values is hostile, none now and then: what is refused at the door reaches no engine.
    """

    def __init__(self, random: Random, known: Mapping[str, list[str]]) -> None:
        self._random = random
        self._known = known
        self._hostile = random.choice((0.0, 0.02, 0.1, 0.5))
        self._most = 1_100

    def message(self, descriptor: Descriptor, depth: int = 0) -> Message:
        """A message of that kind."""
        made = GetMessageClass(descriptor)()
        if descriptor.full_name == "vitrine.v1.PackedVectors" and not self._is_hostile():
            return _vectors(self._random, made, self._is_hostile())
        if descriptor.full_name == "google.protobuf.Timestamp" and not self._is_hostile():
            made.seconds = self._random.choice((0, 1_700_000_000, 1_764_000_000))  # type: ignore[attr-defined]
            return made
        for field in descriptor.fields:
            if depth < _DEPTH and self._random.random() < (0.5 if depth else 0.6):
                self._fill(made, field, depth)
        return made

    def _is_hostile(self) -> bool:
        return self._random.random() < self._hostile

    def _fill(self, made: Message, field: FieldDescriptor, depth: int) -> None:
        count = self._random.choice((0, 1, 1, 2, 3)) if field.is_repeated else 1
        if field.is_repeated and self._is_hostile():
            # More than any call takes, once: of many of many a message would be all that a second makes.
            count, self._most = self._random.choice((12, self._most)), 12
        of = field.message_type
        filled = getattr(made, field.name)
        if of is not None and of.GetOptions().map_entry:
            for _ in range(min(count, 12)):
                key, value = self._scalar(of.fields_by_name["key"]), of.fields_by_name["value"]
                if value.message_type is None:
                    filled[key] = self._scalar(value)
                else:
                    filled[key].CopyFrom(self.message(value.message_type, depth + 1))
        elif of is not None and field.is_repeated:
            filled.extend(self.message(of, depth + 1) for _ in range(count))
        elif of is not None:
            filled.CopyFrom(self.message(of, depth + 1))
        elif field.is_repeated:
            filled.extend(self._scalar(field) for _ in range(count))
        else:
            setattr(made, field.name, self._scalar(field))

    def _scalar(self, field: FieldDescriptor) -> Any:
        random, hostile, kind = self._random, self._is_hostile(), field.cpp_type
        if kind == FieldDescriptor.CPPTYPE_STRING:
            text = self._text(field.name, hostile)
            return text if field.type == FieldDescriptor.TYPE_STRING else text.encode()
        if kind == FieldDescriptor.CPPTYPE_ENUM:
            return random.choice([99, -1] if hostile else [value.number for value in field.enum_type.values])
        if kind in _RANGES:
            return values.whole(random, *_RANGES[kind]) if hostile else random.choice((0, 1, 2, 3, 10))
        if kind == FieldDescriptor.CPPTYPE_BOOL:
            return random.random() < 0.5
        real = values.real(random) if hostile else random.choice((0.0, 0.5, 1.0, 19.99))
        is_wide = kind == FieldDescriptor.CPPTYPE_DOUBLE or not isfinite(real)
        return real if is_wide else min(max(real, -3e38), 3e38)

    def _text(self, name: str, hostile: bool) -> str:
        random, right = self._random, self._known.get(name)
        if hostile:
            return values.text(random)
        if right:
            text = random.choice(right)
            if text and self._is_hostile():
                # A token or digest with one character changed.
                at = random.randrange(len(text))
                text = text[:at] + random.choice("Aa0=-😀") + text[at + 1 :]
            return text
        if name in ("page_token", "cursor"):
            return ""
        return values.OF_FIELD.get(name, values.word)(random)


def _vectors(random: Random, made: Any, hostile: bool) -> Message:
    """Vectors of the width of some model, or of another; now and then of NaN, of nothing, or cut in the middle."""
    dim, count, kind, cut, number = random.choice((32, 8)), 1, random.choice((1, 2)), 0, 0.125
    if hostile:
        dim, count, kind = random.choice((1, 0, 31, 100_000)), random.choice((1, 2, 0)), random.choice((1, 2, 0, 7))
        cut, number = random.choice((0, 1, 4)), random.choice((-1.0, 0.0, 1e-30, np.nan, np.inf))
    numbers = np.full((count, min(dim, 64)), number)
    numbers[:, :: random.choice((2, 3, 5))] *= random.choice((1, 3, -2))
    data = numbers.astype(np.float16 if kind == 2 else np.float32).tobytes()
    made.data, made.dim, made.type = data[: len(data) - cut], dim, kind
    return made
