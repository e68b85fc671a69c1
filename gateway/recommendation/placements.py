"""The placements of products for shoppers, and taste for searches, put together over the ports."""

from gateway.personalisation import TasteScale
from gateway.recommendation.anchored import Anchored
from gateway.recommendation.arrange import Arranger
from gateway.recommendation.candidates import Candidates
from gateway.recommendation.evidence import EvidenceSources
from gateway.recommendation.fused import Fused
from gateway.recommendation.fusion import Fusion
from gateway.recommendation.history_vector import HistoryVectors
from gateway.recommendation.home import Home
from gateway.recommendation.kept_listings import KeptListings
from gateway.recommendation.placement import PlacementRecommender
from gateway.recommendation.query import Placement
from gateway.recommendation.taste_scores import LearnedTaste, LikenessTaste
from vitrine.ports import Embedder, Retriever


def fused_of(fusion: Fusion | None, candidates: Candidates, embedder: Embedder, retriever: Retriever) -> Fused | None:
    """What recommends by a fusion model; None without one."""
    if fusion is None:
        return None
    return Fused(fusion, EvidenceSources(candidates, HistoryVectors(embedder, retriever)), retriever)


def tastes_of(fusion: Fusion | None, embedder: Embedder, retriever: Retriever, interests: int) -> list[TasteScale]:
    """What says how products are to a visitor's taste: by a fusion model where there is one, else by likeness."""
    likeness = TasteScale(LikenessTaste(retriever, interests), strong=0.1)
    if fusion is None:
        return [likeness]
    learned = LearnedTaste(fusion, HistoryVectors(embedder, retriever), retriever)
    return [TasteScale(learned, strong=1.0), likeness]


def placements_of(
    candidates: Candidates, fused: Fused | None, kept: KeptListings
) -> dict[Placement, PlacementRecommender]:
    """HOME, SIMILAR, COMPLEMENTARY and CART."""
    arranger = Arranger(candidates)
    goes_with = Anchored(candidates, arranger, fused, goes_with=True)
    return {
        Placement.HOME: Home(candidates, arranger, fused, kept),
        Placement.SIMILAR: Anchored(candidates, arranger, fused),
        Placement.COMPLEMENTARY: goes_with,
        Placement.CART: goes_with,
    }
