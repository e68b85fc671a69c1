"""HTTP/JSON: every public unary call as Connect unary JSON, the short `/recommend`, health and metrics."""

import asyncio
import base64
import json
import math
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import structlog
from google.protobuf import json_format
from google.protobuf.message import Message
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.api import Api
from gateway.auth.guard import AuthGuard
from gateway.cors import cors
from gateway.ops.api import OpsApi
from gateway.ops.routes import ops_routes
from gateway.recommend import recommend
from gateway.releases.api import ReleaseApi
from gateway.settings import GatewaySettings
from gateway.storefront_page import storefront_routes
from gateway.unary_calls import unary_calls
from vitrine.call_record import record_call
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, ResourceExhausted, Unauthenticated, VitrineError, invalid
from vitrine.metrics import CALLS_IN_FLIGHT
from vitrine.sparing import Sparing
from vitrine.status import connect_code, grpc_code, http_code, status_of
from vitrine.tracing import server_span, trace_id

log = structlog.get_logger(__name__)

_MAX_TIMEOUT_DIGITS = 10
_CLIENT_CLOSED_REQUEST = 499
_Call = Callable[[bytes, Deadline], Awaitable[str]]


class _BodyTooLarge(ResourceExhausted):
    """The request's body is above the limit."""


def http_application(
    api: Api,
    release_api: ReleaseApi,
    ops_api: OpsApi,
    settings: GatewaySettings,
    is_ready: Callable[[], bool],
    guard: AuthGuard | None = None,
) -> Starlette:
    """The application; `is_ready` says whether the gateway's last self-test passed, `guard` who may call."""
    failures = Sparing()

    def rpc(path: str, request_type: type[Message], method: Callable[..., Awaitable[Message]]) -> Route:
        async def call(body: bytes, deadline: Deadline) -> str:
            reply = await method(_message(body, request_type), deadline)
            return json_format.MessageToJson(reply, indent=None, ensure_ascii=False)

        return _route(path, call, settings, guard, failures)

    async def recommended(body: bytes, deadline: Deadline) -> str:
        return json.dumps(await recommend(api.searches.pipeline, body, deadline), ensure_ascii=False)

    async def readiness(_request: Request) -> Response:
        ready = is_ready()
        return PlainTextResponse("ready\n" if ready else "not ready\n", status_code=200 if ready else 503)

    async def metrics(request: Request) -> Response:
        try:
            await _admit(guard, request)
        except VitrineError as error:
            return _error_response(error)
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return Starlette(
        routes=[
            *(rpc(call.path, call.request_type, call.method) for call in unary_calls(api, release_api, ops_api)),
            _route("/recommend", recommended, settings, guard, failures),
            Route("/healthz", _alive),
            Route("/readyz", readiness),
            Route("/metrics", metrics),
            *storefront_routes(settings),
            *ops_routes(settings),
        ],
        middleware=cors(settings.cors_origins),
        exception_handlers={HTTPException: _refused},
    )


async def _admit(guard: AuthGuard | None, request: Request) -> None:
    if guard is not None:
        peer = request.client.host if request.client else ""
        await guard.admit(request.url.path, request.headers, peer)


def _route(path: str, call: _Call, settings: GatewaySettings, guard: AuthGuard | None, failures: Sparing) -> Route:
    async def answered(request: Request) -> Response:
        started_s = perf_counter()
        code = "CANCELLED"
        with server_span(path, request.headers, "http") as span, CALLS_IN_FLIGHT.track_inprogress():
            try:
                code, response = await _answered(request, call, settings, guard, failures)
            except HTTPException:
                code = "INVALID_ARGUMENT"
                raise
            finally:
                record_call(span, path, code, perf_counter() - started_s, settings.call_log_level)
        return response

    return Route(path, answered, methods=["POST"])


