"""What happens around every call of a server: trace, metrics, size caps, default deadline, error codes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import structlog
from google.protobuf.message import DecodeError, Message

from vitrine import metrics
from vitrine.call import Context
from vitrine.call_record import record_call
from vitrine.errors import DeadlineExceeded, ResourceExhausted, Unavailable, VitrineError, invalid
from vitrine.guard import Guard
from vitrine.logs import CallLogLevel
from vitrine.sparing import Sparing
from vitrine.status import DETAILS_KEY, grpc_code, status_of
from vitrine.tracing import server_span, trace_id

_log = structlog.get_logger("vitrine.server")

# Health and reflection answer whatever the state of the service is.
_INFRASTRUCTURE = "/grpc."
# A client's clock started earlier, so it may leave for its deadline a little before the server sees it pass.
_DEADLINE_SLACK_S = 0.02


class CallInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Wraps the handlers of all services but health and reflection.

    VitrineError leaves as a rich status; CancelledError of the handler's own as CANCELLED; anything else as INTERNAL
    "internal error" with the trace id, logged. `on_internal` is told of each INTERNAL. `guard`, where one is
    set, says who may call.
    """

    def __init__(
        self,
        *,
        default_timeout_s: float,
        max_message_bytes: int,
        on_internal: Callable[[], None],
        log_level: CallLogLevel = "debug",
        guard: Guard | None = None,
    ) -> None:
        self._default_timeout_s = default_timeout_s
        self._log_level: CallLogLevel = log_level
        self._max_message_bytes = max_message_bytes
        self._on_internal = on_internal
        self._guard = guard
        self._failures = Sparing()
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.opened = False

    async def idle(self) -> None:
        """Waits until no handler runs, those included whose callers already have their answer."""
        await self._idle.wait()

    async def intercept_service(self, continuation: Any, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler that the service has for the call, wrapped."""
        method: str = handler_call_details.method
        handler = await continuation(handler_call_details)
        if method.startswith(_INFRASTRUCTURE):
            return handler
        if handler is None:
            return None if self.opened else grpc.unary_unary_rpc_method_handler(_not_open)
        call = _Call(method, self._max_message_bytes)
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(call.log_if_unread)
        return self._wrapped(call, handler)

    def _wrapped(self, call: "_Call", handler: Any) -> Any:
        parse, pack = self._parser(handler.request_deserializer), self._packer(handler.response_serializer)

        # Requests are parsed and a unary answer packed in here, where what goes wrong becomes a clear error.
        def read(request: Any) -> Any:
            return _requests(request, parse, self._guard) if handler.request_streaming else parse(request)

        async def one_answer(request: Any, context: Context) -> bytes:
            handle = handler.stream_unary if handler.request_streaming else handler.unary_unary
            try:
                async with self._around(call, context), self._default_limit(handler, context):
                    return pack(await handle(read(request), context))
            except grpc.aio.AbortError as aborted:
                # gRPC keeps it with the call, and its frames would keep the call: a circle of 80 objects that only the
                # collector frees, of each call that is refused.
                del context
                aborted.__context__ = None
                raise aborted.with_traceback(None) from None
            raise AssertionError("an error aborts the call")

        async def many_answers(request: Any, context: Context) -> None:
            handle = handler.stream_stream if handler.request_streaming else handler.unary_stream
            async with self._around(call, context), aclosing(handle(read(request), context)) as answers:
                async for answer in answers:
                    await context.write(answer)

        if handler.response_streaming and handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(many_answers, None, pack)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(many_answers, None, pack)
        if handler.request_streaming:
            return grpc.stream_unary_rpc_method_handler(one_answer, None, None)
        return grpc.unary_unary_rpc_method_handler(one_answer, None, None)

    def _parser(self, deserialize: Callable[[bytes], Message] | None) -> Callable[[bytes], Message | bytes]:
        def parse(data: bytes) -> Message | bytes:
            try:
                return deserialize(data) if deserialize else data
            except DecodeError:
                raise invalid("request", "is not a message of this method; build it from protos/vitrine/v1") from None

        return parse

    def _packer(self, serialize: Callable[[Any], bytes] | None) -> Callable[[Any], bytes]:
        def pack(message: Any) -> bytes:
            data: bytes = serialize(message) if serialize else message
            if len(data) > self._max_message_bytes:
                raise ResourceExhausted(
                    f"the answer has {len(data)} bytes and the limit is {self._max_message_bytes}; ask for less",
                    reason="MESSAGE_TOO_LARGE",
                )
            return data

        return pack

    @asynccontextmanager
    async def _default_limit(self, handler: Any, context: Context) -> AsyncIterator[None]:
        if handler.request_streaming or context.time_remaining() is not None:
            yield
            return
        try:
            async with asyncio.timeout(self._default_timeout_s) as limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise DeadlineExceeded(
                f"took longer than {self._default_timeout_s} s, the limit without a deadline"
            ) from None

    @asynccontextmanager
    async def _around(self, call: "_Call", context: Context) -> AsyncIterator[None]:
        call.read = True
        started_s = time.perf_counter()
        self._in_flight += 1
        self._idle.clear()
        metrics.CALLS_IN_FLIGHT.inc()
        left = False
        headers = dict(context.invocation_metadata() or ())
        with server_span(call.method, headers) as span:
            try:
                if self._guard is not None:
                    await self._guard.admit(call.method, headers, context.peer())
                yield
            except asyncio.CancelledError:
                task = asyncio.current_task()
                left = task is not None and task.cancelling() > 0
                if left:
                    raise
                # The handler cancelled itself, and gRPC would send nothing: the caller would wait for ever.
                await self._abort(context, grpc.StatusCode.CANCELLED, "the server left the call")
                raise
            except grpc.aio.AbortError:
                raise
            except Exception as error:
                await self._fail(call, context, error)
            finally:
                code = "CANCELLED" if left else _code_name(context)
                time_left_s = context.time_remaining()
                if left and time_left_s is not None and time_left_s <= _DEADLINE_SLACK_S:
                    code = "DEADLINE_EXCEEDED"
                record_call(span, call.method, code, time.perf_counter() - started_s, self._log_level)
                metrics.CALLS_IN_FLIGHT.dec()
                self._in_flight -= 1
                if not self._in_flight:
                    self._idle.set()

    async def _fail(self, call: "_Call", context: Context, error: Exception) -> None:
        code = grpc_code(error)
        if isinstance(error, VitrineError):
            more = self._failures.fields((call.method, code, error.reason))
            if more is not None:
                _log.info(
                    "call failed", method=call.method, code=code.name, reason=error.reason, error=error.message, **more
                )
        else:
            _log.error("call failed", method=call.method, code=code.name, exc_info=error)
        if code is grpc.StatusCode.INTERNAL:
            self._on_internal()
        status = status_of(error, trace_id())
        await self._abort(context, code, status.message, ((DETAILS_KEY, status.SerializeToString()),))

    async def _abort(
        self, context: Context, code: grpc.StatusCode, details: str, trailers: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        kept: Any = tuple(context.trailing_metadata() or ())
        try:
            await context.abort(code, details, kept + trailers)
        except grpc.aio.UsageError:
            # The handler had aborted before it raised: the caller keeps that first status.
            _log.warning("raised after abort", code=code.name, error=details)
            raise


class _Call:
    """One call's method, and whether its request was read."""

    __slots__ = ("max_message_bytes", "method", "read")

    def __init__(self, method: str, max_message_bytes: int) -> None:
        self.method = method
        self.max_message_bytes = max_message_bytes
        self.read = False

    def log_if_unread(self, _task: "asyncio.Task[Any]") -> None:
        """Logs a call that gRPC ended itself: its request was above the size cap, or its caller left at once."""
        if not self.read:
            metrics.CALLS_UNREAD.inc()
            _log.info(
                "call ended unread",
                method=self.method,
                cause="request above the limit, or caller gone",
                max_message_bytes=self.max_message_bytes,
            )


async def _requests(
    requests: AsyncIterator[bytes], parse: Callable[[bytes], Message | bytes], guard: Guard | None
) -> AsyncIterator[Message | bytes]:
    """The stream's requests, each after the first let in anew: a stream may outlive its caller's rights."""
    first = True
    async for request in requests:
        if not first and guard is not None:
            await guard.admit_next()
        first = False
        yield parse(request)


async def _not_open(_request: bytes, context: Context) -> None:
    status = status_of(Unavailable("the service is starting; try again soon", reason="STARTING"))
    trailers = ((DETAILS_KEY, status.SerializeToString()),)
    await context.abort(grpc.StatusCode.UNAVAILABLE, status.message, trailers)


def _code_name(context: Context) -> str:
    code: Any = context.code()
    return code.name if isinstance(code, grpc.StatusCode) else "OK"
