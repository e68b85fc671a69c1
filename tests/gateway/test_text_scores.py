"""What a text found says of a candidate: cosine and BM25, whatever other sources named it."""

from gateway.text_retrieval import text_scores
from vitrine.ports import Candidate, SourceScore


def test_sources_without_a_score_are_passed_over() -> None:
    """A visitor's last search may have been a model number, or a query with a pin."""
    sources = (
        SourceScore("dense", 1, 0.5),
        SourceScore("lexical", 2, 3.0),
        SourceScore("model_number", 1, 0.0),
        SourceScore("pin", 1, 0.0),
    )
    assert text_scores(Candidate("a", 1.0, sources, None)) == {"cosine": 0.5, "bm25": 3.0}
    assert text_scores(Candidate("b", 1.0, sources[2:], None)) == {}
