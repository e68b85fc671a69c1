"""Trace ids, with and without a caller's."""

from vitrine.tracing import server_span, trace_headers, trace_id

CALLER = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}


def test_outside_every_span_there_is_no_trace() -> None:
    assert trace_id() == ""
    assert trace_headers() == ()


def test_the_callers_trace_goes_on_downstream() -> None:
    with server_span("search", CALLER):
        assert trace_id() == "ab" * 16
        [(name, value)] = trace_headers()
        assert name == "traceparent"
        assert value.startswith(f"00-{'ab' * 16}-")


def test_each_call_without_a_caller_is_a_trace_of_its_own() -> None:
    ids = set()
    for _ in range(3):
        with server_span("search", {}):
            ids.add(trace_id())
    assert len(ids) == 3
    assert all(len(each) == 32 and int(each, 16) for each in ids)


def test_a_broken_traceparent_begins_a_new_trace() -> None:
    with server_span("search", {"traceparent": "00-nonsense-01"}):
        assert len(trace_id()) == 32
