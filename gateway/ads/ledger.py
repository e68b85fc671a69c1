"""The ad ledger: what campaigns spent and visitors saw, in the event store's Redis, each entry one script."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.ads.click_probability import Shown
from gateway.ads.keys import AdKeys, day_of
from gateway.ads.money import amount_of
from gateway.ads.settings import AdsSettings
from gateway.ads.store import Campaigns, CampaignStore, KeptCampaign, store_fault
from gateway.ads.token import KEY_BYTES, AdToken, TokenFault, opened, product_digest
from gateway.events.connection import Connection, Script
from gateway.events.record import milliseconds
from vitrine.deadline import Deadline
from vitrine.errors import VitrineError
from vitrine.user_event import EventType, UserEvent, visitor_digest

_COUNTS_LIFE_S = 35 * 86_400
_CALLS_LIFE_S = 3 * 86_400


@dataclass(frozen=True, slots=True)
class AdState:
    """What an answer goes by: campaigns, what each spent today, the calls of yesterday by hour, and the tokens' key."""

    campaigns: Campaigns
    spent: Mapping[int, int]
    calls_yesterday: Mapping[int, int]
    key: bytes


@dataclass(frozen=True, slots=True)
class Spend:
    """What a campaign did; fields are those of CampaignSpend."""

    spent_today: float
    spent: float
    impressions_today: int
    clicks_today: int
    impressions: int
    clicks: int


@dataclass(frozen=True, slots=True)
class Accounted:
    """What became of an event of an ad ("counted", "repeated", …: see account.lua), and what was charged."""

    outcome: str
    charged: int = 0


