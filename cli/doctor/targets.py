"""Where parts are, as the settings say it: hosts and ports of gRPC targets and URLs."""

import asyncio
import socket
from urllib.parse import urlsplit

from vitrine.errors import Unavailable, invalid


def host_and_port(target: str) -> tuple[str, int]:
    """Of `host:port`, `dns:///host:port`, `ipv4:…` or a URL. Raises InvalidArgument for what names neither."""
    text = target.removeprefix("dns:///").removeprefix("dns:").removeprefix("ipv4:").removeprefix("ipv6:")
    try:
        split = urlsplit(text if "://" in text else f"//{text}")
        host, port = split.hostname, split.port
    except ValueError:
        host = port = None
    if not host or port is None:
        raise invalid("address", f"{target!r} is not one such as 127.0.0.1:50051")
    return host, port


async def resolved(target: str) -> list[tuple[str, int]]:
    """Each address of a target, in order, once. Raises Unavailable, naming the host, when it has none."""
    host, port = host_and_port(target)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no name of a host"
        raise Unavailable(f"the name {host} (of {target}) is not known: {reason}") from None
    return list(dict.fromkeys((str(address[0]), int(address[1])) for *_, address in found))


def shown(host: str, port: int) -> str:
    """host:port, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
