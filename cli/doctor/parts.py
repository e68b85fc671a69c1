"""The parts of a running suite: that each serves, and speaks the contract of this version."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import grpc
import grpc.aio
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

# Registers what the gateway and each part serve.
import vitrine.v1.embedder_service_pb2
import vitrine.v1.ranker_service_pb2
import vitrine.v1.retriever_service_pb2  # noqa: F401
from cli.doctor.check import check
from cli.doctor.findings import Finding, ok, problem, unknown, warning
from cli.doctor.suite import Replica, Suite
from vitrine.client.settings import ClientSettings, is_of_this_machine

_TIMEOUT_S = 5.0
_OURS = "vitrine/"
_SERVICES = {
    "gateway": "vitrine.v1.SearchService",
    "embedder": "vitrine.v1.EmbedderService",
    "retriever": "vitrine.v1.RetrieverService",
    "ranker": "vitrine.v1.RankerService",
}


@check("parts.health", "suite", tells="the gateway and every replica of every service answer and are SERVING")
async def health(suite: Suite) -> AsyncIterator[Finding]:
    """grpc.health.v1 of each, all at once."""
    replicas = _all(suite)
    answers = await asyncio.gather(*map(_health, replicas))
    for one, (status, fault) in zip(replicas, answers, strict=True):
        if status == health_pb2.HealthCheckResponse.SERVING:
            yield ok(f"{one.name} is serving")
        elif status is not None:
            what = (
                "its self-test fails: its log says why"
                if one.part != "gateway"
                else "the retriever is away, or is of another model"
            )
            yield problem(f"{one.name} answers, and is not serving", what)
        else:
            yield problem(f"{one.name} does not answer: {fault}", _way_in(one))
    for part, fault in suite.unresolved.items():
        yield problem(f"the {part}: {fault}", f"correct VITRINE_GATEWAY_{part.upper()}_TARGET, or the DNS")
    if suite.one_process:
        yield ok("one process is the whole suite")
        return
    if suite.maybe_inside:
        yield unknown(
            f"{', '.join(suite.maybe_inside)}: no answer: away, or in the gateway's process, as its metrics tell",
            "give a key of the scope admin (VITRINE_CLIENT_API_KEY_FILE), or name the HTTP port by --http",
        )
    if suite.unset:
        yield unknown(
            f"{', '.join(suite.unset)} of {suite.address}: not known here where that is",
            f"set {', '.join(f'VITRINE_GATEWAY_{part.upper()}_TARGET' for part in suite.unset)} as for the gateway",
        )
    # On one machine that is how it is meant.
    alone = [one.part for one in suite.replicas if len(suite.of(one.part)) == 1 and not is_of_this_machine(one.address)]
    if alone:
        yield warning(
            f"there is one {', one '.join(alone)}: nothing takes its place while it restarts",
            "run two (docs/reliability.md)",
        )


@check(
    "parts.contract",
    "suite",
    tells="every part has the calls and fields of this version (gateway against services, replicas alike)",
)
async def contract(suite: Suite) -> AsyncIterator[Finding]:
    """What each tells of its service by reflection, against the same of this installation."""
    for one in _all(suite):
        service = _SERVICES[one.part]
        try:
            theirs = await _reflected(one.channel, service)
        except grpc.aio.AioRpcError as error:
            off = error.code() == grpc.StatusCode.UNIMPLEMENTED
            why = "reflection is off" if off else (error.details() or error.code().name)
            yield unknown(
                f"{one.name} does not tell its contract: {why}",
                f"set VITRINE_{one.part.upper()}_REFLECTION=true" if off else "see parts.health",
            )
            continue
        ours = _own(service)
        missing, more = sorted(ours - theirs), sorted(theirs - ours)
        if missing:
            yield problem(
                f"{one.name} is older than this: it lacks {_some(missing)}", "update it, services before the gateway"
            )
        elif more:
            yield warning(
                f"{one.name} is newer than this: it has {_some(more)}", "update what is older, this machine too"
            )
        else:
            yield ok(f"{one.name} speaks this version's contract")


def _all(suite: Suite) -> list[Replica]:
    gateway = Replica("gateway", suite.address, suite.gateway, ClientSettings().tls())
    return [gateway] if suite.one_process else [gateway, *suite.replicas]


def _way_in(one: Replica) -> str:
    if one.part == "gateway":
        return "start it, or correct the address; over TLS set VITRINE_CLIENT_CA (see certificates.shown)"
    return f"start it, or correct VITRINE_GATEWAY_{one.part.upper()}_TARGET; over TLS set VITRINE_TLS_CA and the others"


async def _health(one: Replica) -> tuple[int | None, str]:
    """The status; None with the fault where there is no answer."""
    # Not by our own channel, which sends nothing to a server that is not serving.
    options: list[tuple[str, int | str]] = [("grpc.enable_http_proxy", 0)]
    if one.tls is not None and one.tls.server_name:
        options.append(("grpc.ssl_target_name_override", one.tls.server_name))
    opened = (
        grpc.aio.insecure_channel(one.address, options=options)
        if one.tls is None
        else grpc.aio.secure_channel(one.address, one.tls.credentials(), options=options)
    )
    async with opened as channel:
        try:
            reply = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            return None, (error.details() or error.code().name)
        return reply.status, ""


async def _reflected(channel: grpc.aio.Channel, service: str) -> set[str]:
    """Methods and fields that a service stands on, as its server tells them. Raises AioRpcError."""
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    files: dict[str, FileDescriptorProto] = {}

    async def ask(**wanted: str) -> None:
        requests = [reflection_pb2.ServerReflectionRequest(**wanted)]
        async for reply in stub.ServerReflectionInfo(iter(requests), timeout=_TIMEOUT_S):
            for data in reply.file_descriptor_response.file_descriptor_proto:
                file = FileDescriptorProto.FromString(data)
                files[file.name] = file

    await ask(file_containing_symbol=service)
    while missing := {name for file in files.values() for name in file.dependency if name.startswith(_OURS)} - set(
        files
    ):
        before = len(files)
        await ask(file_by_filename=min(missing))
        if len(files) == before:
            break
    return {name for file in files.values() if file.name.startswith(_OURS) for name in _names(file)}


def _own(service: str) -> set[str]:
    """The same of this installation."""
    waiting, files = [descriptor_pool.Default().FindFileContainingSymbol(service)], {}
    while waiting:
        file = waiting.pop()
        files[file.name] = file
        waiting += [one for one in file.dependencies if one.name.startswith(_OURS) and one.name not in files]
    found = set()
    for file in files.values():
        proto = FileDescriptorProto()
        file.CopyToProto(proto)
        found |= set(_names(proto))
    return found


def _names(file: FileDescriptorProto) -> Iterator[str]:
    """Service.Method, and Message.field with its number."""
    yield from (f"{service.name}.{method.name}" for service in file.service for method in service.method)
    waiting = list(file.message_type)
    while waiting:
        message = waiting.pop()
        waiting += message.nested_type
        yield from (f"{message.name}.{field.name} = {field.number}" for field in message.field)


def _some(names: list[str]) -> str:
    return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
