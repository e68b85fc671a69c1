"""Token rows on disk: words kept whole, long texts in parts, damage named."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from tests.training.tiny import write_tokenizer
from training.errors import TrainingError
from training.token_corpus import TokenCorpus, words_of_tokens, write_corpus
from training.vocabulary import trim


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return trim(write_tokenizer(tmp_path), ["red blue phone case 手机 红色"]).tokenizer()


def test_rows_hold_the_texts_tokens_and_their_words(tmp_path: Path, tokenizer: Tokenizer) -> None:
    counts = write_corpus(tmp_path / "c", ["red qwe", "红色手机"], tokenizer, 16)
    corpus = TokenCorpus(tmp_path / "c")
    assert (counts["texts"], counts["rows"], len(corpus)) == (2, 2, 2)
    ids, words = corpus.row(0)
    assert ids == tokenizer.encode("red qwe").ids
    assert words[0] == words[-1] == -1
    assert len(set(words)) == 3  # none, red, qwe
    assert sorted(corpus.lengths()) == sorted(len(tokenizer.encode(text).ids) for text in ("red qwe", "红色手机"))


def test_a_long_text_is_cut_between_words(tmp_path: Path, tokenizer: Tokenizer) -> None:
    text = "qwerty asdfgh zxcvbn poiuyt"
    write_corpus(tmp_path / "c", [text], tokenizer, 12)
    corpus = TokenCorpus(tmp_path / "c")
    rows = [corpus.row(number) for number in range(len(corpus))]
    assert len(rows) > 1
    assert all(len(ids) <= 12 for ids, _ in rows)
    assert [token for ids, _ in rows for token in ids[1:-1]] == tokenizer.encode(text, add_special_tokens=False).ids
    held = [set(words) - {-1} for _, words in rows]
    assert not set.intersection(held[0], held[1])


def test_a_word_longer_than_a_row_is_cut_all_the_same(tmp_path: Path, tokenizer: Tokenizer) -> None:
    write_corpus(tmp_path / "c", ["qwertyuiopasdfghjkl"], tokenizer, 8)
    assert max(TokenCorpus(tmp_path / "c").lengths()) == 8


def test_words_come_from_the_segmenter_where_nothing_is_spaced() -> None:
    text = "红色手机 case"
    words = words_of_tokens(text, [(0, 1), (1, 2), (2, 4), (4, 5), (5, 9)])
    assert words[0] == words[1] != words[2]
    assert words[3] == -1
    assert words[4] not in words[:4]


def test_a_corpus_cut_short_is_named(tmp_path: Path, tokenizer: Tokenizer) -> None:
    write_corpus(tmp_path / "c", ["red phone", "blue case"], tokenizer, 16)
    path = tmp_path / "c" / "tokens.bin"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(TrainingError, match="cut short or damaged"):
        TokenCorpus(tmp_path / "c")
