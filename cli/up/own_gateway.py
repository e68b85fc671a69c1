"""How `vitrine up` reaches the gateway that it starts: it looks whether it serves, and fills an empty store."""

import os

from gateway.auth.settings import AuthSettings
from gateway.settings import GatewaySettings
from vitrine.client.settings import ClientSettings
from vitrine.errors import FailedPrecondition
from vitrine.tls import TlsSettings


def trust_own_gateway(gateway: GatewaySettings) -> None:
    """Sees to it that the gateway's certificate is trusted here, by the suite's authorities where it is of theirs.

    Raises FailedPrecondition when nothing says whom to trust.
    """
    suite = TlsSettings()
    if gateway.tls(suite) is None or ClientSettings().ca:
        return
    if gateway.tls_certificate is not None or suite.ca is None:
        raise FailedPrecondition(
            "the gateway speaks TLS, and `vitrine up` calls it too; set VITRINE_CLIENT_CA to the authority of its "
            "certificate (or to public)"
        )
    # Read where a channel is opened.
    os.environ["VITRINE_CLIENT_CA"] = str(suite.ca)
    os.environ["VITRINE_CLIENT_SERVER_NAME"] = suite.server_name


def may_write() -> bool:
    """Whether writes are open, or there is a key to write with."""
    return not AuthSettings().closed or bool(ClientSettings().credentials())
