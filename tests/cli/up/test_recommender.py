"""`vitrine up --recommender`: one folder for all parts, in both shapes."""

import asyncio
from pathlib import Path

import httpx
import pytest

from gateway.recommendation.features import FEATURES, GROUPS
from tests.cli.up.running import ROOT, vitrine_up
from tests.recommender_bundle import learned_products, write_recommender_bundle
from vitrine.bundle import load_bundle
from vitrine.recommender_bundle import FusionCalibration, FusionManifest, RecommenderBundle


def recommender(folder: Path, embedder_digest: str) -> RecommenderBundle:
    """A recommender of another shop: it learned of nothing that is here, and places products by their text."""
    fusion = FusionManifest(features=FEATURES, groups=GROUPS, calibration=FusionCalibration(scale=1.0, bias=0.0))
    learned = learned_products(["elsewhere"], text_dim=384)
    return write_recommender_bundle(folder, learned, embedder_digest=embedder_digest, fusion=fusion)


@pytest.mark.parametrize("shape", [(), ("--suite",)])
async def test_all_parts_recommend_with_it(tmp_path: Path, shape: tuple[str, ...]) -> None:
    """A view, and the next answer comes from the behaviour space: retriever, embedder and gateway have the bundle."""
    recommender(tmp_path / "recommender", load_bundle(ROOT / "models/embedder", "embedder").manifest.digest)
    async with vitrine_up(tmp_path, "--recommender", "recommender", *shape) as up, asyncio.timeout(180):
        await up.prints("Ctrl-C stops it.")
        async with httpx.AsyncClient(base_url=up.http_url, timeout=60) as http:
            search = {"query": "watch", "pageSize": 1}
            found = (await http.post("/vitrine.v1.SearchService/Search", json=search)).json()
            viewed = found["results"][0]["product"]["id"]
            event = {
                "eventId": "1",
                "eventType": "EVENT_TYPE_VIEW_ITEM",
                "visitorId": "ana",
                "products": [{"productId": viewed}],
            }
            written = await http.post("/vitrine.v1.UserEventService/WriteUserEvents", json={"events": [event]})
            assert written.status_code == 200, written.text
            answer = await http.post("/vitrine.v1.RecommendationService/Recommend", json={"visitorId": "ana"})
        reply = answer.json()
        assert reply.get("degradations", []) == []
        assert len(reply["results"]) == 10
        sources = {reason["source"] for result in reply["results"] for reason in result["reasons"]}
        assert "RECOMMENDATION_SOURCE_BEHAVIOUR" in sources
        up.process.terminate()
        assert await up.ends() == 0


async def test_one_for_another_embedder_is_one_clear_line(tmp_path: Path) -> None:
    recommender(tmp_path / "recommender", "sha256:other")
    async with vitrine_up(tmp_path, VITRINE_UP_RECOMMENDER="recommender") as up:
        assert await up.ends() == 1
    assert "recommender recommender reads text vectors of sha256:other, and these are of sha256:" in up.output
    assert "Traceback" not in up.output
