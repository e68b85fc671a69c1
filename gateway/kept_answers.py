"""Answers kept whole: a search that was answered before, by the same release from the same index, is answered again.

An answer is kept under what it depends on: the search, the release that answered, the models that were served, and the
index's version as the retriever said it with the candidates. Before each answer from here the retriever is asked which
version holds now, so that a write, a deletion, a rule or a flip of releases ends what was kept at once. What a
visitor's experiments or taste have a say in is not kept, nor what lacked a part. A search of which nothing is kept
does not ask.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from time import perf_counter

from gateway.experiments.assignment import Call
from gateway.experiments.definitions import SEARCH
from gateway.messages import answer_to_message, search_from_message
from gateway.metrics import ANSWERS, ANSWERS_KEPT_BYTES, RANK_DEPTH, STAGE_SECONDS
from gateway.pipeline import SearchPipeline
from gateway.releases.follower import Follower
from gateway.search import SearchAnswer, SearchQuery, checked_query
from gateway.token_frame import relabelled
from vitrine.deadline import Deadline
from vitrine.errors import VitrineError
from vitrine.ports import Retriever
from vitrine.ports.release import Release
from vitrine.v1 import search_service_pb2

# What an entry takes beside its message: the query, the key and their places.
_ENTRY_BYTES = 1_500
# Each retriever has versions of its own; what was kept of one that has ended goes once so many came after it.
_MOST_RETRIEVERS = 64


@dataclass(frozen=True, slots=True)
class _Key:
    """What an answer depends on beside the index; `models` are the digests of what a release leaves open."""

    search: SearchQuery
    release: Release
    models: tuple[str, ...]


class KeptAnswers:
    """Searches by the pipeline, and those made before from memory."""

    def __init__(self, pipeline: SearchPipeline, retriever: Retriever, releases: Follower, *, limit_bytes: int) -> None:
        """At most `limit_bytes` of answers are kept, the one unused for longest goes first; 0: none."""
        self.pipeline = pipeline
        self._retriever = retriever
        self._releases = releases
        self._limit_bytes = limit_bytes
        # By the retriever that answered, the newest last, with its index's version.
        self._kept: OrderedDict[_Key, dict[str, tuple[str, bytes]]] = OrderedDict()
        self._kept_bytes = 0
        # The digests of the first models, which a release without a name leaves to each service.
        self.models: tuple[str, ...] = ()

    async def search(
        self, request: search_service_pb2.SearchRequest, deadline: Deadline
    ) -> search_service_pb2.SearchResponse:
        """Answers one page. Raises what the pipeline raises."""
        started_s = perf_counter()
        search = search_from_message(request)
        if not self._limit_bytes or not _is_common(search):
            return _message(await self.pipeline.search(search, deadline=deadline), request)
        # Words that differ in case or spaces alone are one search.
        common = replace(search, query=checked_query(search))
        models = self.models
        key = _Key(common, self._releases.serving, models)
        if key in self._kept:
            # Who is refused does not wait for a retriever that is as busy as we are.
            self.pipeline.admission.check(deadline)
            version = await self._version(deadline)
            of_version, kept = self._kept.get(key, {}).get(_retriever_of(version), ("", b""))
            if version and of_version == version:
                # It takes no place: those that leave tell how long a search takes, and this one takes no time.
                self.pipeline.admission.check()
                self._kept.move_to_end(key)
                return _again(kept, started_s)
        ANSWERS.labels("pipeline").inc()
        answer = await self.pipeline.search(search, deadline=deadline)
        message = _message(answer, request)
        if answer.index_version and not answer.degradations:
            self._keep(_Key(common, answer.release, models), answer.index_version, message)
        return message

    async def _version(self, deadline: Deadline) -> str:
        try:
            return await self._retriever.get_version(deadline=deadline)
        except VitrineError:
            # A retriever that is away fails the search where it is asked for candidates, and says why.
            return ""

    def _keep(self, key: _Key, version: str, message: search_service_pb2.SearchResponse) -> None:
        plain = search_service_pb2.SearchResponse()
        plain.CopyFrom(message)
        for field in ("timings", "cached", "attribution_token"):
            plain.ClearField(field)
        by_retriever = self._kept.pop(key, {})
        self._kept_bytes -= _size(by_retriever)
        by_retriever.pop(_retriever_of(version), None)
        by_retriever[_retriever_of(version)] = version, plain.SerializeToString()
        if len(by_retriever) > _MOST_RETRIEVERS:
            del by_retriever[next(iter(by_retriever))]
        self._kept[key] = by_retriever
        self._kept_bytes += _size(by_retriever)
        while self._kept_bytes > self._limit_bytes and self._kept:
            self._kept_bytes -= _size(self._kept.popitem(last=False)[1])
        ANSWERS_KEPT_BYTES.set(self._kept_bytes)


def _size(by_retriever: dict[str, tuple[str, bytes]]) -> int:
    return sum(len(data) + _ENTRY_BYTES for _, data in by_retriever.values())


def _retriever_of(version: str) -> str:
    return version.partition(".")[0]


def _is_common(search: SearchQuery) -> bool:
    """Whether another caller's answer is this one's too: nobody is known, and nothing but the index has a say in it."""
    return not (search.visitor_id or search.page_token or search.is_sorted or search.explain or search.highlight)


def _message(answer: SearchAnswer, request: search_service_pb2.SearchRequest) -> search_service_pb2.SearchResponse:
    return answer_to_message(answer, with_description=request.with_description, explain=request.explain)


def _again(kept: bytes, started_s: float) -> search_service_pb2.SearchResponse:
    """The answer under an attribution token of its own, which the next pages carry too."""
    message = search_service_pb2.SearchResponse.FromString(kept)
    message.attribution_token = Call(SEARCH).token()
    if message.next_page_token:
        message.next_page_token = relabelled(message.next_page_token, message.attribution_token)
    message.cached.append("answer")
    seconds = perf_counter() - started_s
    message.timings.add(stage="total", duration_ms=seconds * 1_000)
    ANSWERS.labels("process").inc()
    STAGE_SECONDS.labels("total").observe(seconds)
    RANK_DEPTH.observe(message.rank_depth)
    return message
