"""The page of a report: one HTML file that works offline, and its charts as PNG beside it."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from evaluation import charts
from evaluation.bundle_cost import WORKLOADS, BundleCost
from evaluation.calibration import Calibration, calibration
from evaluation.comparison import Difference, check_comparable, compare
from evaluation.intervals import LEAST_FOR_INTERVAL, Interval
from evaluation.result import LISTED, JudgedQuery, RelevanceResult, ScoredPair
from evaluation.search_orders import ORDERS
from evaluation.slices import Slice, pair_slices, popularity_slices, query_slices
from services.retriever.words import query_words
from vitrine.errors import FailedPrecondition, invalid

PAGE = "index.html"
_MAIN = "judged"
_MOVED = 5


@dataclass(frozen=True, slots=True)
class _Chart:
    """A PNG, by its file's name."""

    name: str
    png: bytes
    says: str

    @property
    def uri(self) -> str:
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


@dataclass(frozen=True, slots=True)
class _WorstQuery:
    """A query that is ordered badly: its figure in each order, and its lists side by side, row by row."""

    text: str
    query: JudgedQuery
    figures: dict[str, float]
    judged: list[list[str | None]]
    full: list[list[str | None]]


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A result beside an earlier one of the same data; what moved most, of the main figure of the ranked order."""

    before: RelevanceResult
    differences: list[Difference]
    main: Difference | None
    lost: list[tuple[str, float]]
    gained: list[tuple[str, float]]


@dataclass(slots=True)
class _Section:
    """All that the page says of one result."""

    result: RelevanceResult
    orders: list[str]
    slices: dict[str, list[Slice]]
    popularity: list[Slice]
    calibration: Calibration
    worst: list[_WorstQuery]
    worst_pairs: list[ScoredPair]
    comparisons: list[_Comparison]
    charts: dict[str, _Chart] = field(default_factory=dict)


def write_page(
    out: Path,
    results: Sequence[RelevanceResult],
    baselines: Sequence[RelevanceResult] = (),
    costs: Sequence[BundleCost] = (),
    *,
    worst: int = 10,
) -> Path:
    """Writes index.html and the charts into `out` and gives the page's path. Nothing is written before all is made.

    Raises InvalidArgument when a baseline is of other data than every result, FailedPrecondition when `out` cannot be
    written to.
    """
    check_comparable(baselines, results)
    sections = [_section(number, result, baselines, worst) for number, result in enumerate(results, 1)]
    frontier = None
    if any(cost.quality for cost in costs):
        frontier = _Chart(
            "bundles-frontier.png", charts.frontier_chart(costs), "Quality against latency of all bundles"
        )
    environment = Environment(
        loader=PackageLoader("evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": _figure, "marked": _marked}
    html = environment.get_template("page.html").render(
        sections=sections,
        costs=costs,
        frontier=frontier,
        workloads=WORKLOADS,
        listed=LISTED,
        least=LEAST_FOR_INTERVAL,
    )
    drawn = [chart for section in sections for chart in section.charts.values()] + ([frontier] if frontier else [])
    try:
        out.mkdir(parents=True, exist_ok=True)
        for chart in drawn:
            (out / chart.name).write_bytes(chart.png)
        (out / PAGE).write_text(html, encoding="utf-8")
    except OSError as error:
        raise FailedPrecondition(f"the report cannot be written: {error}") from error
    return out / PAGE


def _section(number: int, result: RelevanceResult, baselines: Sequence[RelevanceResult], worst: int) -> _Section:
    if not result.figures or not result.pairs:
        raise invalid(result.dataset, "the result holds no figures or no judged pairs; evaluate again")
    is_shop = result.kind == "shop"
    probabilities = [pair.probability for pair in result.pairs]
    measured = calibration(probabilities, [pair.relevant for pair in result.pairs], [p.query for p in result.pairs])
    metrics = list(next(iter(result.figures.values())))
    section = _Section(
        result=result,
        orders=[name for name in ORDERS if name in result.figures],
        slices={metric: query_slices(result, metric) for metric in metrics}
        if is_shop
        else {"auc": pair_slices(result)},
        popularity=popularity_slices(result),
        calibration=measured,
        worst=_worst(result, worst) if is_shop else [],
        worst_pairs=[] if is_shop else sorted(result.pairs, key=lambda p: -abs(p.probability - p.relevant))[:worst],
        comparisons=[_comparison(one, result) for one in baselines if one.data_digest == result.data_digest],
    )
    slug = re.sub(r"[^a-z0-9]+", "-", result.dataset.lower()).strip("-") or "data"

    def add(name: str, png: bytes, says: str) -> None:
        section.charts[name] = _Chart(f"{number}-{slug}-{name}.png", png, says)

    add(
        "figures",
        charts.figures_chart(result.figures, result.published),
        "Each figure of each order, with its interval",
    )
    main = _MAIN if is_shop else "auc"
    add("slices", charts.slices_chart(section.slices[main], main), "The figure of each language and band")
    if section.popularity:
        add("popularity", charts.slices_chart(section.popularity, "recall_50"), "Recall by the products' popularity")
    add(
        "calibration",
        charts.calibration_chart(measured, probabilities),
        "Observed relevant share against predicted probability",
    )
    for place, one in enumerate(section.comparisons, 1):
        if one.main:
            add(f"gains-{place}", charts.differences_chart(one.main), "The gain of each query, sorted")
    return section


def _worst(result: RelevanceResult, count: int) -> list[_WorstQuery]:
    values = {order: metrics[_MAIN] for order, metrics in result.by_query.items()}
    found = []
    for text in sorted(result.queries, key=lambda text: (values[ORDERS[-1]][text], text))[:count]:
        query = result.queries[text]
        figures = {order: values[order][text] for order in ORDERS}
        found.append(_WorstQuery(text, query, figures, _side_by_side(query.judged), _side_by_side(query.full)))
    return found


def _side_by_side(lists: dict[str, list[str]]) -> list[list[str | None]]:
    columns = [lists[order] for order in ORDERS]
    longest = max(map(len, columns))
    return [[column[row] if row < len(column) else None for column in columns] for row in range(longest)]


def _comparison(before: RelevanceResult, after: RelevanceResult) -> _Comparison:
    differences = compare(before, after)
    main = next((one for one in differences if (one.order, one.metric) == (ORDERS[-1], _MAIN)), None)
    moved = sorted(main.by_query.items(), key=lambda item: (item[1], item[0])) if main else []
    lost = [item for item in moved if item[1] < 0][:_MOVED]
    gained = [item for item in reversed(moved) if item[1] > 0][:_MOVED]
    return _Comparison(before, differences, main, lost, gained)


def _figure(figure: Interval, digits: int = 3, least: int = LEAST_FOR_INTERVAL) -> Markup:
    """The value above its interval; of very few queries without."""
    bounds = f"{figure.low:.{digits}f}–{figure.high:.{digits}f}" if figure.count >= least else f"n = {figure.count}"
    return Markup("{}<small>{}</small>").format(f"{figure.value:.{digits}f}", bounds)


def _marked(title: str, query: str) -> Markup:
    """The title with the query's words marked."""
    words = sorted((re.escape(word) for word in query_words(query)), key=len, reverse=True)
    if not words:
        return escape(title)
    # Of words in letters only whole ones; Han characters stand in words of their own.
    pattern = re.compile(rf"((?<![a-z0-9])(?:{'|'.join(words)})(?![a-z0-9]))", re.IGNORECASE)
    parts = pattern.split(title)
    marked = (Markup("<mark>{}</mark>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts))
    return Markup("").join(marked)