class AdLedger:
    """Spending; every method raises Unavailable when the store is away, DeadlineExceeded when it is late."""

    def __init__(
        self,
        connection: Connection,
        keys: AdKeys,
        campaigns: CampaignStore,
        settings: AdsSettings,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`connection` is the event store's, which closes it; days are those of `clock`."""
        self._connection = connection
        self._redis, self._reply = connection.redis, connection.reply
        self._keys = keys
        self._campaigns = campaigns
        self._settings = settings
        self.clock = clock
        self._reserve, self._account = Script("reserve", __package__), Script("account", __package__)

    async def state(self, *, deadline: Deadline) -> AdState:
        """What an answer goes by, as it is now."""
        now = self.clock()
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.get(self._keys.of("version"))
        pipeline.hgetall(self._keys.of_day("spent", now))
        pipeline.hgetall(self._keys.of_day("calls", now - timedelta(days=1)))
        pipeline.get(self._keys.of("key"))
        version, spent, calls, key = await self._reply(pipeline.execute(), deadline)
        return AdState(
            campaigns=await self._campaigns.at(int(version or 0), deadline=deadline),
            spent={int(serial): int(units) for serial, units in spent.items()},
            calls_yesterday={int(hour): int(count) for hour, count in calls.items()},
            key=key or await self._new_key(deadline),
        )

    async def shown(
        self, ads: Iterable[tuple[int, str]], *, deadline: Deadline
    ) -> Mapping[tuple[int, str], tuple[Shown, Shown]]:
        """What became of impressions so far, for each (serial, product id): of the campaign's, and the product's."""
        products: dict[int, list[str]] = {}
        for serial, product_id in ads:
            products.setdefault(serial, []).append(product_id)
        pipeline = self._redis.pipeline(transaction=False)
        for serial, ids in products.items():
            names = ["c", "e"]
            names += (f"{kind}:{product_digest(one).hex()}" for one in ids for kind in ("c", "e"))
            pipeline.hmget(self._keys.of(f"totals:{serial}"), names)
        replies = await self._reply(pipeline.execute(), deadline) if products else ()
        found = {}
        for (serial, ids), numbers in zip(products.items(), replies, strict=True):
            pairs = [Shown(int(c or 0), float(e or 0)) for c, e in zip(numbers[::2], numbers[1::2], strict=True)]
            found.update({(serial, one): (pairs[0], pair) for one, pair in zip(ids, pairs[1:], strict=True)})
        return found

    async def reserve(
        self, ads: Sequence[tuple[int, str]], count: int, visitor_id: str, answer_id: str, *, deadline: Deadline
    ) -> list[str]:
        """Takes the first `count` of (serial, product id) that may be shown now; see reserve.lua for the outcomes."""
        now, settings = self.clock(), self._settings
        keys = [self._keys.of("terms"), self._keys.of_day("spent", now), self._keys.of_day("calls", now)]
        if visitor_id:
            keys += self._keys.of_visitor(visitor_id)
        arguments: list[Any] = [day_of(now), now.hour, _CALLS_LIFE_S, count, milliseconds(now)]
        arguments += [round(settings.reservation_s * 1000), settings.visitor_impressions, answer_id]
        for serial, product_id in ads:
            arguments += [serial, product_digest(product_id).hex()]
        reply = await self._reply(self._redis.eval(self._reserve.text, len(keys), *keys, *arguments), deadline)
        return [outcome.decode() for outcome in reply]

    async def account(
        self, events: Sequence[UserEvent], *, deadline: Deadline
    ) -> list[Accounted | TokenFault | VitrineError]:
        """Accounts written events, AD_IMPRESSION and AD_CLICK, by their tokens; each token once, whenever it comes."""
        key = await self._reply(self._redis.get(self._keys.of("key")), deadline) or b""
        now = self.clock()
        outcomes: list[Accounted | TokenFault | VitrineError] = []
        pipeline = self._redis.pipeline(transaction=False)
        sent: list[int] = []
        for event in events:
            found = opened(event.attribution_token, event.visitor_id, key, now)
            if isinstance(found, TokenFault):
                outcomes.append(found)
            elif found[0].product not in {product_digest(one.product_id) for one in event.products}:
                outcomes.append(Accounted("other_product"))
            else:
                self._account.add_to(pipeline, *self._account_arguments(event, *found, now), known=bool(sent))
                sent.append(len(outcomes))
                outcomes.append(Accounted("sent"))
        replies = await self._reply(pipeline.execute(raise_on_error=False), deadline) if sent else ()
        for index, reply in zip(sent, replies, strict=True):
            outcomes[index] = store_fault(reply) or Accounted(reply[0].decode(), reply[1])
        return outcomes

    async def spends(self, campaigns: Sequence[KeptCampaign], *, deadline: Deadline) -> list[Spend]:
        """What each campaign did today and in all."""
        now = self.clock()
        pipeline = self._redis.pipeline(transaction=False)
        for one in campaigns:
            pipeline.hget(self._keys.of_day("spent", now), str(one.serial))
            pipeline.hmget(self._keys.of_day("counts", now), [f"i:{one.serial}", f"c:{one.serial}"])
            pipeline.hmget(self._keys.of(f"totals:{one.serial}"), ["s", "i", "c"])
        replies = await self._reply(pipeline.execute(), deadline) if campaigns else []
        read = zip(campaigns, replies[::3], replies[1::3], replies[2::3], strict=True)
        return [_spend(one.campaign.currency_code, today, counts, totals) for one, today, counts, totals in read]

    async def _new_key(self, deadline: Deadline) -> bytes:
        """The tokens' key, made now unless another gateway was faster."""
        await self._connection.require_durable(deadline)
        await self._reply(self._redis.set(self._keys.of("key"), secrets.token_bytes(KEY_BYTES), nx=True), deadline)
        key: bytes = await self._reply(self._redis.get(self._keys.of("key")), deadline)
        return key

    def _account_arguments(
        self, event: UserEvent, token: AdToken, token_id: bytes, now: datetime
    ) -> tuple[list[str], list[Any]]:
        """KEYS and ARGV of account.lua."""
        assert event.event_time is not None
        settings, of_day = self._settings, self._keys.of_day
        tomorrow = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
        keys = [self._keys.of("terms"), of_day("used", token.expire_time), of_day("spent", now), of_day("counts", now)]
        keys += [self._keys.of(f"totals:{token.serial}"), *self._keys.of_visitor(event.visitor_id)]
        keys.append(self._keys.erasures)
        kind = "click" if event.event_type is EventType.AD_CLICK else "impression"
        arguments: list[Any] = [kind, token.serial, token.product.hex(), token.price, token_id, token.answer_id]
        arguments += [repr(token.expected_clicks), visitor_digest(event.visitor_id), milliseconds(event.event_time)]
        arguments += [day_of(now), settings.visitor_impressions, settings.visitor_clicks]
        forgotten = token.expire_time + timedelta(days=2)
        return keys, [*arguments, int(forgotten.timestamp()), int(tomorrow.timestamp()), _COUNTS_LIFE_S]


def _spend(code: str, today: bytes | None, counts: list[bytes | None], totals: list[bytes | None]) -> Spend:
    numbers = [int(value or 0) for value in (today, *counts, *totals)]
    return Spend(
        spent_today=amount_of(numbers[0], code),
        spent=amount_of(numbers[3], code),
        impressions_today=numbers[1],
        clicks_today=numbers[2],
        impressions=numbers[4],
        clicks=numbers[5],
    )
