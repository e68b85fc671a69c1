"""The data files that ghz sends: serialized requests, and the descriptors of what they are sent to."""

import io
from collections.abc import Iterable
from pathlib import Path

from google.protobuf import descriptor, descriptor_pb2, proto
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from loadtest.methods import service_files


def write_messages(path: Path, messages: Iterable[Message]) -> None:
    """Writes messages as ghz reads them: each after its length. Those that ghz would take for a template (the bytes of
    a vector may hold "{{") are left out."""
    buffer = io.BytesIO()
    for message in messages:
        if b"{{" not in message.SerializeToString():
            proto.serialize_length_prefixed(message, buffer)
    path.write_bytes(buffer.getbuffer())


def write_descriptors(path: Path) -> None:
    """Writes what ghz needs to know of the services. It asks no server: Python's reflection does not find a method
    by its full name, which is how ghz asks (grpc#34743)."""
    files: dict[str, descriptor.FileDescriptor] = {}

    def add(added: descriptor.FileDescriptor) -> None:
        for needed in added.dependencies:
            add(needed)
        files[added.name] = added

    for file in (*service_files(), health_pb2.DESCRIPTOR):
        add(file)
    descriptors = descriptor_pb2.FileDescriptorSet()
    for file in files.values():
        file.CopyToProto(descriptors.file.add())
    path.write_bytes(descriptors.SerializeToString())
