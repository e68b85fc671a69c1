"""Whether a trimmed vocabulary still writes the languages that a bundle declares."""

import json
import random
from collections.abc import Iterable, Mapping, Sequence

from tokenizers import Tokenizer

from training import shop_lexicon
from training.errors import TrainingError
from training.vocabulary import has_han
from vitrine.text import normalize_text

_MADE_TITLES = 200
_MOST_LOST = 0.01  # share of pieces that may become unknown
_MOST_GROWN = 1.5  # times as many pieces: words that are spelled out letter by letter are lost too
_UNWRITTEN = 0.05  # of a language that a tokenizer does not write
_SPACES = frozenset("ĠĊĉ")  # byte-level's names of white space


def made_titles(language: str) -> list[str]:
    """Titles of made products in "zh" or "en", normalised; none for another language."""
    if language not in ("zh", "en"):
        return []
    rng = random.Random(0)
    products = [shop_lexicon.make_product(rng) for _ in range(_MADE_TITLES)]
    return [normalize_text(shop_lexicon.title(product, language, rng)) for product in products]


def unknown_share(tokenizer: Tokenizer, texts: Sequence[str]) -> float:
    """Share of pieces that stand for no character of the text: the unknown piece, and lone bytes of a character."""
    document = json.loads(tokenizer.to_str())
    byte_level = "ByteLevel" in json.dumps([document["pre_tokenizer"], document["decoder"]])
    unknown = _unknown_piece(document["model"])
    pieces = [
        piece for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False) for piece in encoding.tokens
    ]
    lost = sum(piece == unknown or piece.startswith("<0x") or (byte_level and _lone_byte(piece)) for piece in pieces)
    return lost / max(1, len(pieces))


def _pieces(tokenizer: Tokenizer, texts: Sequence[str]) -> int:
    return sum(len(encoding) for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False))


def written_languages(tokenizer: Tokenizer) -> list[str]:
    """Those of Chinese and English that the tokenizer writes."""
    return [one for one in ("zh", "en") if unknown_share(tokenizer, made_titles(one)) < _UNWRITTEN]


def check_kept_languages(
    before: Tokenizer, after: Tokenizer, languages: Iterable[str], texts: Mapping[str, Sequence[str]]
) -> None:
    """Raise TrainingError when a declared language's pieces became unknown or far more, or no text can tell.

    `texts`: normalised, by language, for others than Chinese and English, or beside the made titles.
    """
    for language in languages:
        known = [*made_titles(language), *texts.get(language, ())]
        if not known:
            raise TrainingError(
                f"the bundle declares the language {language!r}, and there is no text to check that the vocabulary "
                f"keeps it; give --language-texts {language}=FILE"
            )
        was, now = unknown_share(before, known), unknown_share(after, known)
        grown = _pieces(after, known) / max(1, _pieces(before, known))
        if now > was + _MOST_LOST or grown > _MOST_GROWN:
            raise TrainingError(
                f"the trimmed vocabulary loses the language {language!r}: {now:.1%} of its pieces are unknown "
                f"({was:.1%} before) and its texts take {grown:.2f} times as many pieces; "
                "add texts of that language to --vocabulary-texts"
            )


def _unknown_piece(model: dict[str, object]) -> object:
    if model["type"] == "Unigram":
        vocab: list[list[object]] = model["vocab"]  # type: ignore[assignment]
        return vocab[int(str(model["unk_id"]))][0]
    return model.get("unk_token")


def _lone_byte(piece: str) -> bool:
    return len(piece) == 1 and not piece.isascii() and not has_han(piece) and piece not in _SPACES
