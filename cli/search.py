"""Search from the command line: one page as a table."""

from rich.console import Console
from rich.table import Table

from vitrine.channel import call, open_channel
from vitrine.deadline import Deadline
from vitrine.messages.product import filter_to_message
from vitrine.ports import ProductFilter
from vitrine.v1 import common_pb2, ranker_service_pb2, search_service_pb2, search_service_pb2_grpc

_TIMEOUT_S = 10.0
_WORDS = 6


async def search_and_print(
    query: str, product_filter: ProductFilter, visitor_id: str, page_size: int, target: str, *, explain: bool
) -> None:
    """Asks the gateway at `target` and prints the answer. Raises the errors of `vitrine.errors`."""
    request = search_service_pb2.SearchRequest(
        query=query,
        page_size=page_size,
        filter=filter_to_message(product_filter),
        visitor_id=visitor_id,
        explain=explain,
    )
    async with open_channel(target) as channel:
        stub = search_service_pb2_grpc.SearchServiceStub(channel)
        answer = await call(stub.Search, request, deadline=Deadline.after(_TIMEOUT_S))
    console = Console()
    console.print(_table(answer, explain))
    console.print(_footer(answer), markup=False)


def _table(answer: search_service_pb2.SearchResponse, explain: bool) -> Table:
    table = Table()
    for heading in ("#", "id", "title", "brand", "price", "relevance", *(["because of"] if explain else [])):
        table.add_column(heading, justify="right" if heading in ("#", "price", "relevance") else "left")
    for result in answer.results:
        product = result.product
        price = f"{product.price:,.2f} {product.currency_code}" if product.HasField("price") else ""
        # The calibrated probability where it was ranked, else how the retriever found it.
        ranked = result.HasField("rank_probability")
        score = f"{result.rank_probability:.3f}" if ranked else f"({result.retrieval_score:.3f})"
        if result.HasField("personal_score"):
            score += f" {result.personal_score:+.3f}"
        words = [words_line(result.explanation)] if explain else []
        table.add_row(str(result.position), product.id, product.title, product.brand, price, score, *words)
    return table


def words_line(explanation: ranker_service_pb2.Explanation) -> str:
    """The words of the product that did most, for and against: "watch +3.21 case -0.40"; "" without explanation."""
    words = sorted(explanation.text_tokens, key=lambda word: -abs(word.attribution))[:_WORDS]
    return " ".join(f"{word.text} {word.attribution:+.2f}" for word in words)


def _footer(answer: search_service_pb2.SearchResponse) -> str:
    parts = [f"{timing.stage} {timing.duration_ms:.1f} ms" for timing in answer.timings]
    parts += [f"cached: {cached}" for cached in answer.cached]
    parts += [f"missing: {common_pb2.Degradation.Name(value)}" for value in answer.degradations]
    if answer.shortfall:
        parts.append(common_pb2.Shortfall.Name(answer.shortfall))
    return "  ".join(parts)
