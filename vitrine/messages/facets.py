"""Facets over the wire."""

from collections.abc import Iterable

from vitrine.errors import invalid
from vitrine.ports import DEFAULT_FACET_LIMIT, Facet, FacetSpec, FacetValue
from vitrine.v1 import retriever_service_pb2 as pb

# There are few; a message has room for millions, which would be read on the event loop.
MAX_FACETS = 20
_MAX_BOUNDS = 100


def facet_specs_to_messages(specs: Iterable[FacetSpec]) -> list[pb.FacetSpec]:
    """What is asked for. Raises InvalidArgument for a limit below 1, which the wire cannot tell from unset."""
    messages = []
    for index, spec in enumerate(specs):
        if spec.limit < 1:
            raise invalid(f"facets[{index}].limit", f"is {spec.limit}; ask for at least 1")
        messages.append(
            pb.FacetSpec(key=spec.key, limit=spec.limit, bounds=spec.bounds, ignore_own_filter=spec.ignore_own_filter)
        )
    return messages


def facet_specs_from_messages(messages: Iterable[pb.FacetSpec]) -> tuple[FacetSpec, ...]:
    """What is asked for. Raises InvalidArgument where there is more than can be read."""
    specs = []
    for index, message in enumerate(messages):
        if index == MAX_FACETS:
            raise invalid("facets", f"has more than {MAX_FACETS} entries; ask for fewer")
        if len(message.bounds) > _MAX_BOUNDS:
            fault = f"has {len(message.bounds)} entries; at most {_MAX_BOUNDS} are allowed"
            raise invalid(f"facets[{index}].bounds", fault)
        limit = message.limit or DEFAULT_FACET_LIMIT
        specs.append(FacetSpec(message.key, limit, tuple(message.bounds), message.ignore_own_filter))
    return tuple(specs)


def facets_to_messages(facets: Iterable[Facet]) -> list[pb.Facet]:
    """What was counted."""
    return [
        pb.Facet(
            key=facet.key,
            values=[pb.FacetValue(value=v.value, count=v.count, low=v.low, high=v.high) for v in facet.values],
            min=facet.min,
            max=facet.max,
        )
        for facet in facets
    ]


def facets_from_messages(messages: Iterable[pb.Facet]) -> tuple[Facet, ...]:
    """What was counted."""
    return tuple(
        Facet(
            key=message.key,
            values=tuple(map(_value, message.values)),
            min=message.min if message.HasField("min") else None,
            max=message.max if message.HasField("max") else None,
        )
        for message in messages
    )


def _value(message: pb.FacetValue) -> FacetValue:
    return FacetValue(
        value=message.value,
        count=message.count,
        low=message.low if message.HasField("low") else None,
        high=message.high if message.HasField("high") else None,
    )
