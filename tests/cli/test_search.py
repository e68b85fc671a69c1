"""`vitrine search --explain`: the words that did most."""

from cli.search import words_line
from vitrine.v1 import ranker_service_pb2 as pb


def test_the_words_that_did_most_come_first_with_their_sign() -> None:
    falls = {"smart": 0.5, "watch": 3.214, "case": -0.75, "for": 0.01, "a": 0.0, "b": 0.0, "c": 0.0}
    words = [pb.TokenAttribution(text=text, attribution=fall) for text, fall in falls.items()]
    assert (
        words_line(pb.Explanation(text_tokens=words)) == "watch +3.21 case -0.75 smart +0.50 for +0.01 a +0.00 b +0.00"
    )
    assert words_line(pb.Explanation()) == ""
