"""Search from the command line: one page as a table."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from rich.console import Console
from rich.table import Table

from vitrine.client import Client
from vitrine.client.requests import OrderBy, SearchOptions
from vitrine.messages.facets import facet_specs_to_messages
from vitrine.messages.product import filter_to_message
from vitrine.ports import FacetSpec, ProductFilter
from vitrine.v1 import (
    common_pb2,
    ranker_service_pb2,
    retriever_service_pb2,
    search_service_pb2,
)

_WORDS = 6


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked; fields are those of `Client.search`, facets as `facet_spec` reads them."""

    query: str
    filter: ProductFilter
    order_by: str = ""
    facets: tuple[str, ...] = ()
    visitor_id: str = ""
    page_size: int = 10
    explain: bool = False

    def options(self) -> SearchOptions:
        """The keywords."""
        return {
            "page_size": self.page_size,
            "filter": filter_to_message(self.filter),
            # The gateway says which there are.
            "order_by": cast(OrderBy, self.order_by),
            "facets": facet_specs_to_messages(map(facet_spec, self.facets)),
            "explain": self.explain,
        }


def facet_spec(text: str) -> FacetSpec:
    """The facet of "KEY", or of "KEY:BOUND,BOUND" where numbers are to be counted between bounds."""
    key, _, bounds = text.rpartition(":")
    try:
        return FacetSpec(key or text, bounds=tuple(map(float, bounds.split(","))) if key else ())
    except ValueError:
        return FacetSpec(text)  # an attribute's name may hold a colon


async def search_and_print(asked: Asked, target: str) -> None:
    """Asks the gateway at `target` and prints the answer. Raises the errors of `vitrine.errors`."""
    async with Client(target) as client:
        answer = await client.search(asked.query, visitor_id=asked.visitor_id, **asked.options())
    console = Console()
    console.print(_table(answer, asked.explain))
    for facet in answer.facets:
        console.print(facet_line(facet), markup=False)
    console.print(_footer(answer), markup=False)


def _table(answer: search_service_pb2.SearchResponse, explain: bool) -> Table:
    table = Table()
    explained = ["found by", "because of"] if explain else []
    for heading in ("#", "id", "title", "brand", "price", "relevance", *explained):
        table.add_column(heading, justify="right" if heading in ("#", "price", "relevance") else "left")
    for result in answer.results:
        product = result.product
        price = f"{product.price:,.2f} {product.currency_code}" if product.HasField("price") else ""
        # The calibrated probability where it was ranked, else how the retriever found it.
        ranked = result.HasField("rank_probability")
        score = f"{result.rank_probability:.3f}" if ranked else f"({result.retrieval_score:.3f})"
        if result.HasField("personal_score"):
            score += f" {result.personal_score:+.3f}"
        words = [sources_line(result.sources), words_line(result.explanation)] if explain else []
        table.add_row(str(result.position), product.id, product.title, product.brand, price, score, *words)
    return table


def facet_line(facet: retriever_service_pb2.Facet) -> str:
    """The values of a facet with their counts: "brand: Acme 12, Zeta 3"; numbers by bucket, and from where to where."""
    values = [f"{value.value or _bucket(value)} {value.count:,}" for value in facet.values]
    if facet.HasField("min"):
        values.append(f"from {facet.min:g} to {facet.max:g}")
    return f"{facet.key}: {', '.join(values) or 'none'}"


def _bucket(value: retriever_service_pb2.FacetValue) -> str:
    if not value.HasField("low"):
        return f"< {value.high:g}"
    return f"{value.low:g}–{value.high:g}" if value.HasField("high") else f">= {value.low:g}"


def sources_line(sources: Iterable[retriever_service_pb2.SourceScore]) -> str:
    """Which sources found a product, at which rank and with what score: "dense #3 0.812, lexical #1 12.4, pin #1"."""
    parts = []
    for found in sources:
        rank = f" #{found.rank}" if found.rank else " (not in its list)"
        parts.append(f"{found.source}{rank}" if found.source == "pin" else f"{found.source}{rank} {found.score:.3g}")
    return ", ".join(parts)


def words_line(explanation: ranker_service_pb2.Explanation) -> str:
    """The words of the product that did most, for and against: "watch +3.21 case -0.40"; "" without explanation."""
    words = sorted(explanation.text_tokens, key=lambda word: -abs(word.attribution))[:_WORDS]
    return " ".join(f"{word.text} {word.attribution:+.2f}" for word in words)


def _footer(answer: search_service_pb2.SearchResponse) -> str:
    parts = [f"{answer.total_size:,} match"] if answer.HasField("total_size") else []
    parts += [f"{timing.stage} {timing.duration_ms:.1f} ms" for timing in answer.timings]
    parts += [f"cached: {cached}" for cached in answer.cached]
    parts += [f"missing: {common_pb2.Degradation.Name(value)}" for value in answer.degradations]
    if answer.shortfall:
        parts.append(common_pb2.Shortfall.Name(answer.shortfall))
    return "  ".join(parts)
