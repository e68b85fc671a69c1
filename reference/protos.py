"""The contract as protoc reads it, with the comments that stand in protos/."""

import sysconfig
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc_tools
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)
from grpc_tools import protoc

PROTOS = Path(__file__).parents[1] / "protos"
# Numbers of the fields of descriptor.proto that lead from a file to what is in it.
_MESSAGES, _ENUMS, _SERVICES, _FIELDS, _METHODS, _VALUES = 4, 5, 6, 2, 2, 2


@dataclass(frozen=True, slots=True)
class Protos:
    """What the files define, by full name such as `vitrine.v1.Product`, and comments by full name and member.

    `map_entries`: the pairs that maps repeat, by the name that protoc gives them.
    """

    services: dict[str, ServiceDescriptorProto]
    messages: dict[str, DescriptorProto]
    enums: dict[str, EnumDescriptorProto]
    map_entries: dict[str, DescriptorProto]
    comments: dict[str, str]


def read_protos() -> Protos:
    """All that protos/ defines. Raises ValueError, after what protoc says, where a file is wrong."""
    with TemporaryDirectory() as scratch:
        out = Path(scratch) / "all.binpb"
        includes = (PROTOS, Path(grpc_tools.__file__).parent / "_proto", sysconfig.get_path("purelib"))
        files = map(str, sorted(PROTOS.rglob("*.proto")))
        arguments = ("protoc", *(f"-I{folder}" for folder in includes), "--include_source_info")
        if protoc.main([*arguments, f"--descriptor_set_out={out}", *files]):
            raise ValueError("protos/ cannot be read")
        found = FileDescriptorSet.FromString(out.read_bytes())
    protos = Protos({}, {}, {}, {}, {})
    for file in found.file:
        _add(protos, file)
    return protos


def _add(protos: Protos, file: FileDescriptorProto) -> None:
    said = {
        tuple(place.path): (place.leading_comments or place.trailing_comments).strip()
        for place in file.source_code_info.location
    }
    for at, message in enumerate(file.message_type):
        full = f"{file.package}.{message.name}"
        protos.messages[full] = message
        for inner in message.nested_type:
            if not inner.options.map_entry:
                raise ValueError(f"{full} has {inner.name} inside; give it a place of its own")
            protos.map_entries[f"{full}.{inner.name}"] = inner
        _comment(protos, said, full, (_MESSAGES, at), _FIELDS, [one.name for one in message.field])
    for at, enum in enumerate(file.enum_type):
        full = f"{file.package}.{enum.name}"
        protos.enums[full] = enum
        _comment(protos, said, full, (_ENUMS, at), _VALUES, [one.name for one in enum.value])
    for at, service in enumerate(file.service):
        full = f"{file.package}.{service.name}"
        protos.services[full] = service
        _comment(protos, said, full, (_SERVICES, at), _METHODS, [one.name for one in service.method])


def _comment(
    protos: Protos, said: dict[tuple[int, ...], str], full: str, path: tuple[int, int], kind: int, members: list[str]
) -> None:
    protos.comments[full] = said.get(path, "")
    for at, member in enumerate(members):
        protos.comments[f"{full}.{member}"] = said.get((*path, kind, at), "")
