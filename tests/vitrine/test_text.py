"""The text normaliser."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrine.text import clean_text, detect_language, normalize_text

# Characters whose folding interacts: marks, ligatures, sharp s, dotted I, full and half width, spaces, zero width.
_AWKWARD = st.text(
    st.sampled_from("ßẞİıſﬁΣςͅͺ゛゙カﾞｶ①Ａａ１　 \u00a0\u200b\u200d\ufeff\u00ad\u2028\u0085\t\n\x00가각각ÅÅ㍍㈱豈")
    | st.characters()
)


@given(st.text() | _AWKWARD)
def test_normalizing_twice_changes_nothing(text: str) -> None:
    once = normalize_text(text)
    assert normalize_text(once) == once


@given(st.text() | _AWKWARD)
def test_normal_text_holds_no_control_zero_width_or_doubled_space(text: str) -> None:
    normal = normalize_text(text)
    assert not [c for c in normal if unicodedata.category(c) in ("Cc", "Cf", "Cs")]
    assert normal == " ".join(normal.split())


@given(st.text() | _AWKWARD)
def test_cleaning_twice_changes_nothing_and_the_result_can_be_encoded(text: str) -> None:
    once = clean_text(text)
    assert clean_text(once) == once
    once.encode()


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
def test_full_width_forms_equal_half_width_ones(text: str) -> None:
    """openmed#1468 (case 79): full-width digits and letters missed half-width patterns."""
    full_width = "".join(chr(ord(c) + 0xFEE0) for c in text)
    assert normalize_text(full_width) == normalize_text(text)


def test_the_full_width_query_of_the_report() -> None:
    """openmed#1468 (case 79)."""
    assert normalize_text("ｉＰｈｏｎｅ\u3000１５\u200b") == normalize_text("iPhone 15") == "iphone 15"


@pytest.mark.parametrize("blank", ["", " ", "\t", "\u3000", "\u200b", "\ufeff\u200d\x00", "\u2028\u00ad"])
def test_what_shows_nothing_is_empty(blank: str) -> None:
    """azure-search-openai-demo#1134 (case 58): blanks of every kind must count as empty."""
    assert normalize_text(blank) == ""


def test_the_display_text_keeps_its_case_and_width() -> None:
    assert clean_text(" Nike\u200b　Ａir \n Max ") == "Nike Ａir Max"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("智能手表", "zh"),
        ("Apple 手表", "zh"),
        ("running shoes", "en"),
        ("", "en"),
        ("スマート時計", "ja"),
        ("스마트 워치", "ko"),
    ],
)
def test_the_script_tells_the_language(text: str, language: str) -> None:
    assert detect_language(text) == language
