"""What a shopper and a shop meet: answers in both languages, whatever part stops, and nothing lost."""

import dataclasses
import json
import threading
import time
import urllib.request
from typing import Any

import grpc
import pytest

from tests.compose.suite import SERVICES, TARGET, Client, compose, docker, eventually, ids, inspect, up
from vitrine.product import Product
from vitrine.text import detect_language
from vitrine.v1 import common_pb2


def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:8080{path}", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        answer: dict[str, Any] = json.load(reply)
    return answer


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_product_is_found_by_its_title(client: Client, shop: list[Product], language: str) -> None:
    product = next(product for product in shop if detect_language(product.title) == language)
    answer = client.search(product.title, page_size=5)
    assert product.id in ids(answer)[:3]
    assert len(answer.results) == 5
    assert list(answer.degradations) == []
    assert answer.rank_depth > 0


def test_http_answers_in_chinese(client: Client, shop: list[Product]) -> None:
    product = next(product for product in shop if detect_language(product.title) == "zh")
    found = post("/vitrine.v1.SearchService/Search", {"query": product.title, "pageSize": 3})
    assert product.id in [result["product"]["id"] for result in found["results"]]
    recommended = post("/recommend", {"query": product.title, "top_n": 3})
    assert len(recommended["recommendations"]) == 3


def test_query_vectors_are_kept_in_redis_for_a_time(client: Client) -> None:
    compose("exec", "-T", "redis", "redis-cli", "flushall")
    client.search("一个没有人问过的问题 4711")
    eventually(lambda: compose("exec", "-T", "redis", "redis-cli", "dbsize").strip() == "1")
    (key,) = compose("exec", "-T", "redis", "redis-cli", "--scan").split()
    assert int(compose("exec", "-T", "redis", "redis-cli", "ttl", key)) > 0
    # Another page size: the answer itself is kept, too.
    assert "query_embedding" in client.search("一个没有人问过的问题 4711", page_size=3).cached


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_what_was_acknowledged_survives_the_retriever(client: Client, shop: list[Product], how: str) -> None:
    product = dataclasses.replace(shop[0], id=f"kept-{how}", title=f"折叠登山杖 Zephyrine {how}")
    client.upsert([product])
    assert ids(client.search(product.title, page_size=3))[0] == product.id
    compose(how, "retriever")
    up()
    eventually(lambda: client.product(product.id).title == product.title)
    assert ids(client.search(product.title, page_size=3))[0] == product.id


@pytest.mark.parametrize(
    ("part", "degradation"),
    [
        ("embedder", common_pb2.DEGRADATION_LEXICAL_ONLY),
        ("ranker", common_pb2.DEGRADATION_NOT_RANKED),
        ("redis", common_pb2.DEGRADATION_NO_CACHE),
    ],
)
def test_without_a_part_search_says_what_is_missing(
    client: Client, shop: list[Product], part: str, degradation: int
) -> None:
    title, number = shop[1].title, iter(range(1_000))
    compose("stop", part)
    for _ in range(5):
        answer = client.search(f"{title} {part}{next(number)}", page_size=5)
        assert shop[1].id in ids(answer)
        assert list(answer.degradations) == [degradation]
    compose("start", part)
    eventually(lambda: not client.search(f"{title} {part}{next(number)}").degradations)


def test_an_acknowledged_event_survives_its_stores_end(client: Client, shop: list[Product]) -> None:
    event = {"eventId": "e1", "eventType": "EVENT_TYPE_VIEW_ITEM", "visitorId": "ana", "products": [{"productId": "p"}]}
    written = post("/vitrine.v1.UserEventService/WriteUserEvents", {"events": [event]})
    assert written["outcomes"] == [{"id": "e1"}]
    compose("kill", "events")
    assert shop[1].id in ids(client.search(shop[1].title))
    up()
    seen = post("/vitrine.v1.UserEventService/GetVisitor", {"visitorId": "ana"})
    assert seen["eventCount"] == "1"
    assert [action["productId"] for action in seen["history"]] == ["p"]


def test_without_the_retriever_search_is_unavailable_and_comes_back(client: Client, shop: list[Product]) -> None:
    compose("stop", "retriever")
    with pytest.raises(grpc.RpcError) as refused:
        client.search(shop[1].title)
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    compose("start", "retriever")
    eventually(lambda: shop[1].id in _ids_or_none(client, shop[1].title))


def _ids_or_none(client: Client, query: str) -> list[str]:
    try:
        return ids(client.search(query))
    except grpc.RpcError:
        return []


def test_stop_loses_no_call_in_flight(client: Client, shop: list[Product]) -> None:
    """A call that was sent before the suite was told to stop is answered."""
    calls: list[tuple[float, float, str]] = []
    stopped = threading.Event()

    def search_until_refused(caller: int) -> None:
        with grpc.insecure_channel(TARGET, options=[("grpc.enable_retries", 0)]) as channel:
            own = Client(channel)
            for number in range(10_000):
                sent, outcome = time.time(), "answered"
                try:
                    own.search(f"{shop[number % 100].title} {caller} {number}", rank_depth=50)
                except grpc.RpcError as error:
                    outcome = f"{error.code()}: {error.details()}"
                calls.append((sent, time.time(), outcome))
                if outcome != "answered" or stopped.is_set():
                    return

    # So many that each waits for the others: one that was sent well before the stop is then always under way.
    callers = [threading.Thread(target=search_until_refused, args=(caller,)) for caller in range(12)]
    for caller in callers:
        caller.start()
    eventually(lambda: len(calls) >= 36)
    asked = time.time()
    compose("stop")
    stopped.set()
    for caller in callers:
        caller.join()
    told = _told_to_stop("gateway", asked)
    # A call sent in the very moment may find the door closed; one that was sent before has been taken in.
    taken_in = [(done, outcome) for sent, done, outcome in calls if sent < told - 0.1]
    assert {outcome for _, outcome in taken_in} == {"answered"}
    assert any(done > told for done, _ in taken_in), "no call was in flight"
    assert {service: inspect(service)["State"]["ExitCode"] for service in SERVICES} == dict.fromkeys(SERVICES, 0)


def _told_to_stop(service: str, since: float) -> float:
    """When the engine sent SIGTERM to a service, in seconds since the epoch."""
    window = ("--since", f"{since:.3f}", "--until", f"{time.time():.3f}")
    filters = ("--filter", f"container={inspect(service)['Id']}", "--filter", "event=kill")
    events = map(json.loads, docker("events", *window, *filters, "--format", "{{json .}}").splitlines())
    (moment,) = (event["timeNano"] for event in events if event["Actor"]["Attributes"]["signal"] == "15")
    return float(moment) / 1e9
