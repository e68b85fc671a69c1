"""Suggestions on the command line: what the shop completes a beginning to, as a table."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vitrine.client import Client
from vitrine.v1 import common_pb2, retriever_service_pb2


async def suggest_and_print(text: str, limit: int, language: str, target: str) -> None:
    """Asks the gateway at `target` and prints the answer. Raises the errors of `vitrine.errors`."""
    async with Client(target) as client:
        answer = await client.suggest(text, limit=limit, language=language)
    table = Table("suggestion", "kind", "product", "score")
    for one in answer.suggestions:
        table.add_row(marked_text(one), kind_of(one), one.product_id, f"{one.score:.3f}")
    console = Console()
    console.print(table)
    for value in answer.degradations:
        console.print(f"missing: {common_pb2.Degradation.Name(value)}", markup=False)


def marked_text(suggestion: retriever_service_pb2.Suggestion) -> Text:
    """The text with the typed words in bold."""
    text = Text(suggestion.text)
    for span in suggestion.spans:
        text.stylize("bold", span.start, span.end)
    return text


def kind_of(suggestion: retriever_service_pb2.Suggestion) -> str:
    """ "brand"; "query, mended" where the typed words were mended to find it."""
    name = retriever_service_pb2.SuggestionKind.Name(suggestion.kind)
    kind = name.removeprefix("SUGGESTION_KIND_").lower()
    return f"{kind}, mended" if suggestion.mended else kind
