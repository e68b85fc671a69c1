"""Retrievers that share PostgreSQL, behind one gateway: `.ci/compose-test` names docker-compose.postgres.yml for it."""

import contextlib
import dataclasses
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import grpc
import pytest

from tests.compose.suite import TARGET, Client, compose, docker, eventually, ids, up
from vitrine.product import Product
from vitrine.v1 import retriever_service_pb2, retriever_service_pb2_grpc

WRITES = 9
# What a replica may take to show another's write, in seconds.
SHOWN_WITHIN_S = 1.0


class Replica:
    """One retriever's container, asked directly."""

    def __init__(self, container: str) -> None:
        self.container = container
        (network,) = json.loads(docker("inspect", container))[0]["NetworkSettings"]["Networks"].values()
        self._channel = grpc.insecure_channel(f"{network['IPAddress']}:50053")
        self._retriever = retriever_service_pb2_grpc.RetrieverServiceStub(self._channel)

    def title(self, product_id: str) -> str:
        """The title that it has of a product; "" while it does not answer, or has none."""
        request = retriever_service_pb2.GetProductsRequest(ids=[product_id])
        try:
            return "".join(product.title for product in self._retriever.GetProducts(request, timeout=10).products)
        except grpc.RpcError:
            return ""

    def found(self, text: str) -> dict[str, int]:
        """The products that it finds by words, with their revisions."""
        answer = self._retriever.Retrieve(retriever_service_pb2.RetrieveRequest(text=text, depth=200), timeout=10)
        return {candidate.product_id: candidate.product.revision for candidate in answer.candidates}

    def reads_all(self) -> None:
        """Has it read every product, which it keeps in memory then."""
        self._retriever.Retrieve(retriever_service_pb2.RetrieveRequest(order_by="newest", depth=200), timeout=60)

    def close(self) -> None:
        self._channel.close()


@contextlib.contextmanager
def replicas() -> Iterator[list[Replica]]:
    """All retrievers that run."""
    running = [Replica(container) for container in compose("ps", "--quiet", "retriever").split()]
    yield running
    for replica in running:
        replica.close()


@contextlib.contextmanager
def searches(products: Sequence[Product]) -> Iterator[Callable[[int], None]]:
    """Searches through the gateway from four sides until the end, each of which must find its product; gives what
    waits for so many more of them."""
    answered: list[str] = []
    failed: list[str] = []
    stopped = threading.Event()

    def search(caller: int) -> None:
        with grpc.insecure_channel(TARGET) as channel:
            client = Client(channel)
            for number in range(caller, 1_000_000, 4):
                if stopped.is_set():
                    return
                product = products[number % len(products)]
                try:
                    # None is asked twice: the gateway keeps answers.
                    answer = client.search(f"{product.title} {number}", page_size=50, rank_depth=0)
                    (answered if product.id in ids(answer) else failed).append(f"{product.id} in {ids(answer)}")
                except grpc.RpcError as error:
                    failed.append(f"{error.code()}: {error.details()}")

    def more(count: int) -> None:
        until = len(answered) + len(failed) + count
        eventually(lambda: len(answered) + len(failed) >= until)

    callers = [threading.Thread(target=search, args=(caller,)) for caller in range(4)]
    for caller in callers:
        caller.start()
    try:
        yield more
    finally:
        stopped.set()
        for caller in callers:
            caller.join()
    assert failed == []


def titled(product: Product, title: str) -> Product:
    return dataclasses.replace(product, title=title)


def test_a_write_through_the_gateway_is_shown_by_every_retriever(client: Client, shop: list[Product]) -> None:
    taken_s = []
    with replicas() as running:
        assert len(running) == 2
        for number in range(WRITES):
            product = titled(shop[0], f"折叠登山杖 Zephyrine {number}")
            client.upsert([product])
            acknowledged_s = time.monotonic()
            for replica in running:
                while replica.title(product.id) != product.title:
                    assert time.monotonic() < acknowledged_s + 60
            taken_s.append(time.monotonic() - acknowledged_s)
    # The middle one: a test's machine may be busy for a moment.
    assert statistics.median(taken_s) <= SHOWN_WITHIN_S


def test_one_is_killed_comes_back_and_another_is_added_while_no_search_fails(
    client: Client, shop: list[Product]
) -> None:
    with searches(shop[1:50]) as more, contextlib.ExitStack() as end:
        more(8)
        first = end.enter_context(replicas())
        docker("kill", first[1].container)
        client.upsert([titled(shop[60], "written while one was away")])
        more(12)
        # Starts the one that was killed, with what it had kept, and a third that has nothing.
        compose("up", "--detach", "--wait", "--no-build", "--scale", "retriever=3")
        more(8)
        running = end.enter_context(replicas())
        assert len(running) == 3
        assert first[1].container in [replica.container for replica in running]
        for replica in running:
            eventually(lambda replica=replica: replica.title(shop[60].id) == "written while one was away")
    with replicas() as running:
        answers = [replica.found("written while one was away 手机 phone") for replica in running]
    assert shop[60].id in answers[0]
    assert answers == [answers[0]] * 3


def test_without_the_database_searches_go_on_and_writes_say_so(client: Client, shop: list[Product]) -> None:
    with replicas() as running:
        for replica in running:
            replica.reads_all()
    with searches(shop[1:50]) as more:
        compose("kill", "postgres")
        more(8)
        with pytest.raises(grpc.RpcError) as refused:
            client.upsert([titled(shop[70], "written without a database")])
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "the catalogue cannot be written" in refused.value.details()
        more(8)
        up()
        eventually(lambda: _is_written(client, titled(shop[70], "written with one again")))
    with replicas() as running:
        for replica in running:
            eventually(lambda replica=replica: replica.title(shop[70].id) == "written with one again")


def _is_written(client: Client, product: Product) -> bool:
    try:
        client.upsert([product])
    except grpc.RpcError:
        return False
    return True
