"""Who may call: what a server asks before it works on a call."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from vitrine.tls import ServerTls, TlsSettings, service_tls


class Guard(Protocol):
    """Lets calls in. Both methods raise Unauthenticated, PermissionDenied or ResourceExhausted."""

    async def admit(self, method: str, headers: Mapping[str, str], peer: str) -> None:
        """Lets in a call of `method` ("/package.Service/Method"); what the handler awaits knows of whom it is then.

        `headers` have names in lower case, or match them in any; `peer` is the caller's address.
        """

    async def admit_next(self) -> None:
        """Lets in a further request of the stream that is being answered."""


@dataclass(frozen=True, slots=True)
class Door:
    """What a server asks of who comes, and how it is reached: in the clear and by all, where neither is set."""

    guard: Guard | None = None
    tls: ServerTls | None = None


OPEN = Door()


def service_door() -> Door:
    """The door of a service within the suite: TLS as VITRINE_TLS_… say. Raises FailedPrecondition."""
    return Door(tls=service_tls(TlsSettings()))
