"""The overview: a window of the processes' metrics as GetOverview tells it."""

from collections.abc import Iterator
from itertools import pairwise
from math import inf, isnan

from gateway.ops.readings import Reading
from vitrine.metrics_window import Window
from vitrine.scrape import Scrape
from vitrine.v1 import ops_service_pb2 as pb

# Codes that are the server's fault.
_FAULTS = frozenset({"INTERNAL", "UNKNOWN", "DATA_LOSS", "UNAVAILABLE", "DEADLINE_EXCEEDED"})
_STAGES = (
    ("search", "vitrine_search_stage_seconds", "stage"),
    ("recommendation", "vitrine_recommendation_stage_seconds", "stage"),
    ("retriever", "vitrine_retriever_part_seconds", "part"),
)
_DEGRADATIONS = (
    ("search", "vitrine_search_degradations_total", "kind"),
    ("recommendation", "vitrine_recommendation_degradations_total", "kind"),
    ("admission", "vitrine_admission_refused_total", "what"),
    ("door", "vitrine_calls_refused_total", "reason"),
    ("model", "vitrine_batch_refused_items_total", "model"),
    ("model", "vitrine_batch_dropped_items_total", "model"),
)
_CACHES = (
    ("query vectors", "vitrine_query_vectors_total", "origin"),
    ("answers", "vitrine_answers_total", "origin"),
    ("product tokens", "vitrine_ranker_kept_texts_total", "outcome"),
    ("pairs", "vitrine_ranker_kept_logits_total", "outcome"),
    ("searches by words", "vitrine_retriever_words_memo_total", "outcome"),
)


def overview(reading: Reading) -> pb.GetOverviewResponse:
    """What a reading says."""
    window = reading.window
    message = pb.GetOverviewResponse(
        window_s=window.seconds,
        processes=map(_process, window.after, map(window.of, window.after)),
        silent=[pb.SilentProcess(address=one.address, reason=one.reason) for one in reading.silent],
        methods=_methods(window),
        stages=_stages(window),
        degradations=_degradations(window),
        models=_models(window),
        caches=_caches(window),
        redis_wait_s=_distribution(window, "vitrine_cache_seconds"),
        redis_left_alone=window.total("vitrine_cache_breaker_open") > 0,
        indexes=[_index(scrape) for scrape in window.after if scrape.value("vitrine_retriever_products")],
    )
    message.time.FromMicroseconds(round(1e6 * max((scrape.time_s for scrape in window.after), default=0.0)))
    return message


def _process(scrape: Scrape, window: Window) -> pb.ProcessFigures:
    servers = window.kinds("vitrine_serving", "server")
    message = pb.ProcessFigures(
        address=scrape.address,
        servers=servers,
        well=window.total("vitrine_serving") == len(servers),
        memory_bytes=_now(scrape, "process_resident_memory_bytes"),
        processors=window.rate("process_cpu_seconds_total"),
        calls_in_flight=round(window.total("vitrine_calls_in_flight")),
    )
    message.start_time.FromMicroseconds(round(1e6 * _now(scrape, "process_start_time_seconds")))
    return message


def _methods(window: Window) -> Iterator[pb.MethodFigures]:
    name = "vitrine_calls_total"
    rates = {method: window.rate(name, method=method) for method in window.kinds(name, "method")}
    for method, rate in sorted(rates.items(), key=lambda pair: (-pair[1], pair[0])):
        if rate:
            codes = {code: window.rate(name, method=method, code=code) for code in window.kinds(name, "code")}
            yield pb.MethodFigures(
                method=method,
                per_second=rate,
                latency_s=_distribution(window, "vitrine_call_seconds", method=method, code="OK"),
                codes=[
                    pb.CodeRate(code=code, per_second=one)
                    for code, one in sorted(codes.items(), key=lambda pair: (-pair[1], pair[0]))
                    if one
                ],
                failed_share=sum(codes.get(code, 0.0) for code in _FAULTS) / rate,
            )


def _stages(window: Window) -> Iterator[pb.StageFigures]:
    for of, name, label in _STAGES:
        for stage in window.kinds(f"{name}_count", label):
            if latency := _distribution(window, name, **{label: stage}):
                yield pb.StageFigures(of=of, stage=stage, latency_s=latency)


def _degradations(window: Window) -> list[pb.DegradationFigures]:
    found: dict[tuple[str, str], pb.DegradationFigures] = {}
    for of, name, label in _DEGRADATIONS:
        for kind in window.kinds(name, label):
            if total := window.total(name, **{label: kind}):
                one = found.setdefault((of, kind), pb.DegradationFigures(of=of, kind=kind))
                one.per_second += window.rate(name, **{label: kind})
                one.total += total
    return list(found.values())


def _models(window: Window) -> Iterator[pb.ModelFigures]:
    for model in window.kinds("vitrine_batch_items_count", "model"):
        yield pb.ModelFigures(
            model=model,
            batch_items=_distribution(window, "vitrine_batch_items", model=model),
            run_s=_distribution(window, "vitrine_batch_seconds", model=model),
            live_wait_s=_distribution(window, "vitrine_batch_wait_seconds", model=model, lane="live"),
            bulk_wait_s=_distribution(window, "vitrine_batch_wait_seconds", model=model, lane="bulk"),
            waiting_tokens=window.total("vitrine_batch_waiting_tokens", model=model),
        )


def _caches(window: Window) -> Iterator[pb.CacheFigures]:
    for cache, name, label in _CACHES:
        if asked := window.rate(name):
            for tier in window.kinds(name, label):
                rate = window.rate(name, **{label: tier})
                yield pb.CacheFigures(cache=cache, tier=tier, per_second=rate, share=rate / asked)


def _index(scrape: Scrape) -> pb.IndexFigures:
    recall = scrape.value("vitrine_retriever_recall")
    return pb.IndexFigures(
        address=scrape.address,
        products=round(_now(scrape, "vitrine_retriever_products")),
        revision=round(_now(scrape, "vitrine_retriever_revision")),
        memory_bytes=_now(scrape, "vitrine_retriever_index_bytes"),
        # Not a number: too few searches were made again.
        recall=None if recall is None or isnan(recall) else recall,
        recall_floor=_now(scrape, "vitrine_retriever_recall_floor"),
        alerts=round(_now(scrape, "vitrine_retriever_alerts")),
    )


def _distribution(window: Window, name: str, **labels: str) -> pb.Distribution | None:
    """What a histogram saw; None where it saw nothing."""
    if not (per_second := window.rate(f"{name}_count", **labels)):
        return None
    buckets = window.buckets(name, **labels)
    up_to = [0.0, *buckets.values()]
    return pb.Distribution(
        per_second=per_second,
        mean=window.mean(name, **labels),
        p50=window.quantile(0.5, name, **labels),
        p90=window.quantile(0.9, name, **labels),
        p99=window.quantile(0.99, name, **labels),
        bounds=[bound for bound in buckets if bound != inf],
        counts=[more - less for less, more in pairwise(up_to)],
    )


def _now(scrape: Scrape, name: str) -> float:
    return scrape.value(name) or 0.0
