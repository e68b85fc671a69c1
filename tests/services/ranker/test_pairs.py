"""How pairs are built and cut."""

from collections.abc import Callable
from pathlib import Path

import pytest

from services.ranker.kept_tokens import KeptTokens
from services.ranker.pairs import Pair, PairBuilder
from vitrine.bundle import load_bundle
from vitrine.ports import RankCandidate
from vitrine.tokenization import Tokenizer

UNKNOWN, FIRST, LAST, GOOD, STRONG = range(5)


@pytest.fixture(scope="module")
def tokenizer(make_bundle: Callable[..., Path]) -> Tokenizer:
    return Tokenizer(load_bundle(make_bundle(), "ranker"))


def pair(tokenizer: Tokenizer, query: str, text: str, max_tokens: int = 16, query_cap: int = 6) -> Pair:
    builder = PairBuilder(tokenizer, max_tokens, query_cap, KeptTokens(10))
    (built,) = builder.build(query, [RankCandidate("a", text)])
    assert isinstance(built, Pair)
    return built


def test_ids_and_types(tokenizer: Tokenizer) -> None:
    built = pair(tokenizer, "good watch", "strong good")
    assert built.ids == [FIRST, GOOD, UNKNOWN, LAST, STRONG, GOOD, LAST]
    assert built.type_ids == [0, 0, 0, 0, 1, 1, 1]
    assert (built.query_tokens_dropped, built.text_tokens_dropped) == (0, 0)


def test_the_product_is_normalised(tokenizer: Tokenizer) -> None:
    assert pair(tokenizer, "good", "ＧＯＯＤ\u200b").ids == pair(tokenizer, "good", "good").ids


@pytest.mark.parametrize("query_words", [1, 5, 6])
def test_a_long_product_never_takes_from_the_query(tokenizer: Tokenizer, query_words: int) -> None:
    """sentence-transformers#574 (case 138): cutting the longest side first cut the query."""
    built = pair(tokenizer, "good " * query_words, "strong " * 500)
    assert built.ids[: query_words + 2] == [FIRST, *[GOOD] * query_words, LAST]
    assert len(built.ids) == 16
    assert built.query_tokens_dropped == 0
    assert built.text_tokens_dropped == 500 - (16 - 3 - query_words)


def test_a_long_query_is_cut_at_its_cap_and_says_so(tokenizer: Tokenizer) -> None:
    built = pair(tokenizer, "good " * 260, "strong " * 500)
    assert built.ids == [FIRST, *[GOOD] * 6, LAST, *[STRONG] * 7, LAST]
    assert (built.query_tokens_dropped, built.text_tokens_dropped) == (254, 493)


def test_a_short_product_gives_no_room_to_a_long_query(tokenizer: Tokenizer) -> None:
    """The cap holds whatever the product, so that a query reads the same beside every candidate."""
    assert pair(tokenizer, "good " * 260, "strong").ids == [FIRST, *[GOOD] * 6, LAST, STRONG, LAST]


@pytest.mark.parametrize("length", [6, 7, 8, 500])
def test_the_closing_token_always_stays(tokenizer: Tokenizer, length: int) -> None:
    """sentence-transformers#3787 (case 141): a cut that takes the closing tokens leaves garbage scores."""
    assert pair(tokenizer, "good " * 6, "strong " * length).ids[-1] == LAST


def test_the_unit_of_cutting_is_the_token(tokenizer: Tokenizer) -> None:
    """MiniSearch#2260 (case 139): 512 Chinese characters are 512 tokens here, 512 letters of one word are one."""
    assert pair(tokenizer, "good", "货" * 512).text_tokens_dropped == 512 - 12
    assert pair(tokenizer, "good", "w" * 512).text_tokens_dropped == 0


class CountingTokenizer:
    """A tokenizer that remembers what it was given."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.texts: list[str] = []
        self.opening, self.closing = tokenizer.opening, tokenizer.closing
        self._tokenizer = tokenizer

    def content_ids(self, texts: list[str]) -> list[list[int]]:
        self.texts += texts
        return self._tokenizer.content_ids(texts)


def test_a_product_is_tokenised_once_per_version(tokenizer: Tokenizer) -> None:
    counting = CountingTokenizer(tokenizer)
    builder = PairBuilder(counting, 16, 6, KeptTokens(10))  # type: ignore[arg-type]
    version = RankCandidate("a", "strong", revision=1)
    first = builder.build("good", [version])
    assert builder.build("bad", [version]) != first
    assert builder.build("good", [version]) == first
    assert counting.texts == ["good", "strong", "bad", "good"]
    builder.build("good", [RankCandidate("a", "good strong", revision=2)])
    builder.build("good", [RankCandidate("b", "free", revision=0)])
    builder.build("good", [RankCandidate("b", "free", revision=0)])
    assert counting.texts.count("good strong") == 1
    assert counting.texts.count("free") == 2
