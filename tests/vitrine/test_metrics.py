"""Metrics as Prometheus scrapes them."""

import asyncio
import socket
import urllib.request
from typing import Any

import grpc
import pytest
from prometheus_client import REGISTRY

from vitrine.call import Context
from vitrine.errors import FailedPrecondition, NotFound
from vitrine.metrics import serve_metrics
from vitrine.v1.embedder_service_pb2 import EmbedRequest, EmbedResponse


async def test_calls_are_histograms_by_method_and_code(serve_embed: Any, stub_to: Any, free_port: int) -> None:
    """qdrant#2857 (case 74): averages without histograms gave no p99 over replicas."""

    async def embed(message: Any, context: Context) -> Any:
        if not message.texts:
            raise NotFound("no text")
        return EmbedResponse()

    stub = stub_to((await serve_embed(embed)).port)
    await stub.Embed(EmbedRequest(texts=["a"]))
    await stub.Embed(EmbedRequest()).code()
    serve_metrics("127.0.0.1", free_port)

    def scrape() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/metrics", timeout=20) as page:
            text: str = page.read().decode()
            return text

    page = await asyncio.to_thread(scrape)
    for code in ("OK", "NOT_FOUND"):
        assert f'vitrine_calls_total{{code="{code}",method="/vitrine.v1.EmbedderService/Embed"}}' in page
    for code in ("OK", "ERROR"):
        labels = f'code="{code}",le="0.1",method="/vitrine.v1.EmbedderService/Embed"'
        assert f"vitrine_call_seconds_bucket{{{labels}}}" in page
    assert 'vitrine_serving{server="test"} 1.0' in page


async def test_a_taken_port_is_refused_by_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FailedPrecondition, match=rf"cannot show metrics on 127\.0\.0\.1:{port}.*in use"):
            serve_metrics("127.0.0.1", port)


async def test_series_stay_few_whatever_is_called(serve_embed: Any, channel_to: Any) -> None:
    """text-embeddings-inference#271 (case 73); how many there may be: tests/gateway/test_metrics.py."""
    channel = channel_to((await serve_embed()).port)

    def series() -> int:
        """Those of an embedder's process: other services' calls were made by tests before this one."""
        samples = [sample for metric in REGISTRY.collect() for sample in metric.samples]
        return sum(
            "Service/" not in sample.labels.get("method", "") or "Embedder" in sample.labels["method"]
            for sample in samples
        )

    known = channel.unary_unary("/vitrine.v1.EmbedderService/Embed")
    await known(EmbedRequest(texts=["x"]).SerializeToString())
    before = series()
    for number in range(300):
        await known(EmbedRequest(texts=["词" * (number + 1)]).SerializeToString())
        unknown = channel.unary_unary(f"/vitrine.v1.EmbedderService/Method{number}")(b"")
        assert await unknown.code() is grpc.StatusCode.UNIMPLEMENTED
    assert series() == before
