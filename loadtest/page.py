"""The result of a run as one page: it asks no host for anything, and follows the reader's light or dark."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from loadtest.charts import Curve, Strip, strips, throughput
from loadtest.ghz import Measured
from loadtest.knee import Swept
from loadtest.result import Result

_COLOURS = {"one process": "one", "suite": "suite"}
_STYLE = """
:root { color-scheme: light dark; --page: #fcfcfb; --ink: #16181c; --soft: #5c6370; --grid: #e4e5e7; --one: #2a78d6;
  --suite: #c9541f; }
@media (prefers-color-scheme: dark) { :root { --page: #17181b; --ink: #f1f2f4; --soft: #a2a8b3; --grid: #33363c;
  --one: #5b9fef; --suite: #f0894f; } }
body { background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, "Noto Sans CJK SC", sans-serif;
  margin: 0 auto; max-width: 1160px; padding: 24px; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 36px 0 4px; }
h3 { font-size: 14px; margin: 0 0 4px; }
p { color: var(--soft); margin: 4px 0 12px; max-width: 82ch; }
section p { font-size: 13px; } .broken { color: var(--ink); font-weight: 600; }
.panels { display: grid; gap: 24px 12px; grid-template-columns: repeat(auto-fill, minmax(350px, 1fr)); }
svg { display: block; height: auto; max-width: 100%; } .wide { overflow-x: auto; } .wide svg { max-width: none; }
.grid { stroke: var(--grid); } .tick { fill: var(--soft); font-size: 11px; }
.name { fill: var(--ink); font-size: 12px; }
.one { --own: var(--one); } .suite { --own: var(--suite); }
.curve { fill: none; stroke: var(--own); stroke-width: 2; } .dot { fill: var(--own); }
.bound { fill: none; stroke: var(--own); stroke-dasharray: 2 4; opacity: .7; }
.knee { fill: none; stroke: var(--own); stroke-width: 2; }
.thin { stroke: var(--own); stroke-width: 2; } .thick { stroke: var(--own); stroke-width: 9; opacity: .75; }
.middle { stroke: var(--ink); stroke-width: 2; }
.key { display: inline-block; width: 12px; height: 12px; border-radius: 3px; background: var(--own);
  margin-right: 6px; }
.legend span { margin-right: 18px; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
td, th { border-bottom: 1px solid var(--grid); padding: 3px 12px 3px 0; text-align: right; }
td:first-child, th:first-child, td:nth-child(2), th:nth-child(2) { text-align: left; }
"""
_KNEE = (
    "Closed loops: as many callers as the axis says, each with one call at a time. Dashed are the two bounds of such a"
    " loop: n callers get at most n times what one gets, and never more than the peak. Where they meet is the knee"
    " (ringed): from there on a caller more makes all wait (Denning and Buzen 1978; Lazowska et al. 1984, chapter 5)."
)
_OPEN = (
    "Open loops (ghz --async): calls begin at a fixed rate, 60 % of the peak, whether or not those before are answered,"
    " so that a pause of the server is felt by all who come meanwhile. Thick: p10 to p90, thin: to p99, tick: p50."
    " Figures: p50 · p90 · p99 in ms."
)
_ALL = (
    "Each method of the contract in a closed loop. Hot: the same requests again and again, each asked before; cold:"
    " none twice. Figures: p50 · p90 · p99 in ms."
)


def page(result: Result) -> str:
    """The page's HTML."""
    legend = "".join(f'<span><i class="key {colour}"></i>{name}</span>' for name, colour in _COLOURS.items())
    verdict = "all limits kept" if not result.broken_limits else "past its limit"
    broken = "".join(f'<p class="broken">{escape(one)}</p>' for one in result.broken_limits)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Vitrine under load</title><style>{_STYLE}</style></head><body>
<h1>Vitrine under load</h1>
<p>{escape(result.title)}; {verdict}.</p>{broken}
<p class="legend">{legend}</p>
<h2>Throughput against concurrency</h2><p>{_KNEE}</p><div class="panels">{"".join(_panels(result.swept))}</div>
<h2>Latency at 60 % of the peak</h2><p>{_OPEN}</p><div class="wide">{strips(list(_open(result.swept)))}</div>
{"".join(_methods(result))}
<h2>Figures</h2><div class="wide">{"".join(_table(result))}</div>
</body></html>
"""


def _panels(swept: Sequence[Swept]) -> Iterator[str]:
    for stage, group in _by_stage(swept):
        curves = [
            Curve(one.shape, _COLOURS[one.shape], one.callers, [point.rps for point in one.points], one.knee)
            for one in group
        ]
        knees = ", ".join(f"{one.shape} {one.knee:.1f}" for one in group)
        yield f"<section><h3>{escape(stage)}</h3>{throughput(curves)}"
        yield f"<p>calls/s; knee at {knees} in flight</p></section>"


def _open(swept: Sequence[Swept]) -> Iterator[Strip]:
    for stage, group in _by_stage(swept):
        for one in group:
            yield Strip(f"{_short(stage)}, {one.open_rate:,.0f}/s", _COLOURS[one.shape], one.open.percentiles_ms)


def _by_stage(swept: Sequence[Swept]) -> Iterator[tuple[str, list[Swept]]]:
    ordered = sorted(swept, key=lambda one: [other.stage for other in swept].index(one.stage))
    for stage, group in groupby(ordered, key=lambda one: one.stage):
        yield stage, list(group)


def _methods(result: Result) -> Iterator[str]:
    yield f"<h2>Every method</h2><p>{_ALL}</p>"
    for shape, rows in result.measured.items():
        drawn = strips([Strip(_short(row.stage), _COLOURS[shape], row.percentiles_ms) for row in rows])
        yield f'<h3>{escape(shape)}</h3><div class="wide">{drawn}</div>'


def _short(stage: str) -> str:
    return stage.replace("Service/", " ").replace("grpc.health.v1.Health/Check", "no-op")


def _table(result: Result) -> Iterator[str]:
    heads = ("stage", "shape", "in flight", "calls", "calls/s", "p50 ms", "p99 ms", "errors")
    yield f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>"
    for shape, rows in result.measured.items():
        for row in rows:
            cells = (_short(row.stage), shape, *_cells(row))
            yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
    yield "</table>"


def _cells(row: Measured) -> tuple[str, ...]:
    return (
        str(row.in_flight),
        f"{row.calls:,}",
        f"{row.rps:,.1f}",
        f"{row.p50_ms:.2f}",
        f"{row.p99_ms:.2f}",
        f"{row.errors:,}",
    )
