"""Asks a server for its health, for container health checks: `python -m vitrine.health_probe 127.0.0.1:50051`.

Over TLS where VITRINE_TLS_CA is set, or --ca given; --name is what the certificate is of, since a container reaches
itself by another name. --service live asks only whether the server answers.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from vitrine.errors import VitrineError

if TYPE_CHECKING:
    from vitrine.tls import ClientTls

# A machine that is busy loading models answers late; a probe that gives up sooner restarts what only needs time.
_TIMEOUT_S = 10.0


def is_serving(target: str, service: str = "", timeout_s: float = _TIMEOUT_S, tls: "ClientTls | None" = None) -> bool:
    """Whether `service` ("": the whole server) at `target` answers SERVING within `timeout_s` seconds.

    Raises FailedPrecondition when a file of `tls` is wrong.
    """
    request = health_pb2.HealthCheckRequest(service=service)
    # The proxy variables of the surroundings are for the outside world, and never for a probe of a neighbour.
    options: list[tuple[str, int | str]] = [("grpc.enable_http_proxy", 0)]
    if tls is not None and tls.server_name:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    opened = (
        grpc.insecure_channel(target, options=options)
        if tls is None
        else grpc.secure_channel(target, tls.credentials(), options=options)
    )
    with opened as channel:
        try:
            reply = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout_s)
        except grpc.RpcError:
            return False
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


def _tls(ca: Path | None, name: str) -> "ClientTls | None":
    """How to reach the targets; None: without TLS."""
    # A probe runs every few seconds, and settings take three times as long to import as all that it needs else.
    if ca is None and not any(variable.startswith("VITRINE_TLS_") for variable in os.environ):
        return None
    from vitrine.tls import ClientTls, TlsSettings, client_tls

    tls = client_tls(TlsSettings())
    if ca is None and tls is None:
        return None
    return ClientTls(
        ca or (tls.ca if tls else None), tls.identity if tls else None, name or (tls.server_name if tls else "")
    )


def main() -> int:
    """Exit status: 0 when every target named on the command line is serving, 1 when one is not."""
    parser = argparse.ArgumentParser(description="Asks servers for their health.")
    parser.add_argument("targets", nargs="*", help="for example 127.0.0.1:50051")
    parser.add_argument("--ca", type=Path, help="authorities to trust, PEM, in place of VITRINE_TLS_CA")
    parser.add_argument("--name", default="", help="name that the certificate must have")
    parser.add_argument("--service", default="", help="service to ask about; the whole server without it")
    said = parser.parse_args()
    if not said.targets:
        print("name at least one target, for example 127.0.0.1:50051", file=sys.stderr)
        return 1
    try:
        tls = _tls(said.ca, said.name)
        for target in said.targets:
            if not is_serving(target, said.service, tls=tls):
                print(f"{target} is not serving", file=sys.stderr)
                return 1
    except VitrineError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
