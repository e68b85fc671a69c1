"""Trims a SentencePiece-unigram tokenizer.json to the pieces that Chinese and English shops need.

Method: vocabulary trimming (Abdaoui et al., "Load What You Need", 2020). Kept are every piece with a Han character,
every piece that the sample texts use, every single character, and every piece the caller adds; scores stay as they are.
"""

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from training.errors import TrainingError

WORD_START = "▁"
SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
MASK = "<mask>"
_ENCODE_CHUNK = 4096  # texts per call to the tokenizer


@dataclass(frozen=True)
class Trimmed:
    """A smaller tokenizer: its JSON, its pieces in id order, and each piece's row in the tokenizer it came from."""

    tokenizer_json: str
    pieces: list[str]
    source_ids: list[int]

    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_str(self.tokenizer_json)


def trim(tokenizer_path: Path, texts: Iterable[str], also: Iterable[str] = ()) -> Trimmed:
    """Trim the tokenizer in `tokenizer_path` to what `texts` (already normalised) use.

    `also`: pieces to keep whether or not a text uses them. Raises TrainingError when the result can't write Chinese or
    English.
    """
    document = _read(tokenizer_path)
    vocab: list[list[Any]] = document["model"]["vocab"]
    used = _used_pieces(Tokenizer.from_file(str(tokenizer_path)), texts) | set(also)
    keep = [index for index, (piece, _) in enumerate(vocab) if _kept(piece, used)]
    pieces = [vocab[index][0] for index in keep]
    check_languages(pieces)
    document["model"]["vocab"] = [vocab[index] for index in keep]
    document["model"]["unk_id"] = pieces.index("<unk>")
    ids = {piece: new for new, piece in enumerate(pieces)}
    for token in document["added_tokens"]:
        token["id"] = ids[token["content"]]
    document["truncation"] = document["padding"] = None
    document["post_processor"] = _pair_template(ids["<s>"], ids["</s>"])
    return Trimmed(json.dumps(document, ensure_ascii=False), pieces, keep)


def has_han(piece: str) -> bool:
    """Whether the piece holds a Han character (CJK unified ideographs, with extensions and compatibility forms)."""
    return any(
        "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" or character >= "\U00020000"
        for character in piece
    )


def check_languages(pieces: Iterable[str]) -> None:
    """Raise TrainingError when the pieces have lost Chinese (common Han characters) or English (letters, digits)."""
    known = set(pieces)
    for language, needed in (("Chinese", "的女男机手大小色"), ("English", "abcdefghijklmnopqrstuvwxyz0123456789")):
        missing = [character for character in needed if character not in known and WORD_START + character not in known]
        if missing:
            raise TrainingError(f"trimmed vocabulary has lost {language}: no piece for {''.join(missing)!r}")


def _read(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"cannot read tokenizer: {path}: {error}") from error
    if document.get("model", {}).get("type") != "Unigram":
        raise TrainingError(f"not a unigram tokenizer: {path}")
    return document


def _used_pieces(tokenizer: Tokenizer, texts: Iterable[str]) -> set[str]:
    used: set[str] = set()
    chunk: list[str] = []
    for text in texts:
        chunk.append(text)
        if len(chunk) == _ENCODE_CHUNK:
            used.update(piece for encoding in tokenizer.encode_batch(chunk) for piece in encoding.tokens)
            chunk.clear()
    used.update(piece for encoding in tokenizer.encode_batch(chunk) for piece in encoding.tokens)
    return used


def _kept(piece: str, used: set[str]) -> bool:
    if piece in SPECIALS or piece == MASK or piece in used or has_han(piece):
        return True
    bare = piece.removeprefix(WORD_START)
    return len(bare) <= 1 and unicodedata.name(bare or " ", "").startswith(("LATIN", "DIGIT", "SPACE"))


def _pair_template(start: int, end: int) -> dict[str, Any]:
    """`<s> text </s>` and, for the ranker, `<s> query </s> document </s>` with types 0 and 1."""

    def special(name: str, type_id: int) -> dict[str, Any]:
        return {"SpecialToken": {"id": name, "type_id": type_id}}

    def sequence(name: str, type_id: int) -> dict[str, Any]:
        return {"Sequence": {"id": name, "type_id": type_id}}

    single = [special("<s>", 0), sequence("A", 0), special("</s>", 0)]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, sequence("B", 1), special("</s>", 1)],
        "special_tokens": {
            "<s>": {"id": "<s>", "ids": [start], "tokens": ["<s>"]},
            "</s>": {"id": "</s>", "ids": [end], "tokens": ["</s>"]},
        },
    }
