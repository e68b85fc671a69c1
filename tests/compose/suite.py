"""The suite under docker compose, as its tests handle it."""

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

import grpc

from vitrine.messages.product import product_to_message
from vitrine.product import Product
from vitrine.v1 import catalog_service_pb2, catalog_service_pb2_grpc, search_service_pb2, search_service_pb2_grpc

TARGET = "127.0.0.1:50051"
SERVICES = ("embedder", "retriever", "ranker", "gateway")
_CALL_TIMEOUT_S = 30.0
_RECOVERY_S = 60.0


def docker(*arguments: str) -> str:
    """What `docker` prints; a failure shows its own message."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, f"docker {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def compose(*arguments: str) -> str:
    """What `docker compose` prints."""
    return docker("compose", *arguments)


def up() -> None:
    """Starts what does not run and waits until all of it is healthy."""
    compose("up", "--detach", "--wait", "--no-build")


def inspect(service: str) -> dict[str, Any]:
    """What the engine knows of a service's container."""
    answer: dict[str, Any] = json.loads(docker("inspect", compose("ps", "--all", "--quiet", service).strip()))[0]
    return answer


def address(service: str) -> str:
    """Where the network of the containers has the service's one container."""
    (network,) = inspect(service)["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


class Client:
    """A caller of the public API from outside."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._search = search_service_pb2_grpc.SearchServiceStub(channel)
        self._catalog = catalog_service_pb2_grpc.CatalogServiceStub(channel)

    def search(self, query: str, **fields: Any) -> search_service_pb2.SearchResponse:
        request = search_service_pb2.SearchRequest(query=query, **fields)
        answer: search_service_pb2.SearchResponse = self._search.Search(request, timeout=_CALL_TIMEOUT_S)
        return answer

    def upsert(self, products: list[Product]) -> None:
        request = catalog_service_pb2.CatalogServiceUpsertProductsRequest(products=map(product_to_message, products))
        (reply,) = self._catalog.UpsertProducts(iter([request]), timeout=120)
        faults = [outcome.status.message for outcome in reply.outcomes if outcome.status.code]
        assert not faults, faults

    def product(self, product_id: str) -> Any:
        return self._catalog.GetProduct(
            catalog_service_pb2.GetProductRequest(id=product_id), timeout=_CALL_TIMEOUT_S, wait_for_ready=True
        ).product


def ids(answer: search_service_pb2.SearchResponse) -> list[str]:
    """The ids found, in order."""
    return [result.product.id for result in answer.results]


def eventually(holds: Callable[[], bool]) -> None:
    """Waits until the condition holds; fails when it does not within a minute."""
    give_up_s = time.monotonic() + _RECOVERY_S
    while not holds():
        assert time.monotonic() < give_up_s, "did not come about within a minute"
        time.sleep(0.2)
