"""What a whole gateway shows of itself: how many series there can be, and what labels, logs and spans hold."""

import re
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import descriptor_pool
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

import cli.up.one_process  # noqa: F401  # all that one process can show
from gateway.recommendation.query import Placement, Source
from gateway.search import Degradation
from gateway.unary_calls import SERVICES
from vitrine.errors import Unavailable, VitrineError
from vitrine.ports import Lane
from vitrine.status import grpc_code
from vitrine.user_event import EventType

ROOT = Path(__file__).parents[2]
MARK = "zqmarkzq"


def _stages(folder: str) -> set[str]:
    """The stages that are timed, by their names in the code."""
    sources = [path.read_text() for path in (ROOT / folder).rglob("*.py")]
    return {stage for source in sources for stage in re.findall(r'timed\("(\w+)"\)', source)}


def _methods() -> set[str]:
    pool = descriptor_pool.Default()
    methods = {method.full_name for name in SERVICES for method in pool.FindServiceByName(name).methods}
    return methods | {"recommend"}


# What our errors end a call with, and what gRPC does.
CODES = {grpc_code(error.__new__(error)) for error in VitrineError.__subclasses__()} | {
    grpc.StatusCode.OK,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
}

# Every value that a label can have, in a gateway with all engines in one process; what is named in files is few.
LABELS: dict[str, Any] = {
    "method": _methods(),
    "stage": _stages("gateway"),
    "part": _stages("services/retriever"),
    "placement": Placement,
    "source": Source,
    "model": {"embedder", "history", "ranker"},
    "lane": Lane,
    "reason": {"deadline", "cancelled", "failed"},
    "file": {"keys", "tokens", "server certificate", "HTTP certificate", "client certificate"},
    "origin": {"process", "redis", "embedder"},
    "experiment": range(10),
    "use": {"server", "client"},
    "server": {"gateway"},
    "what": {"searches", "recommendations", "calls for suggestions", "writes", "writes of events"},
}
OF_ONE: dict[tuple[str, str], Any] = {
    ("vitrine_calls_refused", "reason"): range(12),
    ("vitrine_calls", "code"): CODES,
    ("vitrine_call_seconds", "code"): {"OK", "ERROR"},
    ("vitrine_search_degradations", "kind"): Degradation,
    ("vitrine_recommendation_degradations", "kind"): Degradation,
    ("vitrine_batch_tokens", "kind"): {"real", "padded"},
    ("vitrine_ad_events", "kind"): {EventType.AD_IMPRESSION, EventType.AD_CLICK},
    ("vitrine_ad_events", "outcome"): range(8),
    ("vitrine_user_events", "outcome"): {"written", "duplicate", "refused"},
    ("vitrine_ranker_kept_texts", "outcome"): {"hit", "miss"},
    ("vitrine_ranker_kept_logits", "outcome"): {"hit", "miss"},
    ("vitrine_retriever_words_memo", "outcome"): {"hit", "miss"},
}


def test_series_stay_few_whatever_method_ends_with_whatever_code() -> None:
    """text-embeddings-inference#271 (case 73): one histogram grew to 100,000 series in an hour."""
    assert len(_methods()) > 20
    assert {"embed", "retrieve", "rank", "total"} <= LABELS["stage"]
    collectors: set[Any] = set(REGISTRY._names_to_collectors.values())
    series = {}
    for collector in collectors:
        if not hasattr(collector, "_labelnames"):
            continue  # Python's own, of which there are some 25
        name = collector._name
        # A histogram has its buckets, the last without end, a sum and a count.
        each = len(collector._kwargs["buckets"]) + 2 if collector._type == "histogram" else 1
        for label in collector._labelnames:
            each *= len(OF_ONE.get((name, label)) or LABELS[label])
        series[name] = each
    assert len(CODES) > 10
    assert series["vitrine_calls"] == len(_methods()) * len(CODES)
    assert sum(series.values()) < 2_000, sorted(series.items(), key=lambda one: -one[1])[:10]


async def test_neither_labels_nor_logs_hold_what_a_visitor_sends(shop: Any, http: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        search = {"query": f"{MARK} watch", "visitorId": MARK, "pageSize": 3}
        assert (await http.post("/vitrine.v1.SearchService/Search", json=search)).status_code == 200
        shop.ranker.error = shop.embedder.error = Unavailable("away")
        assert (await http.post("/recommend", json={"query": f"{MARK} phone"})).status_code == 200
        shop.retriever.error = Unavailable("away")
        assert (await http.post("/vitrine.v1.SearchService/Search", json=search)).status_code == 503
        event = {"eventId": MARK, "visitorId": MARK, "eventType": "EVENT_TYPE_SEARCH", "searchQuery": MARK}
        await http.post("/vitrine.v1.UserEventService/WriteUserEvents", json={"events": [event]})
        recommend = {"placement": "PLACEMENT_SIMILAR", "productIds": [MARK], "visitorId": MARK}
        await http.post("/vitrine.v1.RecommendationService/Recommend", json=recommend)
        await http.post(f"/{MARK}", json={}, headers={"Authorization": f"Bearer {MARK}"})
        await http.post("/recommend", json={"query": MARK, "top_n": MARK})
    assert {line["event"] for line in logs} >= {"embedder away, searched by words"}
    assert [line for line in logs if MARK in str(line)] == []
    await http.post("/vitrine.v1.CatalogService/GetProduct", json={"id": MARK})
    await http.post("/vitrine.v1.AdService/DeleteCampaigns", json={"ids": [MARK]})
    page = (await http.get("/metrics")).text
    assert 'vitrine_calls_total{code="UNAVAILABLE",method="/vitrine.v1.SearchService/Search"}' in page
    assert MARK not in page


async def test_a_trace_over_http_is_the_callers_and_in_one_process_has_all_the_parts(
    http: httpx.AsyncClient, exporter: InMemorySpanExporter
) -> None:
    traceparent = {"traceparent": f"00-{'12' * 16}-{'34' * 8}-01"}
    search = {"query": f"{MARK} traced watch", "visitorId": MARK, "pageSize": 3}
    await http.post("/vitrine.v1.SearchService/Search", json=search, headers=traceparent)
    spans: dict[str, Any] = {span.name: span for span in exporter.get_finished_spans()}
    root = spans["vitrine.v1.SearchService/Search"]
    assert root.parent.span_id == int("34" * 8, 16)
    assert {span.context.trace_id for span in spans.values()} == {int("12" * 16, 16)}
    assert spans.keys() >= {"embed", "retrieve", "rank", "run embedder", "run ranker", "words", "vector", "products"}
    assert MARK not in "".join(span.to_json() for span in spans.values())
    exporter.clear()
    # A caller who does not record decides for us too.
    unrecorded = {"traceparent": traceparent["traceparent"].removesuffix("01") + "00"}
    await http.post("/vitrine.v1.SearchService/Search", json=search, headers=unrecorded)
    assert exporter.get_finished_spans() == ()


@pytest.fixture
async def http(shop: Any) -> Any:
    """A client of the shop's HTTP port."""
    async with (
        shop.gateway.http() as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client,
    ):
        yield client
