"""`vitrine search`: what is asked, the words that did most, and facets as lines."""

import pytest

from cli.search import Asked, facet_line, facet_spec, sources_line, words_line
from vitrine.client.requests import search_request
from vitrine.messages.facets import facets_to_messages
from vitrine.ports import Facet, FacetSpec, FacetValue, ProductFilter
from vitrine.v1 import ranker_service_pb2 as pb
from vitrine.v1 import retriever_service_pb2


def test_the_words_that_did_most_come_first_with_their_sign() -> None:
    falls = {"smart": 0.5, "watch": 3.214, "case": -0.75, "for": 0.01, "a": 0.0, "b": 0.0, "c": 0.0}
    words = [pb.TokenAttribution(text=text, attribution=fall) for text, fall in falls.items()]
    assert (
        words_line(pb.Explanation(text_tokens=words)) == "watch +3.21 case -0.75 smart +0.50 for +0.01 a +0.00 b +0.00"
    )
    assert words_line(pb.Explanation()) == ""


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("brand", FacetSpec("brand")),
        ("price:50,100.5", FacetSpec("price", bounds=(50.0, 100.5))),
        ("attributes.screen size:6", FacetSpec("attributes.screen size", bounds=(6.0,))),
        ("attributes.ratio 16:9 or so", FacetSpec("attributes.ratio 16:9 or so")),
    ],
)
def test_a_facet_is_read_from_its_key_and_bounds(text: str, spec: FacetSpec) -> None:
    assert facet_spec(text) == spec


def test_what_is_asked_becomes_a_request() -> None:
    asked = Asked("", ProductFilter(expression="price < 3"), "price desc", ("brand", "price:1,2"))
    request = search_request(asked.query, "", "", asked.options())
    assert (request.query, request.order_by, request.filter.expression) == ("", "price desc", "price < 3")
    assert [(facet.key, facet.limit, list(facet.bounds)) for facet in request.facets] == [
        ("brand", 20, []),
        ("price", 20, [1, 2]),
    ]


def test_a_facet_is_shown_in_one_line() -> None:
    buckets = (FacetValue("", 1, None, 50.0), FacetValue("", 2_000, 50.0, 100.0), FacetValue("", 3, 100.0))
    facets = (
        Facet("brand", (FacetValue("Acme", 12), FacetValue("海岚", 3))),
        Facet("price", buckets, 9.5, 1_200.0),
        Facet("attributes.color", ()),
    )
    assert [facet_line(facet) for facet in facets_to_messages(facets)] == [
        "brand: Acme 12, 海岚 3",
        "price: < 50 1, 50–100 2,000, >= 100 3, from 9.5 to 1200",
        "attributes.color: none",
    ]


def test_what_found_a_product_is_told_with_rank_and_score() -> None:
    sources = [
        retriever_service_pb2.SourceScore(source="dense", rank=3, score=0.8125),
        retriever_service_pb2.SourceScore(source="lexical", rank=0, score=0),
        retriever_service_pb2.SourceScore(source="pin", rank=1),
    ]
    assert sources_line(sources) == "dense #3 0.812, lexical (not in its list) 0, pin #1"
    assert sources_line([]) == ""