async def _answered(
    request: Request, call: _Call, settings: GatewaySettings, guard: AuthGuard | None, failures: Sparing
) -> tuple[str, Response]:
    try:
        await _admit(guard, request)
        deadline = _deadline(request, settings.default_timeout_s)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise HTTPException(415, "send the header Content-Type: application/json")
        body = await _body(request, settings.max_body_bytes, deadline)
        reply = await _within(deadline, request, call(body, deadline))
        return "OK", Response(reply, media_type="application/json")
    except HTTPException:
        raise
    except ClientDisconnect:
        return "CANCELLED", Response(status_code=_CLIENT_CLOSED_REQUEST)
    except VitrineError as error:
        code = grpc_code(error).name
        more = failures.fields((request.url.path, code, error.reason))
        if more is not None:
            # Without its words, which may quote the body.
            log.info("call failed", method=request.url.path, code=code, reason=error.reason, **more)
        return code, _error_response(error)
    except Exception as error:
        log.exception("call failed", path=request.url.path)
        return grpc_code(error).name, _error_response(error)


async def _within(deadline: Deadline, request: Request, reply: Awaitable[str]) -> str:
    """The reply; when the client leaves before, or time is over, the work is cancelled.

    Raises ClientDisconnect or DeadlineExceeded.
    """

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    work = asyncio.ensure_future(reply)
    watch = asyncio.ensure_future(gone())
    try:
        timeout_s = max(deadline.remaining_s(), 0.0)
        await asyncio.wait({work, watch}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        if watch.done():
            raise ClientDisconnect
        raise DeadlineExceeded("no time left for the answer")
    finally:
        watch.cancel()
        work.cancel()
        await asyncio.wait({work, watch})


async def _body(request: Request, limit: int, deadline: Deadline) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(deadline.remaining_s()):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    length = request.headers.get("content-length", f"more than {limit}")
                    raise _BodyTooLarge(f"the body has {length} bytes; at most {limit} are allowed")
    except TimeoutError:
        raise DeadlineExceeded("the request's body did not arrive in time") from None
    return bytes(body)


def _deadline(request: Request, default_timeout_s: float) -> Deadline:
    timeout_ms = request.headers.get("connect-timeout-ms")
    if timeout_ms is None:
        return Deadline.after(default_timeout_s)
    if not (timeout_ms.isascii() and timeout_ms.isdigit() and len(timeout_ms) <= _MAX_TIMEOUT_DIGITS):
        raise invalid("Connect-Timeout-Ms", "is not a whole number of milliseconds of at most 10 digits")
    return Deadline.after(int(timeout_ms) / 1000)


def _message(body: bytes, request_type: type[Message]) -> Message:
    try:
        return json_format.Parse(body, request_type())
    except (json_format.ParseError, ValueError, TypeError, RecursionError) as error:
        # In one line: json_format divides its words into several.
        reason = " ".join(str(error).split())
        raise invalid("body", f"is not a {request_type.DESCRIPTOR.name} in JSON: {reason}") from error


def _error_response(error: Exception) -> Response:
    status = status_of(error, trace_id())
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthenticated) else {}
    if isinstance(error, ResourceExhausted) and error.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    details = [
        {
            "type": detail.TypeName(),
            "value": base64.b64encode(detail.value).decode().rstrip("="),
            "debug": {key: value for key, value in json_format.MessageToDict(detail).items() if key != "@type"},
        }
        for detail in status.details
    ]
    code = 413 if isinstance(error, _BodyTooLarge) else http_code(error)
    return _error_json(code, connect_code(error), status.message, headers, details)


def _error_json(
    http: int, code: str, message: str, headers: dict[str, str], details: list[dict[str, Any]] | None = None
) -> Response:
    content = {"code": code, "message": message} | ({"details": details} if details else {})
    return JSONResponse(content, status_code=http, headers=headers)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = "unimplemented" if error.status_code in (404, 405) else "invalid_argument"
    return _error_json(error.status_code, code, error.detail, dict(error.headers or {}))


async def _alive(_request: Request) -> Response:
    return PlainTextResponse("alive\n")
