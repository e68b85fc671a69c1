"""Asks a server for its health, for container health checks: `python -m vitrine.health_probe 127.0.0.1:50051`."""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

# A machine that is busy loading models answers late; a probe that gives up sooner restarts what only needs time.
_TIMEOUT_S = 10.0


def is_serving(target: str, service: str = "", timeout_s: float = _TIMEOUT_S) -> bool:
    """Whether `service` ("": the whole server) at `target` answers SERVING within `timeout_s` seconds."""
    request = health_pb2.HealthCheckRequest(service=service)
    # The proxy variables of the surroundings are for the outside world, and never for a probe of a neighbour.
    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            reply = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout_s)
        except grpc.RpcError:
            return False
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


def main() -> int:
    """Exit status: 0 when every target named on the command line is serving, 1 when one is not."""
    targets = sys.argv[1:]
    if not targets:
        print("name at least one target, for example 127.0.0.1:50051", file=sys.stderr)
        return 1
    for target in targets:
        if not is_serving(target):
            print(f"{target} is not serving", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
