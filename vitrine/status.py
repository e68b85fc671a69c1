"""Errors on the wire: `vitrine.errors` to google.rpc.Status, HTTP and Connect codes, and back."""

from dataclasses import dataclass
from typing import Any, cast

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2

from vitrine.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    VitrineError,
)

DOMAIN = "vitrine"
DETAILS_KEY = "grpc-status-details-bin"

# gRPC refuses metadata above 8 KiB, and then the caller would see that instead of the error. On the wire
# the message is percent-encoded and the status in base64, which these two bounds keep under 7 KiB together.
_MAX_STATUS_BYTES = 2_816
_MAX_MESSAGE_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class _Code:
    grpc: grpc.StatusCode
    http: int
    connect: str

    @property
    def number(self) -> int:
        return int(self.grpc.value[0])


_CODES: dict[type[VitrineError], _Code] = {
    InvalidArgument: _Code(grpc.StatusCode.INVALID_ARGUMENT, 400, "invalid_argument"),
    FailedPrecondition: _Code(grpc.StatusCode.FAILED_PRECONDITION, 400, "failed_precondition"),
    NotFound: _Code(grpc.StatusCode.NOT_FOUND, 404, "not_found"),
    ResourceExhausted: _Code(grpc.StatusCode.RESOURCE_EXHAUSTED, 429, "resource_exhausted"),
    Unauthenticated: _Code(grpc.StatusCode.UNAUTHENTICATED, 401, "unauthenticated"),
    PermissionDenied: _Code(grpc.StatusCode.PERMISSION_DENIED, 403, "permission_denied"),
    DeadlineExceeded: _Code(grpc.StatusCode.DEADLINE_EXCEEDED, 504, "deadline_exceeded"),
    Unavailable: _Code(grpc.StatusCode.UNAVAILABLE, 503, "unavailable"),
    Internal: _Code(grpc.StatusCode.INTERNAL, 500, "internal"),
    Unimplemented: _Code(grpc.StatusCode.UNIMPLEMENTED, 501, "unimplemented"),
}
_INTERNAL = _CODES[Internal]
_CLASSES = {code.number: error for error, code in _CODES.items()}


def _code_of(error: BaseException) -> _Code:
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), _INTERNAL)


def grpc_code(error: BaseException) -> grpc.StatusCode:
    """The canonical code; INTERNAL for whatever is not a VitrineError."""
    return _code_of(error).grpc


def http_code(error: BaseException) -> int:
    """The HTTP status, as the Connect protocol maps codes."""
    return _code_of(error).http


def connect_code(error: BaseException) -> str:
    """The Connect protocol's name of the code ("invalid_argument")."""
    return _code_of(error).connect


def status_of(error: BaseException, trace_id: str = "") -> status_pb2.Status:
    """The error as google.rpc.Status with ErrorInfo, BadRequest, RetryInfo, and RequestInfo where a trace id is given.

    What is not a VitrineError becomes "internal error": its text may hold what callers must not see.
    The status stays under 3 KiB, so that it fits into trailers; violations that do not fit are counted in the last one.
    """
    known = isinstance(error, VitrineError)
    reason = error.reason if isinstance(error, VitrineError) else Internal.reason
    message = error.message if isinstance(error, VitrineError) else "internal error"
    metadata = error.metadata if isinstance(error, VitrineError) else {}
    status = status_pb2.Status(code=_code_of(error).number, message=_shortened(message))
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata))
    if trace_id:
        status.details.add().Pack(error_details_pb2.RequestInfo(request_id=trace_id))
        if not known:
            status.message = f"internal error (trace id {trace_id})"
    if isinstance(error, ResourceExhausted) and error.retry_after_s is not None:
        delay = Duration()
        delay.FromNanoseconds(round(error.retry_after_s * 1e9))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    if isinstance(error, InvalidArgument):
        room = _MAX_STATUS_BYTES - status.ByteSize()
        status.details.add().Pack(_bad_request(error.violations, room))
    return status


def _shortened(text: str) -> str:
    # Half of a surrogate pair, which JSON can hold and an error repeat, is no character: it is shown as it was written.
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _MAX_MESSAGE_CHARACTERS else text[: _MAX_MESSAGE_CHARACTERS - 1] + "…"


def _bad_request(violations: tuple[FieldViolation, ...], room: int) -> error_details_pb2.BadRequest:
    bad_request = error_details_pb2.BadRequest()
    for done, violation in enumerate(violations):
        bad_request.field_violations.add(
            field=_shortened(violation.field), description=_shortened(violation.description)
        )
        # 256 bytes are kept free for the envelope and for the line that counts the rest.
        if bad_request.ByteSize() > room - 256:
            del bad_request.field_violations[-1]
            rest = f"{len(violations) - done} more fields are wrong; mend these first"
            bad_request.field_violations.add(field="", description=rest)
            break
    return bad_request


def error_of(status: status_pb2.Status) -> VitrineError:
    """The error that `status_of` made the status from.

    A code that Vitrine does not use becomes the nearest one: CANCELLED is Unavailable (the server left the call),
    and every other one Internal, both with the code's name in the message.
    """
    reason: str | None = None
    metadata: dict[str, str] = {}
    retry_after_s: float | None = None
    violations: list[FieldViolation] = []
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
            reason, metadata = info.reason or None, dict(info.metadata)
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry = error_details_pb2.RetryInfo()
            detail.Unpack(retry)
            retry_after_s = retry.retry_delay.ToNanoseconds() / 1e9
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad_request = error_details_pb2.BadRequest()
            detail.Unpack(bad_request)
            violations += [FieldViolation(v.field, v.description) for v in bad_request.field_violations]
    kind = _CLASSES.get(status.code)
    if kind is InvalidArgument:
        return InvalidArgument(*(violations or [FieldViolation("request", status.message)]), reason=reason)
    if kind is ResourceExhausted:
        return ResourceExhausted(status.message, reason=reason, retry_after_s=retry_after_s)
    if kind is not None:
        return kind(status.message, reason=reason, metadata=metadata)
    name = code_pb2.Code.Name(status.code) if status.code in code_pb2.Code.values() else str(status.code)
    kind = Unavailable if status.code == code_pb2.CANCELLED else Internal
    return kind(f"{name}: {status.message}", reason=reason)


def error_from_rpc(error: grpc.aio.AioRpcError) -> VitrineError:
    """The error that a call failed with, details included where the server sent them."""
    trailers: dict[str, Any] = dict(cast(Any, error.trailing_metadata()) or ())
    if DETAILS_KEY in trailers:
        return error_of(status_pb2.Status.FromString(trailers[DETAILS_KEY]))
    return error_of(status_pb2.Status(code=error.code().value[0], message=error.details() or ""))
