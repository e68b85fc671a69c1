"""Answers of the retriever on the wire, across versions."""

from vitrine.messages.retriever import retrieval_from_message, retrieval_to_message
from vitrine.ports import BareCandidates, Candidate, Retrieval, SourceScore
from vitrine.product import Product
from vitrine.v1 import retriever_service_pb2 as pb

WHOLE = Candidate("a", 0.75, (SourceScore("dense", 1, 0.5), SourceScore("lexical", 2, 3.0)), Product(id="a", title="A"))
# It carries no product, being gone; what follows it does.
GONE = Candidate("b", 0.5, (SourceScore("dense", 2, 0.25),))
LAST = Candidate("c", 0.25, (SourceScore("lexical", 1, 4.0),), Product(id="c", title="C"))
REST = BareCandidates(["d", "e"], [0.125, 0.0625])


def test_no_candidate_is_lost_or_moved() -> None:
    sent = Retrieval((WHOLE, GONE, LAST), None, 7, best_bm25=4.0, rest=REST)
    message = retrieval_to_message(sent)
    assert retrieval_from_message(pb.RetrieveResponse.FromString(message.SerializeToString())) == sent


def test_a_retriever_of_before_tells_the_best_bm25_by_its_candidates() -> None:
    message = retrieval_to_message(Retrieval((WHOLE, GONE, LAST), None, 7))
    message.ClearField("best_bm25")
    assert retrieval_from_message(message).best_bm25 == 4.0
