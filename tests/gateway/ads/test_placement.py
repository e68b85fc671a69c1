"""The placement ADS over real gRPC: real retriever, embedder, ranker and event store."""

from typing import Any

import pytest

from tests.gateway.ads.conftest import AdStand, OpenAdStand
from vitrine.v1 import recommendation_service_pb2 as pb


async def test_try(stand: AdStand) -> None:
    await stand.sponsor("acme", {"p000": 1.0, "p020": 2.0})
    for one in await stand.ads(query="smart watch", visitor_id="ana", explain=True):
        print(one)
    for one in await stand.ads(product_ids=["p001"], visitor_id="ana", explain=True):
        print(one)
