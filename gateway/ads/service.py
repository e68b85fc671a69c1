"""Campaigns: checked, written to the store, and read back with what they spent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.ads.campaign import Campaign, campaign_id_fault, checked_campaign
from gateway.ads.keys import AdKeys
from gateway.ads.ledger import AdLedger, Spend
from gateway.ads.settings import AdsSettings
from gateway.ads.store import CampaignStore
from gateway.ads.token import TokenFault
from gateway.events.store import EventStore
from gateway.metrics import AD_EVENTS
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, InvalidArgument, NotFound, VitrineError, invalid
from vitrine.ports import ItemOutcome
from vitrine.user_event import EventType, UserEvent

MAX_CAMPAIGNS = 100
DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1_000
_OF_ADS = frozenset({EventType.AD_IMPRESSION, EventType.AD_CLICK})


@dataclass(frozen=True, slots=True)
class CampaignPage:
    """Campaigns with what they spent, by id, and the token of what comes next; empty: nothing does."""

    campaigns: tuple[tuple[Campaign, Spend], ...]
    next_page_token: str


class Campaigns:
    """The engine of AdService over the event store; without one every call raises FailedPrecondition."""

    def __init__(self, events: EventStore | None, prefix: str, settings: AdsSettings) -> None:
        """`prefix` is that of the event store's keys."""
        self.ledger: AdLedger | None = None
        self._store: CampaignStore | None = None
        if events is not None:
            keys = AdKeys(prefix)
            self._store = CampaignStore(events.connection, keys, settings.max_products)
            self.ledger = AdLedger(events.connection, keys, self._store, settings)

    async def upsert(self, items: Sequence[Campaign | ItemOutcome], *, deadline: Deadline) -> list[ItemOutcome]:
        """Writes 1 to 100 campaigns; an item that failed already (its outcome) keeps its place.

        An outcome without error: durable, and served from the next call on. One that is wrong fails its item only,
        with the field by its path ("campaigns[3].products[0].bid").
        """
        _check_count("campaigns", len(items))
        store, _ = self._parts()
        checked = [_checked(index, item) for index, item in enumerate(items)]
        campaigns = {index: item for index, item in enumerate(checked) if isinstance(item, Campaign)}
        written = await store.upsert(list(campaigns.values()), deadline=deadline) if campaigns else []
        faults = dict(zip(campaigns, written, strict=True))
        return [
            ItemOutcome(item.id, _at(index, faults[index])) if isinstance(item, Campaign) else item
            for index, item in enumerate(checked)
        ]

    async def delete(self, ids: Sequence[str], *, deadline: Deadline) -> list[ItemOutcome]:
        """Deletes 1 to 100 campaigns; NotFound in the outcome of an unknown id."""
        _check_count("ids", len(ids))
        store, _ = self._parts()
        deleted = await store.delete(ids, deadline=deadline)
        return [
            ItemOutcome(campaign_id, None if was_there else NotFound(f"there is no campaign {campaign_id!r}"))
            for campaign_id, was_there in zip(ids, deleted, strict=True)
        ]

    async def list(self, page_size: int, page_token: str, *, deadline: Deadline) -> CampaignPage:
        """One page by id; the token of a page is the last id of the one before."""
        if not 1 <= page_size <= MAX_PAGE_SIZE:
            raise invalid("page_size", f"is {page_size}; give 1 to {MAX_PAGE_SIZE:,}")
        if page_token and campaign_id_fault(page_token):
            raise invalid("page_token", f"{page_token!r} is not a next_page_token")
        store, ledger = self._parts()
        rest = [one for one in (await store.read(deadline=deadline)).all if one.campaign.id > page_token]
        page = rest[:page_size]
        spends = await ledger.spends(page, deadline=deadline)
        return CampaignPage(
            campaigns=tuple((one.campaign, spend) for one, spend in zip(page, spends, strict=True)),
            next_page_token=page[-1].campaign.id if len(rest) > page_size else "",
        )

    async def account(self, events: Mapping[int, UserEvent], *, deadline: Deadline) -> dict[int, VitrineError]:
        """Accounts those of written events that are of ads and carry a token; by place what the store refused.

        Each token counts once, so that events written again complete what was cut off. A token that is forged or over
        charges nothing, and its event is no worse for it.
        """
        places = [at for at, one in events.items() if one.event_type in _OF_ADS and one.attribution_token]
        if not places:
            return {}
        _, ledger = self._parts()
        outcomes = await ledger.account([events[at] for at in places], deadline=deadline)
        for at, outcome in zip(places, outcomes, strict=True):
            if not isinstance(outcome, VitrineError):
                name = outcome.value if isinstance(outcome, TokenFault) else outcome.outcome
                AD_EVENTS.labels(events[at].event_type.value, name).inc()
        return {at: one for at, one in zip(places, outcomes, strict=True) if isinstance(one, VitrineError)}

    def _parts(self) -> tuple[CampaignStore, AdLedger]:
        if self._store is None or self.ledger is None:
            raise FailedPrecondition(
                "there is no event store, which keeps campaigns too; set VITRINE_EVENTS_REDIS_URL",
                reason="NO_EVENT_STORE",
            )
        return self._store, self.ledger


def _check_count(field: str, count: int) -> None:
    if not 1 <= count <= MAX_CAMPAIGNS:
        raise invalid(field, f"has {count} entries; give 1 to {MAX_CAMPAIGNS} in one request")


def _checked(index: int, item: Campaign | ItemOutcome) -> Campaign | ItemOutcome:
    if isinstance(item, ItemOutcome):
        return item
    try:
        return checked_campaign(item)
    except InvalidArgument as error:
        return ItemOutcome(item.id, error.within(f"campaigns[{index}]"))


def _at(index: int, fault: VitrineError | None) -> VitrineError | None:
    return fault.within(f"campaigns[{index}]") if isinstance(fault, InvalidArgument) else fault
