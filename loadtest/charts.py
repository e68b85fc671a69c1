"""Charts as SVG text, coloured by classes of the page that they stand in: curves by callers, and strips of latency."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 360, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 34
_ROW, _NAMES, _SCALE, _FIGURES = 20, 280, 430, 190


@dataclass(frozen=True, slots=True)
class Curve:
    """Calls a second by callers, and callers at the knee; `colour` is a class of the page."""

    name: str
    colour: str
    callers: Sequence[int]
    rps: Sequence[float]
    knee: float


@dataclass(frozen=True, slots=True)
class Strip:
    """Latencies of a stage, in milliseconds by percentile."""

    name: str
    colour: str
    percentiles_ms: dict[int, float]


def throughput(curves: Sequence[Curve]) -> str:
    """Calls a second by callers (a scale of doublings), each curve's two bounds dashed and its knee ringed."""
    most = _ceiling(max(max(one.rps) for one in curves))
    last = math.log2(max(curves[0].callers))

    def x(callers: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * math.log2(callers) / last

    def y(rps: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * min(rps, most) / most

    def drawn() -> Iterator[str]:
        for part in range(5):
            rps = most * part / 4
            yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(rps):.1f}" y2="{y(rps):.1f}"/>'
            yield f'<text class="tick" x="{_LEFT - 6}" y="{y(rps) + 4:.1f}" text-anchor="end">{_figure(rps)}</text>'
        for callers in curves[0].callers:
            middle = f'x="{x(callers):.1f}" y="{_HEIGHT - _BOTTOM + 15}" text-anchor="middle"'
            yield f'<text class="tick" {middle}>{callers}</text>'
        centre = (_LEFT + _WIDTH - _RIGHT) / 2
        yield f'<text class="tick" x="{centre}" y="{_HEIGHT - 4}" text-anchor="middle">calls in flight</text>'
        for one in curves:
            peak, alone = max(one.rps), one.rps[0]
            rising = [2 ** (step / 8) for step in range(int(8 * math.log2(one.knee)) + 1)] + [one.knee]
            bound = " ".join(f"{x(n):.1f},{y(n * alone):.1f}" for n in (*rising, max(one.callers)) if n * alone <= peak)
            bound += f" {x(one.knee):.1f},{y(peak):.1f} {x(max(one.callers)):.1f},{y(peak):.1f}"
            yield f'<polyline class="bound {one.colour}" points="{bound}"/>'
            line = " ".join(f"{x(n):.1f},{y(rps):.1f}" for n, rps in zip(one.callers, one.rps, strict=True))
            yield f'<polyline class="curve {one.colour}" points="{line}"/>'
            for n, rps in zip(one.callers, one.rps, strict=True):
                said = f"{one.name}: {n} in flight, {_figure(rps)}/s"
                yield (
                    f'<circle class="dot {one.colour}" cx="{x(n):.1f}" cy="{y(rps):.1f}" r="3.5">'
                    f"<title>{escape(said)}</title></circle>"
                )
            yield f'<circle class="knee {one.colour}" cx="{x(one.knee):.1f}" cy="{y(peak):.1f}" r="7"/>'

    return _svg(_WIDTH, _HEIGHT, "calls a second by calls in flight", drawn())


def strips(rows: Sequence[Strip]) -> str:
    """A line for each stage on a scale of powers of ten: p10 to p90 thick, to p99 thin, p50 a tick."""
    least = 10 ** math.floor(math.log10(min(row.percentiles_ms[10] for row in rows)))
    decades = max(1, math.ceil(math.log10(max(row.percentiles_ms[99] for row in rows) / least)))
    height, width = _ROW * len(rows) + 26, _NAMES + _SCALE + _FIGURES

    def x(latency_ms: float) -> float:
        return _NAMES + _SCALE * math.log10(max(latency_ms, least) / least) / decades

    def drawn() -> Iterator[str]:
        for decade in range(decades + 1):
            latency_ms = least * 10**decade
            at = f"{x(latency_ms):.1f}"
            yield f'<line class="grid" x1="{at}" x2="{at}" y1="18" y2="{height - 4}"/>'
            yield f'<text class="tick" x="{at}" y="12" text-anchor="middle">{_figure(latency_ms)} ms</text>'
        for place, row in enumerate(rows):
            y, xs = 32 + _ROW * place, {percent: x(value) for percent, value in row.percentiles_ms.items()}
            yield f'<text class="name" x="{_NAMES - 10}" y="{y + 4}" text-anchor="end">{escape(row.name)}</text>'
            yield f'<line class="thin {row.colour}" x1="{xs[10]:.1f}" x2="{xs[99]:.1f}" y1="{y}" y2="{y}"/>'
            yield f'<line class="thick {row.colour}" x1="{xs[10]:.1f}" x2="{xs[90]:.1f}" y1="{y}" y2="{y}"/>'
            yield f'<line class="middle" x1="{xs[50]:.1f}" x2="{xs[50]:.1f}" y1="{y - 6}" y2="{y + 6}"/>'
            said = " · ".join(_figure(row.percentiles_ms[percent]) for percent in (50, 90, 99))
            yield f'<text class="tick" x="{_NAMES + _SCALE + 14}" y="{y + 4}">{said}</text>'

    return _svg(width, height, "latency by stage", drawn())


def _svg(width: int, height: int, label: str, parts: Iterator[str]) -> str:
    head = f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{label}">'
    return f"{head}\n{chr(10).join(parts)}\n</svg>"


def _ceiling(value: float) -> float:
    """The next round number: 1, 2, 4 or 8 times a power of ten."""
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 4, 8, 10) if power * step >= value)


def _figure(value: float) -> str:
    """Three digits at most, where they say something."""
    if value >= 100 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}"
