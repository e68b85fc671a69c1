"""Tests of the page token."""

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.page_token import PageState, decode_page_token, encode_page_token, query_fingerprint
from gateway.search import Degradation, RankScores
from gateway.token_frame import framed, unframed
from vitrine.errors import InvalidArgument
from vitrine.ports import ProductFilter

MINE = query_fingerprint("手机", ProductFilter())


def state_of(count: int, ranked: int = 0) -> PageState:
    return PageState(
        ids=[f"商品-{index}" for index in range(count)],
        retrieval_scores=[1.0 / (index + 1) for index in range(count)],
        ranks=[RankScores(2.5, 3.5, 0.75 - index / 1024) for index in range(ranked)],
        personal_scores=[index / 1024 if index % 2 else None for index in range(ranked)],
        next_position=11,
        rank_depth=32,
        window_full=True,
        degradations=(Degradation.LEXICAL_ONLY, Degradation.RANK_DEPTH_REDUCED),
    )


@pytest.mark.parametrize(("count", "ranked"), [(1, 0), (1, 1), (490, 22), (1_000, 200)])
def test_holds_what_it_was_given(count: int, ranked: int) -> None:
    state = state_of(count, ranked)
    found = decode_page_token(encode_page_token(state, MINE), MINE)
    assert found.ids == state.ids
    assert found.ranks == state.ranks
    assert found.personal_scores == state.personal_scores
    assert found.retrieval_scores == pytest.approx(state.retrieval_scores, rel=1e-6)
    assert (found.next_position, found.rank_depth, found.window_full) == (11, 32, True)
    assert found.degradations == state.degradations


def test_reads_a_token_that_was_compressed_whole() -> None:
    """As those that a gateway gave before it was upgraded."""
    token = encode_page_token(state_of(490, 22), MINE)
    assert repr(decode_page_token(framed(*unframed(token)), MINE)) == repr(decode_page_token(token, MINE))


def test_what_was_taken_is_left_off() -> None:
    rest = state_of(10, 4).after(3, next_position=14)
    assert rest.ids == [f"商品-{index}" for index in range(3, 10)]
    assert (len(rest.retrieval_scores), len(rest.ranks), rest.next_position) == (7, 1, 14)
    assert state_of(10, 4).after(6, next_position=17).ranks == []


def test_is_small_and_fits_a_url() -> None:
    token = encode_page_token(state_of(490, 22), MINE)
    assert len(token) < 8_000
    assert token.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "other",
    [query_fingerprint("电脑", ProductFilter()), query_fingerprint("手机", ProductFilter(brands=("Lenovo",)))],
)
def test_refuses_a_token_of_another_query_or_filter(other: bytes) -> None:
    with pytest.raises(InvalidArgument, match="page_token: belongs to another query, filter or order"):
        decode_page_token(encode_page_token(state_of(3), MINE), other)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_refuses_any_other_text_with_a_clear_error(token: str) -> None:
    with pytest.raises(InvalidArgument, match="page_token: is damaged"):
        decode_page_token(token, MINE)


@given(st.data())
def test_refuses_a_token_with_one_character_changed(data: st.DataObject) -> None:
    token = encode_page_token(state_of(20, 5), MINE)
    # Of the last character only some bits count.
    at = data.draw(st.integers(0, len(token) - 2))
    character = data.draw(st.sampled_from("ABCabc019-_").filter(lambda character: character != token[at]))
    with pytest.raises(InvalidArgument, match="page_token: is damaged"):
        decode_page_token(token[:at] + character + token[at + 1 :], MINE)


def test_refuses_a_forged_token_that_would_inflate_without_end() -> None:
    packed = zlib.compress(b"\0" * 50_000_000)
    token = base64.urlsafe_b64encode(zlib.crc32(packed).to_bytes(4, "little") + packed).decode()
    with pytest.raises(InvalidArgument, match="page_token: is damaged"):
        decode_page_token(token, MINE)
