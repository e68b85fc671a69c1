"""Vocabularies of all three kinds are trimmed, and one that loses a language is refused."""

from collections.abc import Callable

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from training.errors import TrainingError
from training.vocabulary import trim_any
from training.vocabulary_check import check_kept_languages, made_titles, unknown_share, written_languages

_TEXTS = [*made_titles("zh"), *made_titles("en")]


def _word_piece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=900, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.train_from_iterator(_TEXTS, trainer)
    ends = [(piece, tokenizer.token_to_id(piece)) for piece in ("[SEP]", "[CLS]")]
    tokenizer.post_processor = processors.BertProcessing(*ends)
    return tokenizer


def _bytes() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=900, initial_alphabet=alphabet, special_tokens=["<s>", "</s>"])
    tokenizer.train_from_iterator(_TEXTS, trainer)
    ends = [(piece, tokenizer.token_to_id(piece)) for piece in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    return tokenizer


def _unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=900, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>")
    tokenizer.train_from_iterator(_TEXTS, trainer)
    template = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.post_processor = template
    return tokenizer


@pytest.mark.parametrize("make", [_word_piece, _bytes, _unigram])
def test_texts_of_kept_pieces_are_cut_as_before(make: Callable[[], Tokenizer]) -> None:
    tokenizer = make()
    texts = _TEXTS[::9]
    trimmed = trim_any(tokenizer, texts)
    after = trimmed.tokenizer()
    assert len(trimmed.pieces) < tokenizer.get_vocab_size()
    assert len(trimmed.pieces) == after.get_vocab_size()
    for text in texts:
        before = tokenizer.encode(text)
        assert after.encode(text).tokens == before.tokens
        assert [trimmed.source_ids[number] for number in after.encode(text).ids] == before.ids
    if make is not _unigram:
        assert trim_any(after, texts).pieces == trimmed.pieces


@pytest.mark.parametrize("make", [_word_piece, _bytes, _unigram])
def test_a_lost_language_is_refused(make: Callable[[], Tokenizer]) -> None:
    tokenizer = make()
    kept = trim_any(tokenizer, _TEXTS).tokenizer()
    check_kept_languages(tokenizer, kept, ["zh", "en"], {})
    lost = trim_any(tokenizer, ["a"]).tokenizer()
    with pytest.raises(TrainingError, match="loses the language 'en'"):
        check_kept_languages(tokenizer, lost, ["en"], {})
    with pytest.raises(TrainingError, match="no text to check"):
        check_kept_languages(tokenizer, kept, ["de"], {})
    check_kept_languages(tokenizer, kept, ["de"], {"de": [made_titles("en")[0]]})


def test_unknown_pieces_and_lone_bytes_count_as_unknown() -> None:
    word_piece, of_bytes = _word_piece(), _bytes()
    assert unknown_share(word_piece, made_titles("zh")) == 0.0
    assert unknown_share(word_piece, ["слово слово"]) == 1.0
    assert unknown_share(of_bytes, ["слово"]) > 0.9
    assert unknown_share(of_bytes, ["red shoes"]) == 0.0
    assert written_languages(word_piece) == ["zh", "en"]
    assert written_languages(trim_any(_bytes(), ["a"]).tokenizer()) == ["en"]


def test_other_tokenizers_are_refused() -> None:
    with pytest.raises(TrainingError, match="WordLevel can't be trimmed"):
        trim_any(Tokenizer(models.WordLevel({"a": 0}, unk_token="a")), ["a"])
