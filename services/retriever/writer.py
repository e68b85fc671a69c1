"""The writer: one thread that makes waiting writes durable together, lets the views follow, and publishes."""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Generic, TypeVar

import faiss
import structlog

from services.retriever.catalogue import Catalogue
from services.retriever.changes import Changes
from services.retriever.followed_views import FollowedViews
from services.retriever.prepared import steps
from services.retriever.staging import Staging, Write, Written
from vitrine.errors import ResourceExhausted, Unavailable, VitrineError

# Products that one group of writes may hold: bounds the time until the first of them is acknowledged.
GROUP_PRODUCTS = 2_000
# While searches run, small writes wait for others from one publication to the next: each costs some 40 ms of
# processors (SQLite, tantivy and its merges) whatever it holds. Those that delete, or hold so much, do not wait.
GROUPING_S = 0.2
_ENOUGH_PRODUCTS = 100
# While writes of many products are being made ready, what is ready waits for them as long, or until a group is full:
# each commit costs SQLite a flush, and the index of words a segment, which is merged with others later.
BULK_GROUPING_S = 0.5
# A write whose caller has less than so many times the wait left waits for no other: it would not be made, though it
# could have been. Beside much other work one product took up to 0.11 s to write and 2,000 up to 0.76 s.
LEAST_WAITS_LEFT = 3
# How often a reader says what it still needs of the catalogue: where that changed, and where it did not.
NEEDED_AGAIN_S = 5.0
SEEN_AGAIN_S = 60.0
_ALERT = "catalogue"
_WRITE_ALERT = "write"

_log = structlog.get_logger(__name__)

V = TypeVar("V", bound=FollowedViews)


