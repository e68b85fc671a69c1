"""One frame of `vitrine top`: a window drawn as tables."""

from math import isnan

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vitrine.metrics_window import Window
from vitrine.scrape import Scrape

_FAULTS = ("INTERNAL", "UNKNOWN", "DATA_LOSS", "UNAVAILABLE", "DEADLINE_EXCEEDED")
_STAGES = {
    "search": "vitrine_search_stage_seconds",
    "recommendation": "vitrine_recommendation_stage_seconds",
    "retriever": "vitrine_retriever_part_seconds",
}


def frame(window: Window) -> RenderableType:
    """All tables that have something to say."""
    below = [_caches(window), _models(window), _stages(window), _lacking(window), _index(window)]
    tables = [_processes(window), _calls(window), *(table for table in below if table.row_count)]
    return Group(*tables[:2], Columns(tables[2:], padding=(0, 4)))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True, header_style="dim")
    return table


def _processes(window: Window) -> Table:
    table = _table("processes", "at", "serves", "well", "memory", "processor", "files", "in flight")
    for scrape, one in ((scrape, window.of(scrape)) for scrape in window.after):
        servers = one.kinds("vitrine_serving", "server")
        table.add_row(
            scrape.address,
            ", ".join(servers) or "?",
            "yes" if one.total("vitrine_serving") == len(servers) else "[red]no[/]",
            f"{_now(scrape, 'process_resident_memory_bytes') / 2**20:,.0f} MiB",
            f"{100 * one.rate('process_cpu_seconds_total'):.0f} %",
            f"{_now(scrape, 'process_open_fds'):.0f}",
            f"{one.total('vitrine_calls_in_flight'):.0f}",
        )
    return table


def _calls(window: Window) -> Table:
    table = _table("calls", "method", "a second", "half in", "99 % in", "failed", "not OK, by code")
    # Of the columns the one that gives way: a method that ends in ten ways leaves all numbers whole.
    table.columns[-1].no_wrap, table.columns[-1].justify = False, "left"
    rates = {method: window.rate("vitrine_calls_total", method=method) for method in _methods(window)}
    for method, rate in sorted(rates.items(), key=lambda one: -one[1]):
        if not rate:
            continue
        codes = {
            code: window.rate("vitrine_calls_total", method=method, code=code) / rate
            for code in window.kinds("vitrine_calls_total", "code")
        }
        failed = sum(codes.get(code, 0.0) for code in _FAULTS)
        by_share = sorted(codes.items(), key=lambda one: -one[1])
        others = ", ".join(f"{code} {100 * share:.1f} %" for code, share in by_share if share and code != "OK")
        table.add_row(
            method.removeprefix("/vitrine.v1."),
            f"{rate:,.1f}",
            _time(window.quantile(0.5, "vitrine_call_seconds", method=method, code="OK")),
            _time(window.quantile(0.99, "vitrine_call_seconds", method=method, code="OK")),
            f"[red]{100 * failed:.1f} %[/]" if failed else "0 %",
            Text(others, no_wrap=True, overflow="ellipsis"),
        )
    return table


def _methods(window: Window) -> list[str]:
    return window.kinds("vitrine_calls_total", "method")


def _caches(window: Window) -> Table:
    table = _table("caches", "of", "tier", "share", "a second")
    for what, name, label in (
        ("query vectors", "vitrine_query_vectors_total", "origin"),
        ("answers", "vitrine_answers_total", "origin"),
        ("product tokens", "vitrine_ranker_kept_texts_total", "outcome"),
        ("searches by words", "vitrine_retriever_words_memo_total", "outcome"),
    ):
        if not (all_of := window.rate(name)):
            continue
        for tier in window.kinds(name, label):
            rate = window.rate(name, **{label: tier})
            table.add_row(what, tier, f"{100 * rate / all_of:.1f} %", f"{rate:,.1f}")
    if wait := _time(window.quantile(0.99, "vitrine_cache_seconds")):
        broken = " [red]breaker open[/]" if window.total("vitrine_cache_breaker_open") else ""
        table.add_row("Redis", f"99 % in {wait}{broken}", "", f"{window.rate('vitrine_cache_seconds_count'):,.1f}")
    return table


def _models(window: Window) -> Table:
    table = _table("models", "model", "runs/s", "items", "half in", "live wait 99 %", "bulk", "waiting", "left")
    for model in window.kinds("vitrine_batch_items_count", "model"):
        table.add_row(
            model,
            f"{window.rate('vitrine_batch_items_count', model=model):,.1f}",
            _number(window.mean("vitrine_batch_items", model=model)),
            _time(window.quantile(0.5, "vitrine_batch_seconds", model=model)),
            _time(window.quantile(0.99, "vitrine_batch_wait_seconds", model=model, lane="live")),
            _time(window.quantile(0.99, "vitrine_batch_wait_seconds", model=model, lane="bulk")),
            f"{window.total('vitrine_batch_waiting_tokens', model=model):,.0f} tokens",
            f"{window.rate('vitrine_batch_dropped_items_total', model=model):,.1f}/s",
        )
    return table


def _stages(window: Window) -> Table:
    table = _table("stages", "of", "stage", "a second", "half in", "99 % in")
    for what, name in _STAGES.items():
        for label in ("stage", "part"):
            for stage in window.kinds(f"{name}_count", label) if (label == "part") == (what == "retriever") else ():
                if rate := window.rate(f"{name}_count", **{label: stage}):
                    half, most = (window.quantile(share, name, **{label: stage}) for share in (0.5, 0.99))
                    table.add_row(what, stage, f"{rate:,.1f}", _time(half), _time(most))
    return table


def _lacking(window: Window) -> Table:
    table = _table("answers that lacked something; calls refused", "what", "a second")
    for name, label in (
        ("vitrine_search_degradations_total", "kind"),
        ("vitrine_recommendation_degradations_total", "kind"),
        ("vitrine_admission_refused_total", "what"),
    ):
        for kind in window.kinds(name, label):
            if rate := window.rate(name, **{label: kind}):
                table.add_row(f"{name.split('_')[1]} {kind}", f"[yellow]{rate:,.2f}[/]")
    return table


def _index(window: Window) -> Table:
    table = _table("index", "at", "products", "revision", "memory", "recall", "alerts")
    for scrape in window.after:
        if scrape.value("vitrine_retriever_products"):
            recall, alerts = _now(scrape, "vitrine_retriever_recall"), _now(scrape, "vitrine_retriever_alerts")
            table.add_row(
                scrape.address,
                f"{_now(scrape, 'vitrine_retriever_products'):,.0f}",
                f"{_now(scrape, 'vitrine_retriever_revision'):,.0f}",
                f"{_now(scrape, 'vitrine_retriever_index_bytes') / 2**20:,.1f} MiB",
                "" if isnan(recall) else f"{recall:.3f}",
                f"[red]{alerts:.0f}[/]" if alerts else "0",
            )
    return table


def _now(scrape: Scrape, name: str) -> float:
    return scrape.value(name) or 0.0


def _time(seconds: float) -> str:
    if isnan(seconds):
        return ""
    return f"{seconds:,.2f} s" if seconds >= 1 else f"{seconds * 1e3:,.3g} ms"


def _number(value: float) -> str:
    return "" if isnan(value) else f"{value:,.1f}"
