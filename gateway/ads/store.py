"""The campaign store: campaigns in the event store's Redis, each change one script."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import OutOfMemoryError

from gateway.ads.campaign import Campaign, packed_campaign, unpacked_campaign
from gateway.ads.keys import AdKeys
from gateway.ads.money import units_of
from gateway.events.connection import Connection, Script
from vitrine.deadline import Deadline
from vitrine.errors import ResourceExhausted, Unavailable, VitrineError, invalid


@dataclass(frozen=True, slots=True)
class KeptCampaign:
    """A campaign under its serial, which no other campaign ever has; money in smallest units."""

    serial: int
    campaign: Campaign
    daily_budget: int
    bids: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Campaigns:
    """All campaigns at a version, in the order of their ids."""

    version: int
    all: Sequence[KeptCampaign]


class CampaignStore:
    """Campaigns; every method raises Unavailable when the store is away, DeadlineExceeded when it is late."""

    def __init__(self, connection: Connection, keys: AdKeys, max_products: int) -> None:
        """`connection` is the event store's, which closes it."""
        self._connection = connection
        self._redis, self._reply = connection.redis, connection.reply
        self._version = keys.of("version")
        self._campaigns = keys.of("campaigns")
        self._changed = [keys.of(name) for name in ("campaigns", "version", "terms", "products")]
        self._totals = keys.of("totals:")
        self._max_products = max_products
        self._upsert, self._delete = Script("upsert", __package__), Script("delete", __package__)
        self._known = Campaigns(-1, ())
        # Many callers that see a new version read it once.
        self._reading = asyncio.Lock()

    async def upsert(self, campaigns: Sequence[Campaign], *, deadline: Deadline) -> list[VitrineError | None]:
        """Writes checked campaigns; for each: None when durable, or what is wrong."""
        await self._connection.require_durable(deadline)
        pipeline = self._redis.pipeline(transaction=False)
        for index, one in enumerate(campaigns):
            arguments = [one.id, one.currency_code, len(one.products), packed_campaign(one)]
            arguments += [units_of(one.daily_budget, one.currency_code), one.daily_impressions_per_visitor]
            self._upsert.add_to(pipeline, self._changed, [*arguments, self._max_products], known=index > 0)
        replies = await self._reply(pipeline.execute(raise_on_error=False), deadline)
        return [self._upserted(reply) for reply in replies]

    async def delete(self, ids: Sequence[str], *, deadline: Deadline) -> list[bool]:
        """Deletes campaigns and what they spent; for each whether there was one."""
        await self._connection.require_durable(deadline)
        pipeline = self._redis.pipeline(transaction=False)
        for index, campaign_id in enumerate(ids):
            self._delete.add_to(pipeline, self._changed, [campaign_id, self._totals], known=index > 0)
        replies = await self._reply(pipeline.execute(raise_on_error=False), deadline)
        if fault := next(filter(None, map(store_fault, replies)), None):
            raise fault
        return [reply == 1 for reply in replies]

    async def read(self, *, deadline: Deadline) -> Campaigns:
        """All campaigns as they are now."""
        return await self.at(int(await self._reply(self._redis.get(self._version), deadline) or 0), deadline=deadline)

    async def at(self, version: int, *, deadline: Deadline) -> Campaigns:
        """All campaigns at a version that is the store's now, or later; read when another one is known."""
        async with self._reading:
            if self._known.version != version:
                pipeline = self._redis.pipeline(transaction=True)
                pipeline.get(self._version)
                pipeline.hvals(self._campaigns)
                read_version, values = await self._reply(pipeline.execute(), deadline)
                found = sorted(map(_kept, values), key=lambda one: one.campaign.id)
                self._known = Campaigns(int(read_version or 0), found)
            return self._known

    def _upserted(self, reply: Any) -> VitrineError | None:
        if fault := store_fault(reply):
            return fault
        text = reply.decode()
        if text.startswith("currency "):
            return invalid("currency_code", f"of this campaign is {text[9:]}; give another id for another currency")
        if text == "full":
            most = f"{self._max_products:,}"
            return ResourceExhausted(f"all campaigns together sponsor at most {most} products; delete some first")
        return None


def store_fault(reply: Any) -> VitrineError | None:
    """What the store says against one change. Raises Unavailable where the store, and not the change, is at fault."""
    if isinstance(reply, OutOfMemoryError):
        return ResourceExhausted("the event store is full; export and purge events, or give it memory")
    if isinstance(reply, Exception):
        raise Unavailable(f"the event store refuses writes: {reply}", reason="EVENT_STORE_AWAY") from reply
    return None


def _kept(value: bytes) -> KeptCampaign:
    serial, _, _, data = value.split(b" ", 3)
    campaign = unpacked_campaign(data)
    code = campaign.currency_code
    budget = units_of(campaign.daily_budget, code)
    bids = {one.product_id: units_of(one.bid, code) for one in campaign.products}
    assert budget is not None
    return KeptCampaign(int(serial), campaign, budget, {one: units for one, units in bids.items() if units is not None})
