"""The placements of products for shoppers, put together over the ports."""

from pathlib import Path

from gateway.recommendation.anchored import Anchored
from gateway.recommendation.arrange import Arranger
from gateway.recommendation.candidates import Candidates
from gateway.recommendation.evidence import EvidenceSources
from gateway.recommendation.fused import Fused
from gateway.recommendation.fusion import Fusion
from gateway.recommendation.history_vector import HistoryVectors
from gateway.recommendation.home import Home
from gateway.recommendation.placement import PlacementRecommender
from gateway.recommendation.query import Placement
from vitrine.ports import Embedder, Retriever


def fused_of(bundle: str, candidates: Candidates, embedder: Embedder, retriever: Retriever) -> Fused | None:
    """What recommends by the bundle in a folder; None for "". Raises FailedPrecondition when it is not one to serve."""
    if not bundle:
        return None
    sources = EvidenceSources(candidates, retriever, HistoryVectors(embedder, retriever))
    return Fused(Fusion(Path(bundle)), sources, retriever)


def placements_of(candidates: Candidates, fused: Fused | None) -> dict[Placement, PlacementRecommender]:
    """HOME, SIMILAR, COMPLEMENTARY and CART."""
    arranger = Arranger(candidates)
    goes_with = Anchored(candidates, arranger, fused, goes_with=True)
    return {
        Placement.HOME: Home(candidates, arranger, fused),
        Placement.SIMILAR: Anchored(candidates, arranger, fused),
        Placement.COMPLEMENTARY: goes_with,
        Placement.CART: goes_with,
    }
