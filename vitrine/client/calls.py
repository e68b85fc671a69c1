"""Calls of the gateway with a deadline, made again where that may help."""

import asyncio
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc.aio
from google.protobuf.message import Message

from vitrine.channel import call
from vitrine.client.connecting import Connecting
from vitrine.client.retries import Retries
from vitrine.deadline import Deadline
from vitrine.errors import VitrineError
from vitrine.retry_budget import RetryBudget

Request = TypeVar("Request", bound=Message)
Answer = TypeVar("Answer", bound=Message)


@dataclass(frozen=True, slots=True)
class Method(Generic[Request, Answer]):
    """A method of the public API ("SearchService/Search"); only one that may come twice without harm is repeated."""

    name: str
    request: type[Request]
    answer: type[Answer]
    is_repeatable: bool = True
    is_stream: bool = False

    @property
    def path(self) -> str:
        """Its path on the wire."""
        return f"/vitrine.v1.{self.name}"


class Calls:
    """Calls over one channel, with one budget of retries."""

    def __init__(self, connecting: Connecting, timeout_s: float, retries: Retries) -> None:
        """`timeout_s`: a whole call's time, attempts and waits included, where it is given none of its own."""
        self.connecting = connecting
        self.retries = retries
        self._timeout_s = timeout_s
        self._budget = RetryBudget(retries.most_in_hand, retries.budget_share)
        self._channel: grpc.aio.Channel | None = None
        self._bound: dict[str, Any] = {}

    @property
    def channel(self) -> grpc.aio.Channel:
        """The channel. Raises RuntimeError when it is not open."""
        if self._channel is None:
            raise RuntimeError("the client is not open; use it within `async with Client(…) as client:`")
        return self._channel

    def open(self) -> None:
        """Opens the channel; connecting begins with the first call. Raises FailedPrecondition."""
        if self._channel is not None:
            raise RuntimeError("the client is open already; one is enough for a process")
        self._channel = self.connecting.open()

    async def close(self) -> None:
        """Closes the channel; calls that are under way fail."""
        channel, self._channel = self._channel, None
        self._bound.clear()
        if channel is not None:
            await channel.close(None)

    def bound(self, method: Method[Any, Any]) -> Any:
        """The method on the channel."""
        if method.path not in self._bound:
            make = self.channel.stream_stream if method.is_stream else self.channel.unary_unary
            self._bound[method.path] = make(
                method.path,
                request_serializer=method.request.SerializeToString,
                response_deserializer=method.answer.FromString,
            )
        return self._bound[method.path]

    async def answer(self, method: Method[Request, Answer], request: Request, timeout_s: float | None = None) -> Answer:
        """The answer to a request, within `timeout_s`. Raises the errors of `vitrine.errors`.

        The last error is raised at once where a wait would end after the call's time.
        """
        deadline = Deadline.after(self._timeout_s if timeout_s is None else timeout_s)
        self._budget.begin_call()
        attempt = 0
        while True:
            attempt += 1
            try:
                attempt_deadline = self._attempt_deadline(method, deadline)
                answer: Answer = await call(self.bound(method), request, deadline=attempt_deadline)
                return answer
            except VitrineError as error:
                fault = self.connecting.explained(error)
                wait_s = self.retries.wait_s(fault, attempt) if method.is_repeatable and self._channel else None
                if wait_s is None or wait_s >= deadline.remaining_s() or not self._budget.take():
                    raise fault from error.__cause__
            self.retries.on_wait(wait_s, fault)
            await asyncio.sleep(wait_s)

    def _attempt_deadline(self, method: Method[Any, Any], deadline: Deadline) -> Deadline:
        # What is not made again has all of the call's time.
        if self.retries.attempt_timeout_s is None or not method.is_repeatable:
            return deadline
        return min(deadline, Deadline.after(self.retries.attempt_timeout_s), key=lambda one: one.at_s)
