"""`vitrine ads`: files read as campaigns, and the commands against a service over real gRPC."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf import json_format

from cli.ads.calls import delete_campaigns, print_campaigns, upsert_campaigns
from cli.ads.files import campaigns_of
from gateway.ads import messages
from gateway.ads.campaign import checked_campaign
from gateway.ads.ledger import Spend
from gateway.ads.service import CampaignPage
from vitrine.errors import InvalidArgument, NotFound, VitrineError
from vitrine.messages.common import outcome_to_message
from vitrine.ports import ItemOutcome
from vitrine.v1 import ad_service_pb2 as pb
from vitrine.v1 import ad_service_pb2_grpc

LINES = """
{"id": "a", "currencyCode": "CNY", "dailyBudget": 20, "products": [{"productId": "p1", "bid": 0.5}]}
{"id": "b", "currency_code": "CNY", "daily_budget": 5, "products": [{"product_id": "p1", "bid": 1}], "paused": true}
"""
TABLE = """id,name,currency_code,daily_budget,paused,start_time,product_id,bid
a,Spring,CNY,20,,2026-01-02T00:00:00Z,p1,0.5
b,,CNY,5,True,,p1,1
a,Spring,CNY,20,,2026-01-02T00:00:00Z,p2,0.7
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    def written(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


def test_a_line_of_json_is_a_campaign(write: Callable[[str, str], Path]) -> None:
    first, second = campaigns_of(write("c.jsonl", LINES))
    assert (first.id, first.daily_budget, first.products[0].bid, first.paused) == ("a", 20, 0.5, False)
    assert (second.id, second.products[0].product_id, second.paused) == ("b", "p1", True)


def test_a_row_of_a_table_is_a_sponsored_product(write: Callable[[str, str], Path]) -> None:
    first, second = campaigns_of(write("c.csv", TABLE))
    assert json_format.MessageToDict(first) == {
        "id": "a",
        "name": "Spring",
        "currencyCode": "CNY",
        "dailyBudget": 20.0,
        "startTime": "2026-01-02T00:00:00Z",
        "products": [{"productId": "p1", "bid": 0.5}, {"productId": "p2", "bid": 0.7}],
    }
    assert (second.id, second.paused) == ("b", True)


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("c.jsonl", LINES + LINES, "line 5: names campaign 'a', as a line before it does"),
        ("c.jsonl", '{"id": "a", "budget": 3}', 'line 1: .*no field named "budget"'),
        ("c.jsonl", "[]", "line 1: is a JSON list"),
        ("c.csv", TABLE.replace("20,,2026-01-02T00:00:00Z,p2", "30,,,p2"), "line 4: says something else of campaign"),
        ("c.csv", TABLE.replace("True", "perhaps"), "line 3: paused: is 'perhaps'; write true or false"),
        ("c.csv", TABLE.replace("0.5", "much"), "line 2: .*bid"),
        ("c.txt", "", "give a file that ends in one of"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(
    write: Callable[[str, str], Path], name: str, text: str, fault: str
) -> None:
    with pytest.raises(InvalidArgument, match=fault):
        campaigns_of(write(name, text))


class Desk(ad_service_pb2_grpc.AdServiceServicer):
    """Keeps campaigns with the rules of the real service; nothing is ever spent but 5 today by each."""

    def __init__(self) -> None:
        self.campaigns: dict[str, pb.Campaign] = {}
        self.sizes: list[int] = []

    async def UpsertCampaigns(self, request: Any, context: object) -> pb.UpsertCampaignsResponse:
        outcomes = []
        self.sizes.append(len(request.campaigns))
        for index, message in enumerate(request.campaigns):
            fault: VitrineError | None = None
            try:
                checked_campaign(messages.campaign_from_message(message))
                self.campaigns[message.id] = message
            except InvalidArgument as error:
                fault = error
            outcomes.append(outcome_to_message(index, ItemOutcome(message.id, fault)))
        return pb.UpsertCampaignsResponse(outcomes=outcomes)

    async def DeleteCampaigns(self, request: Any, context: object) -> pb.DeleteCampaignsResponse:
        faults = [
            None if self.campaigns.pop(one, None) else NotFound(f"there is no campaign {one!r}") for one in request.ids
        ]
        outcomes = [ItemOutcome(*pair) for pair in zip(request.ids, faults, strict=True)]
        return pb.DeleteCampaignsResponse(outcomes=map(outcome_to_message, range(len(outcomes)), outcomes))

    async def ListCampaigns(self, request: Any, context: object) -> pb.ListCampaignsResponse:
        (first, *rest) = sorted(one for one in self.campaigns if one > request.page_token)
        campaign = messages.campaign_from_message(self.campaigns[first])
        page = CampaignPage(((campaign, Spend(5.0, 12.5, 1, 1, 1_234, 3)),), first if rest else "")
        return messages.page_to_message(page)


@pytest.fixture
async def desk(start_server: Any) -> tuple[Desk, str]:
    desk = Desk()

    def services(server: grpc.aio.Server) -> Sequence[str]:
        ad_service_pb2_grpc.add_AdServiceServicer_to_server(desk, server)
        return ["vitrine.v1.AdService"]

    server = await start_server(services)
    return desk, f"127.0.0.1:{server.port}"


async def test_campaigns_are_written_listed_and_deleted(
    desk: tuple[Desk, str], write: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    service, target = desk
    found = campaigns_of(write("c.csv", TABLE))
    assert await upsert_campaigns([*found, pb.Campaign(id="c")], target) == 1
    printed = capsys.readouterr()
    assert printed.out == "2 campaigns written, 1 refused\n"
    assert printed.err.startswith("c: campaigns") or "currency_code" in printed.err
    await print_campaigns(target)
    listed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert any({"a", "Spring", "open", "2", "5.00", "12.50", "1,234"} <= set(line) for line in listed)
    assert any({"b", "paused", "1"} <= set(line) for line in listed)
    assert await delete_campaigns(["a", "x"], target) == 1
    assert capsys.readouterr().err == "x: there is no campaign 'x'\n"
    assert set(service.campaigns) == {"b"}


async def test_many_campaigns_travel_in_requests_of_100(desk: tuple[Desk, str]) -> None:
    service, target = desk
    product = pb.SponsoredProduct(product_id="p", bid=1)
    many = [pb.Campaign(id=f"c{n}", currency_code="CNY", daily_budget=1, products=[product]) for n in range(250)]
    assert await upsert_campaigns(many, target) == 0
    assert service.sizes == [100, 100, 50]
