"""Errors over the wire and back, and their codes."""

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from hypothesis import example, given
from hypothesis import strategies as st

from vitrine.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    Internal,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
    Unimplemented,
    VitrineError,
    invalid,
)
from vitrine.status import connect_code, error_of, grpc_code, http_code, status_of


@pytest.mark.parametrize(
    ("error", "code", "http", "connect"),
    [
        (invalid("title", "is empty"), grpc.StatusCode.INVALID_ARGUMENT, 400, "invalid_argument"),
        (FailedPrecondition("digests disagree"), grpc.StatusCode.FAILED_PRECONDITION, 400, "failed_precondition"),
        (NotFound("no product"), grpc.StatusCode.NOT_FOUND, 404, "not_found"),
        (ResourceExhausted("full"), grpc.StatusCode.RESOURCE_EXHAUSTED, 429, "resource_exhausted"),
        (DeadlineExceeded("late"), grpc.StatusCode.DEADLINE_EXCEEDED, 504, "deadline_exceeded"),
        (Unavailable("away"), grpc.StatusCode.UNAVAILABLE, 503, "unavailable"),
        (Unimplemented("not yet"), grpc.StatusCode.UNIMPLEMENTED, 501, "unimplemented"),
        (Internal("NaN"), grpc.StatusCode.INTERNAL, 500, "internal"),
        (ValueError("secret"), grpc.StatusCode.INTERNAL, 500, "internal"),
    ],
)
def test_each_error_has_its_codes_and_comes_back(
    error: Exception, code: grpc.StatusCode, http: int, connect: str
) -> None:
    assert (grpc_code(error), http_code(error), connect_code(error)) == (code, http, connect)
    back = error_of(status_of(error))
    if isinstance(error, VitrineError):
        assert type(back) is type(error)
        assert (back.message, back.reason) == (error.message, error.reason)
    else:
        assert type(back) is Internal


def test_an_error_of_a_subclass_has_the_code_of_its_class() -> None:
    class IndexMissing(FailedPrecondition):
        reason = "INDEX_MISSING"

    back = error_of(status_of(IndexMissing("no index")))
    assert type(back) is FailedPrecondition
    assert back.reason == "INDEX_MISSING"


def test_field_violations_come_back() -> None:
    error = InvalidArgument(FieldViolation("products[3].title", "是空的"), FieldViolation("price", "is -1"))
    back = error_of(status_of(error))
    assert isinstance(back, InvalidArgument)
    assert back.violations == error.violations


def test_half_of_a_surrogate_pair_is_shown_as_it_is_written_in_json() -> None:
    back = error_of(status_of(InvalidArgument(FieldViolation("\ud800", "is \udc00"))))
    assert isinstance(back, InvalidArgument)
    assert back.violations == (FieldViolation("\\ud800", "is \\udc00"),)


def test_the_retry_delay_comes_back() -> None:
    back = error_of(status_of(ResourceExhausted("full", retry_after_s=0.25)))
    assert isinstance(back, ResourceExhausted)
    assert back.retry_after_s == 0.25


def test_what_is_not_ours_leaves_without_its_text_and_with_the_trace_id() -> None:
    status = status_of(ValueError("password=hunter2"), "ab" * 16)
    assert "hunter2" not in str(status)
    assert status.message == f"internal error (trace id {'ab' * 16})"
    assert status_of(ValueError("x")).message == "internal error"


def test_a_status_names_domain_reason_and_trace() -> None:
    details = status_of(NotFound("no product"), "cd" * 16).details
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.RequestInfo()
    assert details[0].Unpack(info)
    assert (info.reason, info.domain) == ("NOT_FOUND", "vitrine")
    assert details[1].Unpack(request)
    assert request.request_id == "cd" * 16


@example([("😀" * 600, "😀" * 600)] * 40)
@given(st.lists(st.tuples(st.text(max_size=600), st.text(max_size=600)), min_size=1, max_size=40))
def test_a_status_fits_into_trailers_however_much_is_wrong(fields: list[tuple[str, str]]) -> None:
    fields = [
        (name.encode("utf-8", "replace").decode(), text.encode("utf-8", "replace").decode()) for name, text in fields
    ]
    status = status_of(InvalidArgument(*(FieldViolation(*field) for field in fields)), "ef" * 16)
    # What gRPC sends: the message percent-encoded, the details in base64; together under its 8 KiB.
    assert len(status.message.encode()) * 3 + status.ByteSize() * 4 / 3 < 7_000


def test_violations_that_do_not_fit_are_counted() -> None:
    many = [FieldViolation(f"products[{index}].title", "是空的" * 30) for index in range(500)]
    back = error_of(status_of(InvalidArgument(*many)))
    assert isinstance(back, InvalidArgument)
    *kept, last = back.violations
    assert kept == many[: len(kept)]
    assert last.description == f"{500 - len(kept)} more fields are wrong; mend these first"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (code_pb2.CANCELLED, Unavailable),
        (code_pb2.ABORTED, Internal),
        (code_pb2.UNKNOWN, Internal),
        (4711, Internal),
    ],
)
def test_codes_of_others_become_the_nearest_error(code: int, kind: type[VitrineError]) -> None:
    back = error_of(status_pb2.Status(code=code, message="what they said"))
    assert type(back) is kind
    assert "what they said" in back.message


def test_an_invalid_argument_of_others_keeps_its_text() -> None:
    back = error_of(status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message="bad page token"))
    assert isinstance(back, InvalidArgument)
    assert "bad page token" in back.message
