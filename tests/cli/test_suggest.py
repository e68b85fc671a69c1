"""`vitrine suggest`: how a suggestion is shown."""

from cli.suggest import kind_of, marked_text
from vitrine.v1 import retriever_service_pb2 as pb


def test_the_typed_words_are_marked_in_what_is_suggested() -> None:
    one = pb.Suggestion(text="Smart watch", spans=[pb.Span(start=0, end=5), pb.Span(start=6, end=8)])
    assert [(span.start, span.end, span.style) for span in marked_text(one).spans] == [(0, 5, "bold"), (6, 8, "bold")]


def test_the_kind_says_whether_the_words_were_mended() -> None:
    assert kind_of(pb.Suggestion(kind=pb.SUGGESTION_KIND_BRAND)) == "brand"
    assert kind_of(pb.Suggestion(kind=pb.SUGGESTION_KIND_QUERY, mended=True)) == "query, mended"
