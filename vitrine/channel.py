"""Channels to other services, and calls that carry deadline, trace and errors over them."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from typing import Any

import grpc
import grpc.aio
from grpc.aio._call import Call, UnaryUnaryCall
from opentelemetry.trace import SpanKind
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Unavailable
from vitrine.followed_file import FollowedFile
from vitrine.renewed_channel import Headers, RenewedChannel, no_headers
from vitrine.server_settings import KEEPALIVE_TIME_S, KEEPALIVE_TIMEOUT_S, MAX_MESSAGE_BYTES
from vitrine.status import error_from_rpc
from vitrine.tls import ClientTls
from vitrine.tracing import begun_span, span, trace_headers

# What grpc.aio says, as INTERNAL, when a stream ends while it is written to; the server's status is lost then.
_WRITE_FAILED = "Internal error from Core"


class ChannelSettings(BaseModel):
    """How a client reaches a service; nested in the settings of who calls it."""

    model_config = ConfigDict(frozen=True)

    max_message_bytes: PositiveInt = Field(MAX_MESSAGE_BYTES, description="largest request and largest answer")
    keepalive_time_s: PositiveFloat = Field(KEEPALIVE_TIME_S, description="silence after which the server is pinged")
    keepalive_timeout_s: PositiveFloat = Field(KEEPALIVE_TIMEOUT_S, description="time that a ping may take")
    max_backoff_s: PositiveFloat = Field(1.0, description="longest wait between two attempts to connect")
    resolve_interval_s: PositiveFloat = Field(1.0, description="least time between two look-ups of the target's name")
    eject_s: PositiveFloat = Field(
        10.0, description="how long a replica is left alone that fails nearly every call while others answer"
    )
    retry_attempts: int = Field(
        4, ge=1, le=5, description="attempts at a call that finds its server away, the first included"
    )


def open_channel(
    target: str, settings: ChannelSettings | None = None, *, tls: ClientTls | None = None, headers: Headers = no_headers
) -> grpc.aio.Channel:
    """A channel that spreads calls over all addresses of `target` ("embedder:50052"), made once and shared.

    Every method of Vitrine may be repeated without harm (writes go by id), so calls that find their server away
    are tried again; when most calls fail gRPC's throttling ends the retries, and they fail fast. `tls`: whom to trust
    and what to show, followed when its files change; None: in the clear. `headers` is asked at every
    call for what goes with it.

    Raises FailedPrecondition when a file of `tls` is wrong.
    """
    settings = settings or ChannelSettings()
    uri = target if "://" in target or target.startswith(("unix:", "ipv4:", "ipv6:")) else f"dns:///{target}"
    options = _options(settings)
    if tls is None:
        if headers is no_headers:
            return grpc.aio.insecure_channel(uri, options=options)
        return RenewedChannel(lambda: grpc.aio.insecure_channel(uri, options=options), None, headers)
    if tls.server_name:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    followed = FollowedFile("client certificate", tls.files, tls.credentials)
    return RenewedChannel(lambda: grpc.aio.secure_channel(uri, followed.current, options=options), followed, headers)


def _options(settings: ChannelSettings) -> list[tuple[str, int | str]]:
    return [
        ("grpc.service_config", _service_config(settings)),
        ("grpc.service_config_disable_resolution", 1),
        # Proxy variables are meant for the internet, not for services side by side.
        ("grpc.enable_http_proxy", 0),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.keepalive_time_ms", round(settings.keepalive_time_s * 1e3)),
        ("grpc.keepalive_timeout_ms", round(settings.keepalive_timeout_s * 1e3)),
        # gRPC waits a minute for the ping itself, whatever keepalive says.
        ("grpc.http2.ping_timeout_ms", round(settings.keepalive_timeout_s * 1e3)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        # Pings that only measure bandwidth make strict servers and proxies close the connection.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.initial_reconnect_backoff_ms", round(min(0.1, settings.max_backoff_s) * 1e3)),
        ("grpc.min_reconnect_backoff_ms", round(settings.max_backoff_s * 1e3)),
        ("grpc.max_reconnect_backoff_ms", round(settings.max_backoff_s * 1e3)),
        ("grpc.dns_min_time_between_resolutions_ms", round(settings.resolve_interval_s * 1e3)),
    ]


def _service_config(settings: ChannelSettings) -> str:
    method: dict[str, Any] = {"name": [{}]}
    if settings.retry_attempts > 1:
        method["retryPolicy"] = {
            "maxAttempts": settings.retry_attempts,
            "initialBackoff": "0.05s",
            "maxBackoff": "0.5s",
            "backoffMultiplier": 2,
            # A server that stops answers CANCELLED to calls that came in but were not begun.
            "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
        }
    return json.dumps(
        {
            "loadBalancingConfig": [{"outlier_detection_experimental": _ejection(settings.eject_s)}],
            "methodConfig": [method],
            # The channel watches each server's health, and leaves one alone while it is not serving: what fails fast
            # would draw more calls than what works.
            "healthCheckConfig": {"serviceName": ""},
            "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
        }
    )


def _ejection(eject_s: float) -> dict[str, Any]:
    """Of replicas called by turns, one that fails (deadlines that pass at one that hangs, too) where others answer."""
    return {
        "interval": "2s",
        # gRPC takes no more than nine digits of a second, and 6 * 0.1 has more.
        "baseEjectionTime": f"{eject_s:.9f}s",
        "maxEjectionTime": f"{6 * eject_s:.9f}s",
        # When all fail alike, by overload or by what they are asked, half of them at least goes on.
        "maxEjectionPercent": 50,
        "failurePercentageEjection": {"threshold": 90, "minimumHosts": 2, "requestVolume": 3},
        "childPolicy": [{"round_robin": {}}],
    }


async def call(method: Any, request: Any, *, deadline: Deadline, wait_for_ready: bool = False) -> Any:
    """Calls a stub's unary method with the time left. Raises the errors of `vitrine.errors`.

    With `wait_for_ready` a call waits for a server that is away, up to the deadline, instead of failing.
    """
    timeout_s = _time_left_s(deadline)
    with span(_name(method), SpanKind.CLIENT):
        made = method(request, timeout=timeout_s, metadata=trace_headers(), wait_for_ready=wait_for_ready)
        try:
            await _ended(made)
            return await made
        except grpc.aio.AioRpcError as error:
            raise error_from_rpc(error) from error
        except asyncio.CancelledError:
            _raise_if_not_ours()
            raise


async def _ended(made: Any) -> None:
    """Waits until a unary call has ended; ends it where we are cancelled.

    Whoever is cancelled while he awaits the call itself, or calls its own `cancel`, ends the task that frees what the
    call holds, which is then never freed: kilobytes each time (grpc/grpc#43360). Ended below it, that task goes on.
    """
    if not isinstance(made, UnaryUnaryCall):  # Interceptors of whoever uses our client make calls of another kind.
        return
    try:
        await asyncio.wait({made._call_response})
    except asyncio.CancelledError:
        Call.cancel(made)
        raise


async def stream(
    method: Any, requests: AsyncIterable[Any], *, deadline: Deadline, wait_for_ready: bool = False
) -> AsyncGenerator[Any, None]:
    """Calls a stub's method that streams both ways and yields its answers.

    Raises the errors of `vitrine.errors`, and whatever `requests` raises.
    """
    faults: list[Exception] = []

    async def sent() -> AsyncIterator[Any]:
        # gRPC would only log what the requests raise, and cancel the call.
        try:
            async for request in requests:
                yield request
        except Exception as fault:
            faults.append(fault)
            raise

    timeout_s = _time_left_s(deadline)
    begun = begun_span(_name(method), SpanKind.CLIENT)
    answers = method(sent(), timeout=timeout_s, metadata=trace_headers(begun), wait_for_ready=wait_for_ready)
    try:
        async for answer in answers:
            yield answer
    except grpc.aio.AioRpcError as error:
        if faults:
            raise faults[0] from None
        if error.details() == _WRITE_FAILED:
            raise Unavailable("the server ended the stream while a request was on its way") from error
        raise error_from_rpc(error) from error
    except asyncio.CancelledError:
        if faults:
            raise faults[0] from None
        _raise_if_not_ours()
        raise
    finally:
        answers.cancel()
        begun.end()


def _name(method: Any) -> str:
    """The method as its server names it, for spans; a stub's method has no public name."""
    path: bytes = getattr(method, "_method", b"call")
    return path.decode().removeprefix("/")


def _time_left_s(deadline: Deadline) -> float:
    timeout_s = deadline.remaining_s()
    if timeout_s <= 0:
        raise DeadlineExceeded("no time left for the call")
    return timeout_s


def _raise_if_not_ours() -> None:
    # grpc.aio raises CancelledError for a status CANCELLED and for a closed channel too, and that would end a caller
    # whom nobody cancelled.
    task = asyncio.current_task()
    if task is None or not task.cancelling():
        raise Unavailable("the call was cancelled by its server, or its channel was closed") from None
