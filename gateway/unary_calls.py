"""The public unary calls, read from their services' descriptors: a new one is there without a further line."""

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message

from gateway.api import Api
from gateway.ops.api import OpsApi
from gateway.releases.api import ReleaseApi

_RELEASES, _OPS = "vitrine.v1.ReleaseService", "vitrine.v1.OpsService"
SERVICES = (
    "vitrine.v1.SearchService",
    "vitrine.v1.RecommendationService",
    "vitrine.v1.CatalogService",
    "vitrine.v1.UserEventService",
    "vitrine.v1.AdService",
    _RELEASES,
    _OPS,
)


@dataclass(frozen=True, slots=True)
class UnaryCall:
    """One call: its path such as `/vitrine.v1.SearchService/Search`, what it takes, and what answers it."""

    path: str
    request_type: type[Message]
    method: Callable[..., Awaitable[Message]]


def unary_calls(api: Api, release_api: ReleaseApi, ops_api: OpsApi) -> Iterator[UnaryCall]:
    """Each unary call of SERVICES, answered by the method of its name in snake case.

    Raises AttributeError when a call has no such method.
    """
    pool = descriptor_pool.Default()
    answering_of = {_RELEASES: release_api, _OPS: ops_api}
    for service in SERVICES:
        answering = answering_of.get(service, api)
        for method in pool.FindServiceByName(service).methods:
            if not (method.client_streaming or method.server_streaming):
                name = re.sub(r"(?<!^)(?=[A-Z])", "_", method.name).lower()
                yield UnaryCall(
                    f"/{service}/{method.name}",
                    message_factory.GetMessageClass(method.input_type),
                    getattr(answering, name),
                )
