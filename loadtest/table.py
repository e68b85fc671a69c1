"""The result of a run in Markdown: what shoppers wait for by callers, and every method."""

from collections.abc import Iterator

from loadtest.result import Result


def markdown(result: Result) -> str:
    """Two tables and what went past its limit."""
    return "\n".join(_lines(result)) + "\n"


def _lines(result: Result) -> Iterator[str]:
    yield f"{result.title}\n"
    if result.swept:
        callers = result.swept[0].callers
        yield f"| calls/s by calls in flight | shape | {' | '.join(map(str, callers))} | knee | p50 ms, open | p99 |"
        yield f"|---|---|{'---|' * (len(callers) + 3)}"
    for one in result.swept:
        rps = " | ".join(f"{point.rps:,.0f}" for point in one.points)
        yield (
            f"| {one.stage} | {one.shape} | {rps} | {one.knee:.1f} |"
            f" {one.open.p50_ms:.1f} at {one.open_rate:,.0f}/s | {one.open.p99_ms:.1f} |"
        )
    yield "\n| stage | shape | in flight | calls/s | no-ops a call | p50 ms | p99 ms | errors |"
    yield "|---|---|---|---|---|---|---|---|"
    for shape, rows in result.measured.items():
        no_op = rows[0].rps
        for row in rows:
            figures = f"{row.in_flight} | {row.rps:,.1f} | {no_op / row.rps:,.1f} | {row.p50_ms:.2f} | {row.p99_ms:.2f}"
            yield f"| {row.stage} | {shape} | {figures} | {row.errors} |"
    yield from (f"\npast its limit: {limit}" for limit in result.broken_limits)
