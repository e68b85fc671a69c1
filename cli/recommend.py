"""Recommendations from the command line: a table with the reasons."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from vitrine.client import Client
from vitrine.client.requests import PlacementName, RecommendOptions
from vitrine.errors import invalid
from vitrine.v1 import common_pb2, recommendation_reason_pb2
from vitrine.v1 import recommendation_service_pb2 as pb

_REASONS = 3


def placed(
    *,
    similar_to: Sequence[str] | None,
    goes_with: Sequence[str] | None,
    cart: Sequence[str] | None,
    ads: bool,
    content: bool,
    about: Sequence[str] | None,
) -> tuple[PlacementName, Sequence[str]]:
    """The placement that the options name, HOME where they name none, and its products.

    Raises InvalidArgument where they name two.
    """
    asked: dict[str, tuple[PlacementName, bool | Sequence[str] | None]] = {
        "similar_to": ("similar", similar_to),
        "with": ("complementary", goes_with),
        "cart": ("cart", cart),
        "ads": ("ads", ads),
        "content": ("content", content),
        "about": ("content", about),
    }
    given = [name for name, (_, value) in asked.items() if value]
    if len(given) > 1:
        raise invalid(given[1].replace("_", "-"), f"is given beside {given[0].replace('_', '-')}; ask for one of them")
    placement, value = asked[given[0]] if given else ("home", None)
    return placement, value if isinstance(value, Sequence) else ()


async def recommend_and_print(
    placement: PlacementName, visitor_id: str, options: RecommendOptions, target: str
) -> None:
    """Asks the gateway at `target` and prints the answer. Raises the errors of `vitrine.errors`."""
    async with Client(target) as client:
        answer = await client.recommend(placement, visitor_id=visitor_id, **options)
    console = Console()
    console.print(_table(answer))
    console.print(_footer(answer), markup=False)


def _table(answer: pb.RecommendResponse) -> Table:
    table = Table()
    for heading in ("#", "id", "title", "brand", "price", "score", "because"):
        table.add_column(heading, justify="right" if heading in ("#", "price", "score") else "left")
    for result in answer.results:
        product = result.product
        price = f"{product.price:,.2f} {product.currency_code}" if product.HasField("price") else ""
        because = "\n".join(map(reason_line, result.reasons[:_REASONS]))
        table.add_row(
            str(result.position), product.id, product.title, product.brand, price, f"{result.score:.3f}", because
        )
    return table


def reason_line(reason: recommendation_reason_pb2.RecommendationReason) -> str:
    """A reason in one line: "0.833 HISTORY P0000358"."""
    name = recommendation_reason_pb2.RecommendationSource.Name(reason.source).removeprefix("RECOMMENDATION_SOURCE_")
    evidence = reason.text or reason.category or " ".join(reason.product_ids)
    numbers = " ".join(f"{feature.name}={feature.value:.4g}" for feature in reason.features)
    return " ".join(part for part in (f"{reason.contribution:.3f}", name, evidence, numbers) if part)


def _footer(answer: pb.RecommendResponse) -> str:
    parts = [f"{timing.stage} {timing.duration_ms:.1f} ms" for timing in answer.timings]
    parts += [f"missing: {common_pb2.Degradation.Name(value)}" for value in answer.degradations]
    parts += [f"not in the catalogue: {product_id}" for product_id in answer.missing_product_ids]
    if answer.shortfall:
        parts.append(common_pb2.Shortfall.Name(answer.shortfall))
    return "  ".join(parts)
