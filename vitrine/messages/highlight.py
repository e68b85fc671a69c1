"""Highlights and parts of texts over the wire."""

from collections.abc import Iterable

from vitrine.ports import Highlight, Span
from vitrine.v1 import retriever_service_pb2 as pb


def highlight_to_message(highlight: Highlight) -> pb.Highlight:
    """One text of a product, and where the words are."""
    return pb.Highlight(field=highlight.field, text=highlight.text, spans=spans_to_messages(highlight.spans))


def highlight_from_message(message: pb.Highlight) -> Highlight:
    """One text of a product, and where the words are."""
    return Highlight(message.field, message.text, spans_from_messages(message.spans))


def spans_to_messages(spans: Iterable[Span]) -> list[pb.Span]:
    """Parts of a text."""
    return [pb.Span(start=span.start, end=span.end) for span in spans]


def spans_from_messages(messages: Iterable[pb.Span]) -> tuple[Span, ...]:
    """Parts of a text."""
    return tuple(Span(message.start, message.end) for message in messages)
