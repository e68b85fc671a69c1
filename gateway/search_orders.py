"""Orders of a search's candidates: one for each way to answer that is tried, each by its own release."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.notes import Notes
from gateway.personalisation import Personalisation, PersonalSearch
from gateway.pins import apart, with_pins
from gateway.ranking import Ordered, RankStage
from gateway.releases.current import answering_by
from gateway.search import SearchQuery
from gateway.text_retrieval import TextRetrieval
from gateway.turns import Turns
from vitrine.deadline import Deadline
from vitrine.ports import Retrieval, RetrievalQuery
from vitrine.ports.release import Release


@dataclass(frozen=True, slots=True)
class Turn:
    """One way to answer: the search with its settings, how many candidates are ranked, and which models answer."""

    search: SearchQuery
    depth: int
    release: Release


class SearchOrders:
    """Embeds, retrieves, ranks and personalises."""

    def __init__(
        self, text_retrieval: TextRetrieval, rank_stage: RankStage, personalisation: Personalisation, turns: Turns
    ) -> None:
        self._text_retrieval = text_retrieval
        self._rank_stage = rank_stage
        self._personalisation = personalisation
        self._turns = turns

    async def orders(
        self, words: RetrievalQuery, turns: Sequence[Turn], notes: Notes, deadline: Deadline
    ) -> tuple[Retrieval, list[Ordered]]:
        """What the first turn found, and each turn's order. Raises what the retriever raises."""
        parts = _Parts(self._text_retrieval, self._personalisation, words, max(turn.depth for turn in turns))
        ordered = []
        try:
            for turn in turns:
                with answering_by(turn.release):
                    personal = parts.personal(turn, notes, deadline)
                    retrieval = await parts.retrieval(turn.release, personal, notes, deadline)
                    with notes.timed("turn"):
                        await self._turns.next()
                    pinned, others = apart(retrieval.candidates)
                    with notes.timed("rank"):
                        order = await self._rank_stage.order(
                            retrieval.reading.model_text or words.text,
                            others,
                            best_bm25=retrieval.best_bm25,
                            asked=turn.depth,
                            deadline=deadline,
                            # Taste may bring any of those that were ranked to the front.
                            shown=turn.search.page_size if personal is None else None,
                        )
                    with notes.timed("turn"):
                        await self._turns.next()
                    order = order if personal is None else await personal.ordered(order)
                    ordered.append(replace(with_pins(pinned, order), rest=retrieval.rest))
        finally:
            parts.end()
        return parts.retrievals[turns[0].release.embedder_digest], ordered


class _Parts:
    """What turns have in common, done once: retrieval by one embedder, taste by one recommender."""

    def __init__(
        self, text_retrieval: TextRetrieval, personalisation: Personalisation, words: RetrievalQuery, depth: int
    ) -> None:
        self._text_retrieval = text_retrieval
        self._personalisation = personalisation
        self._words = words
        self._depth = depth
        self.retrievals: dict[str, Retrieval] = {}
        self._personal: dict[tuple[str, str], PersonalSearch | None] = {}

    def personal(self, turn: Turn, notes: Notes, deadline: Deadline) -> PersonalSearch | None:
        """The taste of who searches, being read from now on; None where the turn is not to follow it."""
        if turn.search.personalize is False:
            return None
        key = (turn.release.embedder_digest, turn.release.recommender_digest)
        if key not in self._personal:
            self._personal[key] = self._personalisation.begun(turn.search.visitor_id, notes, deadline)
        return self._personal[key]

    async def retrieval(
        self, release: Release, personal: PersonalSearch | None, notes: Notes, deadline: Deadline
    ) -> Retrieval:
        """What is found by the release's embedder; `personal` is told of it."""
        if (found := self.retrievals.get(release.embedder_digest)) is None:
            found = await self._text_retrieval.retrieve(self._words, notes, deadline)
            self.retrievals[release.embedder_digest] = found
        if personal is not None:
            personal.look_at([candidate.product_id for candidate in found.candidates[: self._depth]])
        return found

    def end(self) -> None:
        """Ends what is still under way."""
        for personal in self._personal.values():
            if personal is not None:
                personal.end()
