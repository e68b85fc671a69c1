"""The one pipeline: understand, embed, retrieve, rank, arrange; each part that is missing is told in the answer."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

from gateway.admission import Admission
from gateway.experiments.arm_settings import ArmSettings
from gateway.experiments.assignment import Call, Experiments
from gateway.experiments.attribution import read_token
from gateway.experiments.definitions import SEARCH
from gateway.explaining import Explaining
from gateway.highlighting import Highlighting
from gateway.metrics import DEGRADATIONS, RANK_DEPTH, STAGE_SECONDS
from gateway.notes import Notes
from gateway.page_token import PageState, decode_page_token, encode_page_token, query_fingerprint
from gateway.ranking import Ordered, interleaved
from gateway.releases.current import answering_by
from gateway.releases.follower import Follower
from gateway.search import Degradation, SearchAnswer, SearchHit, SearchQuery, checked_query
from gateway.search_orders import SearchOrders, Turn
from gateway.sorted_search import SortedSearch
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Internal
from vitrine.ports import RetrievalQuery, Retriever, Shortfall


class SearchPipeline:
    """Search over the three ports."""

    def __init__(
        self,
        orders: SearchOrders,
        retriever: Retriever,
        admission: Admission,
        experiments: Experiments,
        releases: Follower,
        explaining: Explaining,
        highlighting: Highlighting,
        sorted_search: SortedSearch,
        *,
        rank_depth: int,
        result_window: int,
        at_a_time: int,
    ) -> None:
        """`rank_depth` is the default; `result_window` is how many results a shopper can page through.

        `at_a_time` searches are worked on, and others wait: what many wait for together, as a run of the embedder,
        ends for all of them at once, and what each then does would hold up the event loop, and whom it refuses.
        """
        self._places = asyncio.Semaphore(at_a_time)
        self._orders = orders
        self._retriever = retriever
        self.admission = admission
        self._experiments = experiments
        self._releases = releases
        self._explaining = explaining
        self._highlighting = highlighting
        self._sorted_search = sorted_search
        self._rank_depth = rank_depth
        self._result_window = result_window

    async def search(self, search: SearchQuery, *, deadline: Deadline) -> SearchAnswer:
        """Answers one page.

        Raises InvalidArgument, ResourceExhausted (too many searches inside), DeadlineExceeded, Unavailable (the
        retriever is away) and FailedPrecondition (embedder and index do not belong together).
        """
        text = checked_query(search)
        notes = Notes()
        with self.admission.admit(deadline), notes.timed("total"):
            async with self._place(deadline):
                if search.is_sorted:
                    with answering_by(self._releases.serving):
                        # No experiment's arm has a say in such a list.
                        token = Call(SEARCH).token()
                        answer = await self._sorted_search.page(search, text, token, notes, deadline)
                elif search.page_token:
                    answer = await self._next_page(search, text, notes, deadline)
                else:
                    answer = await self._first_page(search, text, notes, deadline)
                if search.highlight:
                    answer = await self._highlighting.highlighted(text, search.filter, answer, notes, deadline)
                if search.explain:
                    release = self._experiments.release_of(answer.experiment_arms) or self._releases.serving
                    with answering_by(release):
                        answer = await self._explaining.explained(search.query, answer, notes, deadline)
        for stage, duration_ms in notes.timings_ms.items():
            STAGE_SECONDS.labels(stage).observe(duration_ms / 1000)
        for kind in answer.degradations:
            DEGRADATIONS.labels(kind.value).inc()
        RANK_DEPTH.observe(answer.rank_depth)
        return replace(
            answer,
            timings_ms=notes.timings_ms,
            cached=tuple(notes.cached),
            query_tokens_dropped=notes.query_tokens_dropped,
        )

    @asynccontextmanager
    async def _place(self, deadline: Deadline) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(deadline.remaining_s()):
                await self._places.acquire()
        except TimeoutError:
            raise DeadlineExceeded("no time left before the search began") from None
        try:
            deadline.check("the search")
            yield
        finally:
            self._places.release()

    async def _first_page(self, search: SearchQuery, text: str, notes: Notes, deadline: Deadline) -> SearchAnswer:
        call = self._experiments.call(search.visitor_id, SEARCH)
        turns = [self._turn(arm, search) for arm in call.tried]
        words = RetrievalQuery(
            text=text,
            filter=search.filter,
            depth=self._result_window,
            product_limit=max(search.page_size, *(turn.depth for turn in turns)),
            with_description=search.with_description,
            facets=search.facets,
            with_total_size=True,
            with_pins=True,
            with_bare_rest=True,
        )
        retrieval, orders = await self._orders.orders(words, turns, notes, deadline)
        ordered, teams = interleaved(orders[0], orders[1], call.answer_id) if len(orders) > 1 else (orders[0], ())
        notes.query_tokens_dropped = max(notes.query_tokens_dropped, ordered.query_tokens_dropped)
        if ordered.degradation is not None:
            notes.degradations.append(ordered.degradation)
        state = PageState(
            ids=[*(candidate.product_id for candidate in ordered.candidates), *ordered.rest.product_ids],
            retrieval_scores=[*(candidate.score for candidate in ordered.candidates), *ordered.rest.scores],
            ranks=ordered.ranks,
            personal_scores=[
                ordered.personal[one.product_id].score if one.product_id in ordered.personal else None
                for one, _ in zip(ordered.candidates, ordered.ranks, strict=False)
            ],
            next_position=1,
            rank_depth=sum(rank is not None for rank in ordered.ranks),
            window_full=retrieval.shortfall is None,
            degradations=tuple(notes.degradations),
            attribution_token=call.token(teams),
            total_size=retrieval.total_size,
        )
        hits = tuple(_hits(ordered, search.page_size))
        answer = self._answer(search, text, hits, state.after(len(hits), next_position=len(hits) + 1))
        return replace(
            answer,
            facets=retrieval.facets,
            reading=retrieval.reading,
            release=turns[0].release,
            index_version=retrieval.version,
        )

    def _turn(self, arm: ArmSettings, search: SearchQuery) -> Turn:
        asked = arm.of_search(search)
        depth = self._rank_depth if asked.rank_depth is None else asked.rank_depth
        return Turn(asked, depth, self._releases.answering(arm.release))

    async def _next_page(self, search: SearchQuery, text: str, notes: Notes, deadline: Deadline) -> SearchAnswer:
        state = decode_page_token(search.page_token, query_fingerprint(text, search.filter))
        notes.cached.append("page")
        hits: list[SearchHit] = []
        seen = 0
        with notes.timed("retrieve"):
            # What was deleted, or no longer matches, is made up for from further down.
            while seen < len(state.ids) and len(hits) < search.page_size:
                turn = range(seen, min(seen + search.page_size - len(hits), len(state.ids)))
                seen = turn.stop
                found = await self._retriever.get_products(
                    state.ids[turn.start : turn.stop],
                    deadline=deadline,
                    with_description=search.with_description,
                    filter=search.filter,
                )
                products = {product.id: product for product in found.products}
                for index in turn:
                    if product := products.get(state.ids[index]):
                        position = state.next_position + len(hits)
                        hits.append(state.hit(index, product, position))
        rest = state.after(seen, next_position=state.next_position + len(hits))
        return self._answer(search, text, tuple(hits), rest)

    def _answer(self, search: SearchQuery, text: str, hits: tuple[SearchHit, ...], rest: PageState) -> SearchAnswer:
        token = ""
        if rest.ids:
            # A cache that was away for this page says nothing of the next.
            lasting = tuple(kind for kind in rest.degradations if kind is not Degradation.NO_CACHE)
            token = encode_page_token(replace(rest, degradations=lasting), query_fingerprint(text, search.filter))
        answered = read_token(rest.attribution_token)
        shortfall = None
        if len(hits) < search.page_size:
            shortfall = Shortfall.WINDOW_END if rest.window_full else Shortfall.NO_MORE_MATCHES
        return SearchAnswer(
            hits=hits,
            next_page_token=token,
            shortfall=shortfall,
            degradations=rest.degradations,
            rank_depth=rest.rank_depth,
            attribution_token=rest.attribution_token,
            experiment_arms=answered.arms if answered else {},
            total_size=rest.total_size,
        )


def _hits(ordered: Ordered, count: int) -> Iterator[SearchHit]:
    ranks = itertools.chain(ordered.ranks, itertools.repeat(None))
    for position, (found, rank) in enumerate(zip(ordered.candidates[:count], ranks, strict=False), start=1):
        if found.product is None:
            raise Internal(f"candidate {found.product_id} came without its product")
        personal = ordered.personal.get(found.product_id)
        yield SearchHit(found.product, position, found.score, found.sources, rank, personal)
