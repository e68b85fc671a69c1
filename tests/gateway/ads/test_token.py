"""The ad token: given back as it was, or worth nothing."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ads.token import AdToken, TokenFault, opened, product_digest, sealed
from vitrine.errors import Internal

KEY, NOW = b"k" * 32, datetime(2026, 3, 1, 12, tzinfo=UTC)
TOKEN = AdToken("1.ads.x~y", 7, product_digest("p1"), 1_234, 0.5, NOW + timedelta(hours=24))


def test_it_opens_for_the_visitor_it_was_given_to() -> None:
    text = sealed(TOKEN, "ana", KEY)
    assert text.startswith("1.ads.x~y.")
    found = opened(text, "ana", KEY, NOW)
    assert not isinstance(found, TokenFault)
    assert found[0] == TOKEN
    assert opened(text, "ben", KEY, NOW) is TokenFault.FORGED
    assert opened(text, "", KEY, NOW) is TokenFault.FORGED


def test_one_for_an_unknown_visitor_is_anybodys() -> None:
    text = sealed(TOKEN, "", KEY)
    first, second = opened(text, "ana", KEY, NOW), opened(text, "ben", KEY, NOW)
    assert not isinstance(first, TokenFault)
    assert first == second


def test_two_answers_have_two_names_and_one_answer_has_one() -> None:
    again = opened(sealed(TOKEN, "ana", KEY), "ana", KEY, NOW)
    other = opened(sealed(replace(TOKEN, answer_id="other"), "ana", KEY), "ana", KEY, NOW)
    once = opened(sealed(TOKEN, "ana", KEY), "ana", KEY, NOW)
    assert not isinstance(again, TokenFault)
    assert not isinstance(other, TokenFault)
    assert again == once
    assert again[1] != other[1]


def test_it_ends() -> None:
    text = sealed(TOKEN, "ana", KEY)
    assert opened(text, "ana", KEY, NOW + timedelta(hours=24)) is TokenFault.EXPIRED
    assert not isinstance(opened(text, "ana", KEY, NOW + timedelta(hours=23, minutes=59)), TokenFault)


def test_another_key_opens_nothing() -> None:
    assert opened(sealed(TOKEN, "ana", KEY), "ana", b"x" * 32, NOW) is TokenFault.FORGED


def test_no_byte_of_it_can_be_changed() -> None:
    """A lower price, a later end, another product, unbound: whatever byte is changed, nothing opens."""
    answer_id, _, packed = sealed(TOKEN, "ana", KEY).rpartition(".")
    data = base64.urlsafe_b64decode(packed + "==")
    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            text = f"{answer_id}.{base64.urlsafe_b64encode(bytes(changed)).decode().rstrip('=')}"
            assert opened(text, "ana", KEY, NOW) is TokenFault.FORGED
    assert opened(f"another.{packed}", "ana", KEY, NOW) is TokenFault.FORGED


@given(st.one_of(st.text(max_size=256), st.text("AQE.-_=", max_size=120)))
def test_what_is_no_token_opens_nothing(text: str) -> None:
    assert opened(text, "ana", KEY, NOW) is TokenFault.FORGED


def test_one_too_long_for_an_event_is_not_made() -> None:
    with pytest.raises(Internal, match="256"):
        sealed(replace(TOKEN, answer_id="x" * 200), "ana", KEY)
