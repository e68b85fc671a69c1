"""The pages of the API: every RPC, message field and enum value, with the comments of protos/."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, MethodDescriptorProto

from gateway.auth.scopes import SCOPES
from gateway.unary_calls import SERVICES
from reference.markdown import plain, table
from reference.protos import Protos, read_protos

PUBLIC, INTERNAL = "api.md", "internal-api.md"
_INTRODUCTIONS = {
    PUBLIC: """# Public API

What shops call, on the gateway: gRPC, and each unary call also as JSON over HTTP: `POST` to the path that is named,
with fields in lowerCamelCase, enums by name, and a body of `{}` where nothing is said. Where keys or tokens are set, a
call needs its scope ([security](security.md)). The contract is `protos/vitrine/v1`; fields are only ever added.

""",
    INTERNAL: """# Internal API

What the gateway asks of embedder, retriever and ranker: gRPC only, and for no one outside the suite. Messages that the
[public API](api.md) has, too, are described there.

""",
}
_KINDS = {number: name.removeprefix("TYPE_").lower() for name, number in FieldDescriptorProto.Type.items()}


def api_pages() -> dict[str, str]:
    """Both pages, by name."""
    protos = read_protos()
    placed: dict[str, str] = {}
    made = {}
    for page, services in (
        (PUBLIC, list(SERVICES)),
        (INTERNAL, sorted(set(protos.services) - set(SERVICES))),
    ):
        parts = [_INTRODUCTIONS[page]]
        for service in services:
            own = [one for one in _reached(protos, service) if one not in placed]
            placed |= dict.fromkeys(own, page)
            parts += [_service(protos, service, page, placed), *(_type(protos, one, page, placed) for one in own)]
        made[page] = "".join(parts).rstrip() + "\n"
    return made


def _reached(protos: Protos, service: str) -> Iterator[str]:
    """Messages and enums of a service's calls, each before what is in it."""
    types: dict[str, Any] = {**protos.messages, **protos.enums, **protos.map_entries}
    seen: set[str] = set()

    def visit(name: str) -> Iterator[str]:
        full = name.removeprefix(".")
        if full in seen or full not in types:
            return
        seen.add(full)
        if full not in protos.map_entries:
            yield full
        if full not in protos.enums:
            for field in types[full].field:
                yield from visit(field.type_name)

    for method in protos.services[service].method:
        yield from visit(method.input_type)
        yield from visit(method.output_type)


def _service(protos: Protos, service: str, page: str, placed: dict[str, str]) -> str:
    parts = [f"## {_short(service)}\n\n{plain(protos.comments[service])}\n\n"]
    for method in protos.services[service].method:
        path = f"/{service}/{method.name}"
        facts = [_path(method, path, page), f"{_sent(method, page, placed)}"]
        if page == PUBLIC:
            facts.append(f"scope `{SCOPES[path]}`")
        comment = plain(protos.comments[f"{service}.{method.name}"])
        parts.append(f"### {method.name}\n\n{' · '.join(facts)}\n\n{comment}\n\n")
    return "".join(parts)


def _path(method: MethodDescriptorProto, path: str, page: str) -> str:
    streams = method.client_streaming or method.server_streaming
    return f"`{path}`" if streams or page == INTERNAL else f"`POST {path}`"


def _sent(method: MethodDescriptorProto, page: str, placed: dict[str, str]) -> str:
    asked, answered = (_link(name, page, placed) for name in (method.input_type, method.output_type))
    return (
        f"{'stream of ' if method.client_streaming else ''}{asked} →"
        f" {'stream of ' if method.server_streaming else ''}{answered}"
    )


def _type(protos: Protos, full: str, page: str, placed: dict[str, str]) -> str:
    comment = plain(protos.comments[full])
    head = f"### {_short(full)}\n\n" + (f"{comment}\n\n" if comment else "")
    if full in protos.enums:
        values = protos.enums[full].value
        return head + table(
            ("value", "meaning"), ((f"`{one.name}`", plain(protos.comments[f"{full}.{one.name}"])) for one in values)
        )
    fields = protos.messages[full].field
    return head + (
        table(
            ("field", "type", "meaning"),
            (
                (f"`{one.name}`", _field_type(protos, one, page, placed), plain(protos.comments[f"{full}.{one.name}"]))
                for one in fields
            ),
        )
        or "No fields.\n\n"
    )


def _field_type(protos: Protos, field: FieldDescriptorProto, page: str, placed: dict[str, str]) -> str:
    if entry := protos.map_entries.get(field.type_name.removeprefix(".")):
        key, value = (_field_type(protos, one, page, placed) for one in entry.field)
        return f"map of {key} to {value}"
    name = _link(field.type_name, page, placed) if field.type_name else _KINDS[field.type]
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"repeated {name}"
    return f"optional {name}" if field.proto3_optional else name


def _link(name: str, page: str, placed: dict[str, str]) -> str:
    full = name.removeprefix(".")
    if full not in placed:
        return full
    where = "" if placed[full] == page else placed[full]
    return f"[{_short(full)}]({where}#{_short(full).lower()})"


def _short(full: str) -> str:
    return full.rpartition(".")[2]
