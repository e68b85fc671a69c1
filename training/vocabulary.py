"""Trims a tokenizer.json to the pieces that a shop's texts need: unigram (e5, XLM-R), WordPiece (BERT) or BPE (GPT).

Method: vocabulary trimming (Abdaoui et al., "Load What You Need", 2020). Kept are every piece with a Han character,
every piece that the sample texts use, every single character, and every piece the caller adds; scores stay as they are.
Texts that use only kept pieces are cut as before.
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
    """Trim the unigram tokenizer in `tokenizer_path` to what `texts` (already normalised) use, closed for pairs.

    `also`: pieces to keep whether or not a text uses them. Raises TrainingError when the result can't write Chinese or
    English.
    """
    document = _read(tokenizer_path)
    used = _used_pieces(Tokenizer.from_file(str(tokenizer_path)), texts) | set(also) | {*SPECIALS, MASK}
    pieces, source_ids = _keep(document, used)
    check_languages(pieces)
    document["post_processor"] = _pair_template(pieces.index("<s>"), pieces.index("</s>"))
    return Trimmed(json.dumps(document, ensure_ascii=False), pieces, source_ids)


def trim_any(tokenizer: Tokenizer, texts: Iterable[str]) -> Trimmed:
    """Trim a tokenizer of any of the three kinds to what `texts` (already normalised) use; its specials stay.

    Raises TrainingError for another kind of tokenizer.
    """
    document: dict[str, Any] = json.loads(tokenizer.to_str())
    specials = {token["content"] for token in document["added_tokens"]}
    pieces, source_ids = _keep(document, _used_pieces(tokenizer, texts) | specials)
    _renumber_specials(document["post_processor"], {piece: number for number, piece in enumerate(pieces)})
    return Trimmed(json.dumps(document, ensure_ascii=False), pieces, source_ids)


def _keep(document: dict[str, Any], used: set[str]) -> tuple[list[str], list[int]]:
    """Cut a tokenizer's document down to the kept pieces; the pieces in id order and their ids before."""
    model = document["model"]
    if model["type"] == "Unigram":
        unknown = model["vocab"][model["unk_id"]][0]
        source_ids = [at for at, (piece, _) in enumerate(model["vocab"]) if piece == unknown or _kept(piece, used)]
        model["vocab"] = [model["vocab"][at] for at in source_ids]
        pieces = [piece for piece, _ in model["vocab"]]
        model["unk_id"] = pieces.index(unknown)
    elif model["type"] in ("WordPiece", "BPE"):
        used = _with_parts(model, used) if model["type"] == "BPE" else used
        used.add(model.get("unk_token") or "")
        before = sorted(model["vocab"].items(), key=lambda entry: entry[1])
        kept = [
            (piece, at)
            for piece, at in before
            if piece in used or has_han(piece) or len(piece.removeprefix("##")) == 1 or piece.startswith("<0x")
        ]
        pieces, source_ids = [piece for piece, _ in kept], [at for _, at in kept]
        model["vocab"] = {piece: number for number, piece in enumerate(pieces)}
    else:
        raise TrainingError(f"a tokenizer of type {model['type']} can't be trimmed; Unigram, WordPiece and BPE can")
    # Added tokens that the model's own vocabulary lacks follow after it.
    known = {piece: number for number, piece in enumerate(pieces)}
    for token in sorted(document["added_tokens"], key=lambda token: int(token["id"])):
        if token["content"] not in known:
            known[token["content"]] = len(pieces)
            pieces.append(token["content"])
            source_ids.append(token["id"])
        token["id"] = known[token["content"]]
    document["truncation"] = document["padding"] = None
    return pieces, source_ids


def _renumber_specials(processor: dict[str, Any] | None, ids: dict[str, int]) -> None:
    """Give the special tokens that a post-processor adds their new ids."""
    if processor is None:
        return
    for inner in processor.get("processors", ()):
        _renumber_specials(inner, ids)
    for special in processor.get("special_tokens", {}).values():
        special["ids"] = [ids[piece] for piece in special["tokens"]]
    for name in ("sep", "cls"):  # BertProcessing and RobertaProcessing: [piece, id]
        if name in processor:
            processor[name][1] = ids[processor[name][0]]


def _with_parts(model: dict[str, Any], used: set[str]) -> set[str]:
    """The used pieces and all that they are merged from; merges that make none of them go."""
    made_from: dict[str, list[tuple[str, str]]] = {}
    merges = [tuple(merge.split(" ", 1)) if isinstance(merge, str) else tuple(merge) for merge in model["merges"]]
    for left, right in merges:
        made_from.setdefault(left + right, []).append((left, right))
    kept: set[str] = set()
    waiting = [piece for piece in model["vocab"] if piece in used or (len(piece) > 1 and has_han(piece))]
    while waiting:
        piece = waiting.pop()
        if piece not in kept:
            kept.add(piece)
            waiting += [part for pair in made_from.get(piece, ()) for part in pair]
    model["merges"] = [list(pair) for pair in merges if "".join(pair) in kept]
    return kept


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
    if piece in used or has_han(piece):
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