class Writer(Generic[V]):
    """Owns the views. `publish` is called in the writer's thread with each new snapshot."""

    def __init__(
        self,
        catalogue: Catalogue,
        views: V,
        publish: Callable[[Any], None],
        *,
        queue: int,
        poll_s: float,
        is_searched: Callable[[], bool] = lambda: False,
        is_coming: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_searched` says whether there are searches that writes should not crowd out.

        `is_coming` says whether writes of many products are being made ready.
        """
        self._catalogue = catalogue
        self._views = views
        self._publish = publish
        self._limit = queue
        self._poll_s = poll_s
        self._is_searched = is_searched
        self._is_coming = is_coming
        self._published_s = -BULK_GROUPING_S
        self._waiting: deque[Write] = deque()
        self._changes: deque[tuple[Callable[[V], None], Future[None]]] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._ended = False
        self._behind = False
        self._torn: BaseException | None = None
        self._needed = -1
        self._seen_s = time.monotonic()
        self.fault: str | None = None
        self._thread = threading.Thread(target=self._run, name="retriever-writer", daemon=True)

    def start(self) -> None:
        """Publishes what is there and begins to write."""
        self._publish(self._views.publish())
        self._thread.start()

    def submit(self, write: Write) -> "Future[Written]":
        """Queues a write; its future is done once it is durable and searchable. Raises ResourceExhausted."""
        with self._wake:
            if self._closing:
                raise Unavailable("the retriever is shutting down")
            if len(self._waiting) >= self._limit:
                raise ResourceExhausted(f"{self._limit} writes wait already; send fewer at once", retry_after_s=1.0)
            self._waiting.append(write)
            self._wake.notify()
        return write.done

    @property
    def waiting(self) -> int:
        """Products that wait to be written."""
        with self._wake:
            return self._products_waiting()

    def change(self, work: Callable[[V], None]) -> "Future[None]":
        """Has the writer's thread do something with the views, and publish; the future is done then."""
        done: Future[None] = Future()
        with self._wake:
            if self._ended:
                # Nobody would do it, and who waits for it would do so for ever.
                done.set_exception(Unavailable("the retriever is shutting down"))
                return done
            self._changes.append((work, done))
            self._wake.notify()
        return done

    def follow(self) -> None:
        """Brings the views to where the catalogue stands, after it was changed by another way than this."""
        # The first one has it look; by the second it has.
        self.change(lambda _: self._fall_behind())
        self.change(lambda _: None).result()

    def close(self) -> None:
        """Finishes the writes that wait and ends the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._views.close()

    def _run(self) -> None:
        faiss.omp_set_num_threads(1)
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._changes or self._closing, self._patience_s)
                if self._waiting and self._is_coming():
                    self._wake.wait_for(self._is_full, self._published_s + BULK_GROUPING_S - time.monotonic())
                elif self._waiting and self._is_searched():
                    self._wake.wait_for(self._has_enough, self._published_s + GROUPING_S - time.monotonic())
                writes = self._next_group()
                change = self._changes.popleft() if self._changes else None
                if self._closing and not writes and change is None:
                    self._ended = True
                    return
            if change is not None:
                self._change(*change)
            if writes:
                self._write(writes)
            elif self._patience_s is not None:
                self._follow_others()

    def _fall_behind(self) -> None:
        # In the writer's thread alone: from another one it could say of a write that was followed that it was not.
        self._behind = True

    @property
    def _patience_s(self) -> float | None:
        """How long it waits for work before it looks for what others wrote; None: for ever, since there are none."""
        return self._poll_s if self._catalogue.shared or self._behind else None

    def _has_enough(self) -> bool:
        return self._is_urgent(GROUPING_S) or self._products_waiting() >= _ENOUGH_PRODUCTS

    def _is_full(self) -> bool:
        return self._is_urgent(BULK_GROUPING_S) or self._products_waiting() >= GROUP_PRODUCTS or not self._is_coming()

    def _is_urgent(self, wait_s: float) -> bool:
        # With the queue full others would be refused while it does nothing.
        must_not_wait = bool(self._changes) or self._closing or len(self._waiting) >= self._limit
        return must_not_wait or any(
            write.deleted_ids or write.deadline.remaining_s() < LEAST_WAITS_LEFT * wait_s for write in self._waiting
        )

    def _products_waiting(self) -> int:
        return sum(write.size for write in self._waiting)

    def _next_group(self) -> list[Write]:
        group: list[Write] = []
        size = 0
        while self._waiting and (not group or size + self._waiting[0].size <= GROUP_PRODUCTS):
            write = self._waiting.popleft()
            # False: the caller is gone.
            if write.done.set_running_or_notify_cancel():
                group.append(write)
                size += write.size
        return group

    def _change(self, work: Callable[[V], None], done: "Future[None]") -> None:
        try:
            work(self._views)
            self._publish(self._views.publish())
        except Exception as error:
            # Without this the thread would end, and every later write wait until its deadline.
            _log.exception("indexes not changed")
            self.fault = f"the indexes cannot be changed: {error!r}; restart the retriever"
            done.set_exception(error)
        else:
            done.set_result(None)

    def _write(self, writes: list[Write]) -> None:
        answers: list[tuple[Write, Written | VitrineError]] = []
        try:
            if self.fault:
                raise Unavailable(self.fault)
            with self._catalogue.transaction() as transaction:
                if self._torn is not None:
                    self._renew(self._torn)
                elif transaction.state.revision != self._views.state.revision:
                    # Another retriever wrote; it is locked out until this transaction ends.
                    self._step(transaction.changes_since(self._views.state.revision))
                staging = Staging(transaction, self._views)
                for write in writes:
                    try:
                        answers.append((write, staging.stage(write)))
                    except VitrineError as error:
                        answers.append((write, error))
                purged = transaction.purge(self._catalogue.reader_id, self._views.oldest_revision_read())
                state = replace(staging.state, purged_revision=purged)
                transaction.set_state(state)
        except Exception as error:
            _log.error("write failed", error=repr(error))
            reason = error.message if isinstance(error, VitrineError) else f"the catalogue cannot be written: {error}"
            answers = [(write, Unavailable(reason)) for write in writes]
            # The commit may have reported an error and been made all the same.
            self._behind = True
            self._follow_others()
            self._alert_of_writes(reason)
        else:
            self._behind = False
            self._views.alerts.pop(_WRITE_ALERT, None)
            self._followed(lambda: self._views.follow(state, staging.dead, staging.added))
            self._published_s = time.monotonic()
            if self._behind:
                late = Unavailable(self.fault or "what was written is durable and not searchable yet; try again")
                answers = [(write, late) for write in writes]
        for write, answer in answers:
            if isinstance(answer, VitrineError):
                write.done.set_exception(answer)
            else:
                write.done.set_result(answer)

    def _alert_of_writes(self, reason: str) -> None:
        """Says that writes fail, until one goes well."""
        if not self.fault:
            alert = f"the last write failed: {reason}; revision {self._views.state.revision} is served"
            self._views.alerts[_WRITE_ALERT] = alert
            self._followed(lambda: None)

    def _follow_others(self) -> None:
        """Brings the views to where the catalogue stands; alerts while it cannot be read."""
        if self.fault:
            return
        alert = self._views.alerts.get(_ALERT)
        try:
            revision = self._views.state.revision
            if self._torn is not None:
                self._renew(self._torn)
            elif self._catalogue.state().revision != revision:
                with self._catalogue.changes_since(revision) as changes:
                    self._followed(lambda: self._step(changes))
            self._sign_in()
            self._behind = self._torn is not None
            self._views.alerts.pop(_ALERT, None)
        except Unavailable as error:
            self._behind = True
            self._views.alerts[_ALERT] = f"{error.message}; revision {self._views.state.revision} is served meanwhile"
        except Exception as error:
            _log.exception("catalogue not followed")
            self.fault = f"the indexes cannot follow the catalogue: {error!r}; restart the retriever"
        if self._views.alerts.get(_ALERT) != alert:
            _log.warning("catalogue followed" if self._views.alerts.get(_ALERT) is None else "catalogue away")
            self._publish(self._views.publish())

    def _sign_in(self) -> None:
        """Tells a shared catalogue at times what this reader still needs, so that it is known to be there."""
        if not self._catalogue.shared:
            return
        needed, now = self._views.oldest_revision_read(), time.monotonic()
        if now - self._seen_s > (SEEN_AGAIN_S if needed == self._needed else NEEDED_AGAIN_S):
            self._catalogue.see(needed)
            self._needed, self._seen_s = needed, now

    def _step(self, changes: Changes | None) -> None:
        """Takes over what was written elsewhere."""
        if changes is None:
            self._renew(None)
            return
        try:
            dead = changes.dead
            for added in steps(changes, self._catalogue):
                self._views.follow(changes.state, dead, added)
                dead = ()
        except BaseException as error:
            # They say that they are at the new revision and hold a part of it.
            self._torn = error
            raise

    def _followed(self, follow: Callable[[], None]) -> None:
        """Follows and publishes; makes the views anew where that fails, now or, with the catalogue away, later."""
        try:
            follow()
            self._publish(self._views.publish())
        except Exception as error:
            self._torn = error
            try:
                self._renew(error)
            except Unavailable:
                self._behind = True
            except Exception as again:
                self._behind = True
                self.fault = f"the indexes cannot follow the catalogue: {again!r}; restart the retriever"

    def _renew(self, error: BaseException | None) -> None:
        """Makes the views anew from the catalogue and publishes them."""
        self._views = self._views.anew()
        self._torn = None
        if error is not None:
            _log.error("indexes made anew", error=repr(error))
            alert = f"the indexes were made anew at revision {self._views.state.revision}: {error!r}"
            self._views.alerts["views"] = alert
        self._publish(self._views.publish())
