"""A channel to the gateway, and what is wrong with it in words that say what to do."""

from collections.abc import Callable, Sequence

import grpc.aio
import structlog

from vitrine.channel import ChannelSettings, open_channel
from vitrine.client.settings import ClientSettings, is_of_this_machine
from vitrine.errors import FailedPrecondition, Unauthenticated, Unavailable, VitrineError
from vitrine.tls import ClientTls

_log = structlog.get_logger("vitrine.client")

# The client's own retries are the only ones, so that they have one budget.
_CHANNEL = ChannelSettings(retry_attempts=1)

Key = str | Callable[[], str] | None


class Connecting:
    """How the gateway at `target` is reached; what is None comes from the environment, VITRINE_CLIENT_…"""

    def __init__(self, target: str, api_key: Key, tls: ClientTls | None) -> None:
        """Raises FailedPrecondition when the key is none that can be sent, or its file cannot be read."""
        settings = ClientSettings()
        self.target = target
        self._tls = tls or settings.tls()
        self._key = _given(api_key) if api_key is not None else settings.current_credentials()
        # A key that is asked for each call, a token, may cost a round trip: not before there is a call.
        if not callable(api_key) and self._headers() and self._tls is None and not is_of_this_machine(target):
            _log.warning("the API key travels in the clear; give tls, or set VITRINE_CLIENT_CA", target=target)

    def open(self) -> grpc.aio.Channel:
        """A channel. Raises FailedPrecondition when a file of the certificates is wrong."""
        return open_channel(self.target, _CHANNEL, tls=self._tls, headers=self._headers)

    def _headers(self) -> Sequence[tuple[str, str]]:
        key = self._key()
        if not key:
            return ()
        if not key.isascii() or not key.isprintable() or " " in key:
            raise FailedPrecondition(
                "the API key cannot be sent: it holds white space or what is not ASCII; give the key alone, without"
                " 'Bearer'"
            )
        return (("authorization", f"Bearer {key}"),)

    def explained(self, error: VitrineError) -> VitrineError:
        """The error with what to do about it, where it is of the connection or of the credentials.

        What no attempt mends becomes FailedPrecondition.
        """
        said = error.message
        if isinstance(error, Unauthenticated) and error.reason == "CREDENTIALS_MISSING":
            return Unauthenticated(
                f"{said}; here: Client(…, api_key=…), or VITRINE_CLIENT_API_KEY",
                reason=error.reason,
                metadata=error.metadata,
            )
        if not isinstance(error, Unavailable):
            return error
        if "WRONG_VERSION_NUMBER" in said:
            return _wrong(f"{self.target} does not speak TLS, and this client does; give no tls (no VITRINE_CLIENT_CA)")
        if "Hostname Verification Check failed" in said:
            name = self._tls.server_name if self._tls and self._tls.server_name else self.target
            return _wrong(
                f"the certificate that {self.target} shows is not for the name {name}; reach it by a name that stands"
                " in it, or give that name as server_name of tls (VITRINE_CLIENT_SERVER_NAME)"
            )
        if "certificate has expired" in said:
            return _wrong(f"the certificate that {self.target} shows has expired; whoever runs the gateway renews it")
        if "CERTIFICATE_VERIFY_FAILED" in said:
            trusted = self._tls.ca if self._tls and self._tls.ca else "the public authorities"
            return _wrong(
                f"the certificate that {self.target} shows is not vouched for by {trusted}; give the file of its"
                " authority as ca of tls (VITRINE_CLIENT_CA)"
            )
        if "Socket closed" in said:
            return Unavailable(f"{self.target} closed the connection: {self._guess()} ({said})", reason=error.reason)
        if "Failed to connect" in said:
            return Unavailable(f"nobody listens at {self.target}; is the gateway up? ({said})", reason=error.reason)
        return error

    def _guess(self) -> str:
        """What a connection that is closed at once most often means."""
        if self._tls is None:
            return "if it speaks TLS, give tls (VITRINE_CLIENT_CA)"
        if self._tls.identity is None:
            return "if it asks for a certificate, give one as identity of tls (VITRINE_CLIENT_CERTIFICATE and _KEY)"
        return f"if it asks for a certificate, it may not trust {self._tls.identity.certificate}"


def _given(key: str | Callable[[], str]) -> Callable[[], str]:
    return key if callable(key) else lambda: key


def _wrong(message: str) -> FailedPrecondition:
    return FailedPrecondition(message, reason="CONNECTION")
