"""The ports that the gateway's pipeline sees: engines implement them, and so do their gRPC clients.

Every method raises the errors of `vitrine.errors`, and gives up by its deadline.
"""

from vitrine.ports.embedder import EmbeddedItem, Embedder, Embeddings, EncodedHistories, HistoryItem, InputType
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
from vitrine.ports.retriever import IndexInfo, ProductsFound, Retriever, WriteResult
from vitrine.ports.service import ItemOutcome, Lane, ModelInfo, ServedModels
from vitrine.ports.visitors import Popularity, PopularProduct, VisitorAction, VisitorHistory

__all__ = [
    "Anchor",
    "BehaviourVectors",
    "Candidate",
    "EmbeddedItem",
    "Embedder",
    "Embeddings",
    "EncodedHistories",
    "Evidence",
    "Explanation",
    "Explanations",
    "HistoryItem",
    "IndexInfo",
    "InputType",
    "Interest",
    "ItemOutcome",
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
    "TokenAttribution",
    "VisitorAction",
    "VisitorHistory",
    "WordReading",
    "WriteResult",
]
