"""Trimming keeps what both languages need."""

import json
from pathlib import Path

import pytest

from tests.training.tiny import tokenizer_document, write_tokenizer
from training.errors import TrainingError
from training.vocabulary import check_languages, trim


def test_trim_keeps_used_and_han_pieces_and_segments_alike(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    path = write_tokenizer(tmp_path)
    trimmed = trim(path, ["red phone", "手机"], also=["▁case"])
    assert {"▁red", "▁phone", "▁case", "手机", "红色", "<mask>"} <= set(trimmed.pieces)
    assert not {"▁unused", "▁слово"} & set(trimmed.pieces)
    before, after = Tokenizer.from_file(str(path)), trimmed.tokenizer()
    for text in ("red phone", "红色手机", "blue 手机 case7"):
        kept = after.encode(text)
        assert [trimmed.source_ids[i] for i in kept.ids[1:-1]] == before.encode(text).ids or "blue" in text
        assert kept.tokens[0] == "<s>"
        assert kept.tokens[-1] == "</s>"


def test_pair_template_marks_the_product(tmp_path: Path) -> None:
    encoding = trim(write_tokenizer(tmp_path), ["red"]).tokenizer().encode("red", "手机")
    assert encoding.tokens.count("</s>") == 2
    assert encoding.type_ids == [0] * 3 + [1] * (len(encoding.ids) - 3)


@pytest.mark.parametrize(("lost", "language"), [("女", "Chinese"), ("q", "English")])
def test_a_lost_language_is_named(tmp_path: Path, lost: str, language: str) -> None:
    document = tokenizer_document()
    document["model"]["vocab"] = [p for p in document["model"]["vocab"] if p[0] != lost]  # type: ignore[index]
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(TrainingError, match=f"lost {language}"):
        trim(path, ["red"])
    check_languages("abcdefghijklmnopqrstuvwxyz0123456789的女男机手大小色")


def test_another_kind_of_tokenizer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text('{"model": {"type": "BPE"}}', encoding="utf-8")
    with pytest.raises(TrainingError, match="not a unigram tokenizer"):
        trim(path, [])
