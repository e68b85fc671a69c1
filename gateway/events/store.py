"""The event store: Redis or Valkey with append-only persistence.

Keys, in one slot of a Redis Cluster: `stream`, the order of arrival, with digests only; for each visitor, by digest,
`events` (a hash of event digest to its place in the stream and its data), `history` (a sorted set by event time),
`counted:DAY` (the weights given to products that day), `days` (those lists) and `asked` (queries, and where each is
counted); `popularity:…`; `erasures`.
A deleted entry of a stream stays in its memory and files until its neighbours are gone too: so the stream holds nothing
of a visitor, and to erase one is to drop whole keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis.exceptions import OutOfMemoryError, ResponseError

from gateway.events.connection import Connection, Script
from gateway.events.popular_lists import PopularLists
from gateway.events.popularity import Decay
from gateway.events.record import milliseconds, moment, packed_event, unpacked_actions, unpacked_event
from gateway.events.settings import EventsSettings
from gateway.events.write_arguments import WriteArguments
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, ResourceExhausted, Unavailable, VitrineError, invalid
from vitrine.ports import PopularProduct, VisitorAction
from vitrine.user_event import UserEvent, visitor_digest

MAX_EVENT_BYTES = 32 * 1024
# What is kept of a visitor beside events and counts; whoever keeps more adds its name, so that it is erased too.
VISITOR_PARTS = ("history", "ads_seen", "ads_reserved")
MAX_ERASURES = 10_000
MAX_PURGED = 10_000
_CHUNK_EVENTS = 100
_LIST_CHUNK_EVENTS = 50
_PAGE_BYTES = 1024 * 1024
# As write.lua answers.
_ERASED = -1


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in the order of arrival, and the token of what comes next: unchanged when there is nothing more."""

    events: tuple[UserEvent, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class Visitor:
    """What is kept of a visitor: history newest first, number of events, time of the last erasure."""

    history: tuple[VisitorAction, ...]
    event_count: int
    erase_time: datetime | None


class EventStore:
    """Events in, history and popularity out; implements the ports `VisitorHistory` and `Popularity`.

    Every method raises Unavailable when the store is away, DeadlineExceeded when it is late.
    """

    def __init__(self, settings: EventsSettings) -> None:
        """Raises FailedPrecondition when redis_url is not one."""
        self._settings = settings
        self._decay, self._trend_decay = Decay(settings.half_life_days), Decay(settings.trend_half_life_days)
        self._tag = f"{{{settings.prefix}}}:events"
        self._write, self._erase = Script("write"), Script("erase")
        self.connection = Connection(settings)
        self._redis, self._reply = self.connection.redis, self.connection.reply
        self._arguments = WriteArguments(settings, f"{self._tag}:", self._decay, self._trend_decay)
        self._lists = PopularLists(self.connection, f"{self._tag}:popularity", self._decay, self._trend_decay)

    async def write(self, events: Sequence[UserEvent], *, deadline: Deadline) -> list[bool | VitrineError]:
        """Writes checked events; for each: True when written, False when it was there already, or what is wrong.

        On return all that is True or False is as durable as the store's appendfsync makes it.
        """
        await self.connection.require_durable(deadline)
        packed = [packed_event(event) for event in events]
        kept = [index for index, data in enumerate(packed) if len(data) <= MAX_EVENT_BYTES]
        # One pipeline: the store makes what it reads at a time durable at once.
        pipeline = self._redis.pipeline(transaction=False)
        for start in range(0, len(kept), _CHUNK_EVENTS):
            chunk = kept[start : start + _CHUNK_EVENTS]
            arguments = self._arguments.of([events[index] for index in chunk], [packed[index] for index in chunk])
            self._write.add_to(pipeline, self._arguments.keys, arguments, known=start > 0)
        replies = await self._reply(pipeline.execute(raise_on_error=False), deadline) if kept else ()
        outcomes: dict[int, bool | VitrineError] = {}
        for number, index in enumerate(kept):
            reply = replies[number // _CHUNK_EVENTS]
            outcomes[index] = _outcome(reply if isinstance(reply, Exception) else reply[number % _CHUNK_EVENTS])
        return [outcomes[index] if index in outcomes else _too_large(data) for index, data in enumerate(packed)]

    async def history(self, visitor_id: str, *, deadline: Deadline, limit: int = 200) -> tuple[VisitorAction, ...]:
        """See `vitrine.ports.VisitorHistory.history`."""
        key = self._visitor_key("history", visitor_digest(visitor_id))
        found = await self._reply(self._redis.zrange(key, 0, limit - 1, desc=True, withscores=True), deadline)
        return unpacked_actions(found)

    async def popular(
        self, limit: int, *, deadline: Deadline, category: str = "", country_code: str = ""
    ) -> tuple[PopularProduct, ...]:
        """See `vitrine.ports.Popularity.popular`."""
        return await self._lists.popular(limit, deadline=deadline, category=category, country_code=country_code)

    async def trending(self, limit: int, *, deadline: Deadline) -> tuple[PopularProduct, ...]:
        """See `vitrine.ports.Popularity.trending`."""
        return await self._lists.trending(limit, deadline=deadline)

    async def queries(self, least_weight: float, limit: int, *, deadline: Deadline) -> dict[str, float]:
        """What visitors searched for, and its weight of now; see `PopularLists.queries`."""
        return await self._lists.queries(least_weight, limit, deadline=deadline)

    async def get_visitor(self, visitor_id: str, *, deadline: Deadline) -> Visitor:
        """What is kept of a visitor."""
        digest = visitor_digest(visitor_id)
        history = await self.history(visitor_id, deadline=deadline, limit=self._settings.history_actions)
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hlen(self._visitor_key("events", digest))
        pipeline.zscore(f"{self._tag}:erasures", digest)
        count, erased = await self._reply(pipeline.execute(), deadline)
        return Visitor(history, count, None if erased is None else moment(erased))

    async def delete_visitor(self, visitor_id: str, *, deadline: Deadline) -> int:
        """Erases a visitor for good; the number of events there were.

        Memory holds nothing on return; the log on disk is then rewritten without what was erased, in the background.
        """
        await self.connection.require_durable(deadline)
        digest = visitor_digest(visitor_id)
        keys = [
            f"{self._tag}:stream",
            self._visitor_key("events", digest),
            f"{self._tag}:erasures",
            self._visitor_key("days", digest),
            self._visitor_key("asked", digest),
            *(self._visitor_key(part, digest) for part in VISITOR_PARTS),
        ]
        arguments: list[str | bytes] = [digest, self._visitor_key("counted", digest) + ":"]
        command = self._redis.eval(self._erase.text, len(keys), *keys, *arguments)
        count = int(await self._reply(command, deadline))
        self.connection.rewrite_log()
        return count

    async def list_events(self, page_size: int, page_token: str, *, deadline: Deadline) -> EventPage:
        """At most `page_size` events after `page_token`, fewer when they are large.

        Raises InvalidArgument for a token that is none.
        """
        events: list[UserEvent] = []
        size, token, wanted, more = 0, page_token, page_size, True
        while more and wanted and size < _PAGE_BYTES:
            entries = await self._entries(token, min(wanted, _LIST_CHUNK_EVENTS), deadline)
            kept = await self._kept(entries, deadline)
            events += map(unpacked_event, kept)
            more, wanted, size = bool(entries), wanted - len(entries), size + sum(map(len, kept))
            token = entries[-1][0].decode() if entries else token
        return EventPage(tuple(events), token)

    async def latest_events(self, limit: int, *, deadline: Deadline) -> list[UserEvent]:
        """The events that arrived last, at most `limit`, newest first."""
        events: list[UserEvent] = []
        last, wanted = "+", limit
        while wanted:
            command = self._redis.xrevrange(f"{self._tag}:stream", last, "-", min(wanted, _CHUNK_EVENTS))
            entries = await self._reply(command, deadline)
            events += map(unpacked_event, await self._kept(entries, deadline))
            if not entries:
                break
            last, wanted = f"({entries[-1][0].decode()}", wanted - len(entries)
        return events

    async def purge_events(self, page_token: str, before: datetime | None, *, deadline: Deadline) -> int:
        """Drops at most MAX_PURGED events up to `page_token` that arrived before a time; the number dropped.

        Raises InvalidArgument for a token that is none.
        """
        stream, count = f"{self._tag}:stream", 0
        least = f"{milliseconds(before)}-0" if before else ""
        while count < MAX_PURGED:
            entries = [
                (place, entry)
                for place, entry in await self._entries("", _CHUNK_EVENTS, deadline, last=page_token)
                if not least or _order(place.decode()) < _order(least)
            ]
            if not entries:
                break
            pipeline = self._redis.pipeline(transaction=True)
            for _, entry in entries:
                pipeline.hdel(self._visitor_key("events", entry[b"v"]), entry[b"e"])
            # Whole nodes of the stream are freed.
            pipeline.xdel(stream, *(place for place, _ in entries))
            await self._reply(pipeline.execute(), deadline)
            count += len(entries)
        return count

    async def list_erased(self, since: datetime | None, *, deadline: Deadline) -> list[tuple[bytes, datetime]]:
        """Digests and times of at most MAX_ERASURES visitors erased at or after `since`, by time."""
        least = milliseconds(since) if since else "-inf"
        command = self._redis.zrangebyscore(
            f"{self._tag}:erasures", least, "+inf", start=0, num=MAX_ERASURES, withscores=True
        )
        return [(digest, moment(time_ms)) for digest, time_ms in await self._reply(command, deadline)]

    async def close(self) -> None:
        """Closes the connections once the commands under way have ended."""
        await self.connection.close()

    async def _entries(self, token: str, count: int, deadline: Deadline, last: str = "+") -> Any:
        """Entries of the stream after `token` up to `last`. Raises InvalidArgument when one of them is no token."""
        try:
            command = self._redis.xrange(f"{self._tag}:stream", f"({token}" if token else "-", last, count)
            return await self._reply(command, deadline)
        except ResponseError:
            raise invalid("page_token", f"{token or last!r} is not a next_page_token") from None

    async def _kept(self, entries: Any, deadline: Deadline) -> list[bytes]:
        """The data of the stream's entries, without those that were erased since these were read."""
        if not entries:
            return []
        pipeline = self._redis.pipeline(transaction=False)
        for _, entry in entries:
            pipeline.hget(self._visitor_key("events", entry[b"v"]), entry[b"e"])
        return [value.partition(b" ")[2] for value in await self._reply(pipeline.execute(), deadline) if value]

    def _visitor_key(self, part: str, digest: bytes) -> str:
        return visitor_key(self._settings.prefix, part, digest)


def visitor_key(prefix: str, part: str, digest: bytes) -> str:
    """The key of a part of what is kept of a visitor; one that is not events or counts stands in VISITOR_PARTS."""
    return f"{{{prefix}}}:events:{part}:{digest.hex()}"


def _outcome(reply: Any) -> bool | VitrineError:
    """What became of one event. Raises Unavailable where the store, and not the event, is at fault."""
    if isinstance(reply, OutOfMemoryError):
        return ResourceExhausted("the event store is full; export and purge events, or give it memory")
    if isinstance(reply, Exception):
        raise Unavailable(f"the event store refuses writes: {reply}", reason="EVENT_STORE_AWAY") from reply
    if reply == _ERASED:
        return FailedPrecondition(
            "the visitor was erased after this event happened; it is not kept", reason="VISITOR_ERASED"
        )
    return bool(reply)


def _order(place: str) -> tuple[int, int]:
    """What a stream's ids are ordered by: milliseconds and number."""
    time_ms, _, number = place.partition("-")
    return int(time_ms), int(number)


def _too_large(data: bytes) -> VitrineError:
    return invalid("products", f"make the event {len(data)} bytes; at most {MAX_EVENT_BYTES} are kept of one")
