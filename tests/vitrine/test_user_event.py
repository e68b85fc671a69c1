"""Numbers of event types: what models read is what the contract says."""

from vitrine.user_event import EventType
from vitrine.v1 import user_event_pb2


def test_event_types_have_the_contracts_numbers() -> None:
    expected = {f"EVENT_TYPE_{kind.name}": kind.number for kind in EventType}
    assert expected | {"EVENT_TYPE_UNSPECIFIED": 0} == dict(user_event_pb2.EventType.items())
