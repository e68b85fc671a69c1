"""A name server for tests: names that stand for the replicas that serve, as a headless Kubernetes service does."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

_A = b"\x00\x01"


class NameServer(asyncio.DatagramProtocol):
    """DNS over UDP on this machine; `addresses` of each name ("embedder.suite") may change at any time."""

    def __init__(self) -> None:
        self.addresses: dict[str, list[str]] = {}
        self.port = 0

    def connection_made(self, transport: Any) -> None:
        """Keeps the way back."""
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, sender: Any) -> None:
        """Answers A with the name's addresses, everything else with nothing."""
        end = data.index(0, 12) + 5
        found = self.addresses.get(_name(data), []) if data[end - 4 : end - 2] == _A else []
        records = (b"\xc0\x0c\x00\x01\x00\x01" + struct.pack(">IH", 0, 4) + socket.inet_aton(one) for one in found)
        header = data[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, len(found), 0, 0)
        self._transport.sendto(header + data[12:end] + b"".join(records), sender)


def _name(data: bytes) -> str:
    """The name that a question is about."""
    labels, at = [], 12
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels)


@asynccontextmanager
async def name_server() -> AsyncIterator[NameServer]:
    """A name server on a free port, without names."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, ("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()
