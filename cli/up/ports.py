"""Ports that must be free, asked before anything is started."""

import socket

from vitrine.errors import FailedPrecondition
from vitrine.server_settings import ServerSettings


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
