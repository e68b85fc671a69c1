"""The ports that the gateway's pipeline sees: engines implement them, and so do their gRPC clients.

Every method raises the errors of `vitrine.errors`, and gives up by its deadline.
"""

from vitrine.ports.embedder import EmbeddedItem, Embedder, Embeddings, EncodedHistories, HistoryItem, InputType
from vitrine.ports.facets import DEFAULT_FACET_LIMIT, Facet, FacetSpec, FacetValue
from vitrine.ports.highlight import Highlight, Span
from vitrine.ports.ranker import (
    Evidence,
    Explanation,
    Explanations,
    RankCandidate,
    RankedCandidate,
    Ranker,
    RankFailure,
    Ranking,
    TokenAttribution,
)
from vitrine.ports.reading import QueryReading, WordReading
from vitrine.ports.related import (
    BehaviourVectors,
    Related,
    RelatedCandidate,
    RelatedQuery,
    Relation,
    RelationColumn,
    RelationScore,
)
from vitrine.ports.retrieval import (
    Anchor,
    Candidate,
    Interest,
    ProductFilter,
    Retrieval,
    RetrievalQuery,
    Shortfall,
    Similar,
    SimilarCandidate,
    SimilarQuery,
    Source,
    SourceScore,
)
from vitrine.ports.retriever import (
    KEEP_VECTOR,
    DigestPage,
    IndexInfo,
    ProductsFound,
    Retriever,
    WriteResult,
    check_vector_index,
)
from vitrine.ports.service import ItemOutcome, Lane, ModelInfo, ServedModels
from vitrine.ports.suggest import Suggestion, SuggestionKind, Suggestions, SuggestQuery
from vitrine.ports.visitors import Popularity, PopularProduct, VisitorAction, VisitorHistory

__all__ = [
    "Anchor",
    "BehaviourVectors",
    "Candidate",
    "DEFAULT_FACET_LIMIT",
    "DigestPage",
    "EmbeddedItem",
    "Embedder",
    "Embeddings",
    "EncodedHistories",
    "Evidence",
    "Explanation",
    "Explanations",
    "Facet",
    "FacetSpec",
    "FacetValue",
    "Highlight",
    "HistoryItem",
    "IndexInfo",
    "InputType",
    "Interest",
    "ItemOutcome",
    "KEEP_VECTOR",
    "Lane",
    "ModelInfo",
    "PopularProduct",
    "Popularity",
    "ProductFilter",
    "ProductsFound",
    "QueryReading",
    "RankCandidate",
    "RankFailure",
    "RankedCandidate",
    "Ranker",
    "Ranking",
    "Related",
    "RelatedCandidate",
    "RelatedQuery",
    "Relation",
    "RelationColumn",
    "RelationScore",
    "Retrieval",
    "RetrievalQuery",
    "Retriever",
    "ServedModels",
    "Shortfall",
    "Similar",
    "SimilarCandidate",
    "SimilarQuery",
    "Source",
    "SourceScore",
    "Span",
    "SuggestQuery",
    "Suggestion",
    "SuggestionKind",
    "Suggestions",
    "TokenAttribution",
    "VisitorAction",
    "VisitorHistory",
    "WordReading",
    "WriteResult",
    "check_vector_index",
]
