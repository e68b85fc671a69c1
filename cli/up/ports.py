"""Ports of what is started: found free, or taken free where any will do."""

import os
import socket
from typing import TypeVar

from vitrine.errors import FailedPrecondition
from vitrine.server_settings import ServerSettings

S = TypeVar("S", bound=ServerSettings)


def with_ports(settings: S) -> S:
    """The settings with a free port for each that may be any (0), in the environment, too, for what is started.

    Who starts a server says where it listens, and calls it.
    """
    prefix = settings.model_config.get("env_prefix", "")
    given = {name: free_port(settings.host) for name in ("port", "http_port") if getattr(settings, name, None) == 0}
    os.environ.update({f"{prefix}{name.upper()}": str(port) for name, port in given.items()})
    return settings.model_copy(update=given)


def require_free(host: str, port: int, variable: str) -> None:
    """Raises FailedPrecondition, naming the port and the variable that moves it, when something listens there."""
    with socket.socket() as probe:
        # As servers do, so that connections that are only waiting to expire do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise FailedPrecondition(
                f"cannot listen on {host}:{port} ({error.strerror}); stop what listens there, or set {variable}"
            ) from None


def require_free_port(settings: ServerSettings) -> None:
    """The same for a server's own port, whose variable follows from its settings."""
    require_free(settings.host, settings.port, f"{settings.model_config.get('env_prefix', '')}PORT")


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
