"""Puts one encoder's body under another's vocabulary: shared tokens' word rows are copied, the others rotated.

Method: orthogonal Procrustes (Schönemann 1966) between the two word-embedding spaces, fitted on the tokens both share,
as in cross-lingual embedding mapping (Artetxe et al. 2016). A rotation keeps every angle among the source's rows, so
what the source knew about its other languages arrives whole.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from training.e5_weights import Floats
from training.vocabulary import WORD_START

_SPECIAL_ROWS = {"<s>": "[CLS]", "</s>": "[SEP]", "<pad>": "[PAD]", "<unk>": "[UNK]", "<mask>": "[MASK]"}


def shared_token(piece: str, target_vocab: Mapping[str, int]) -> int | None:
    """The WordPiece row that stands for the same text as a SentencePiece piece, or None.

    SentencePiece marks a word's start, WordPiece a word's continuation; punctuation is always a word of its own in
    BERT.
    """
    if piece in _SPECIAL_ROWS:
        return target_vocab.get(_SPECIAL_ROWS[piece])
    if piece.startswith(WORD_START):
        return target_vocab.get(piece.removeprefix(WORD_START))
    if any(character.isalnum() for character in piece) and not _is_han(piece):
        return target_vocab.get("##" + piece)
    return target_vocab.get(piece)


def _is_han(piece: str) -> bool:
    return len(piece) == 1 and "\u4e00" <= piece <= "\u9fff"


def fit_rotation(source: Floats, target: Floats) -> Floats:
    """The orthogonal (d, d) matrix R that minimises ||source @ R - target||; both (n, d) float32."""
    left, _, right = np.linalg.svd(source.astype(np.float64).T @ target.astype(np.float64))
    rotation: Floats = (left @ right).astype(np.float32)
    return rotation


def transplant_words(
    pieces: Sequence[str], source_rows: Floats, target_rows: Floats, target_vocab: Mapping[str, int]
) -> tuple[Floats, int]:
    """Word rows for `pieces` in the target's space, and how many were the target's own.

    `source_rows` (pieces, d) are the source model's rows for these pieces; `target_rows` (v, d) the target's whole
    table. Both spaces are centred and scaled to one mean row length around the shared tokens before the rotation is
    fitted.
    """
    shared = [
        (row, target) for row, piece in enumerate(pieces) if (target := shared_token(piece, target_vocab)) is not None
    ]
    words = [(row, target) for row, target in shared if any(character.isalpha() for character in pieces[row])]
    fit_source = source_rows[[row for row, _ in words]]
    fit_target = target_rows[[target for _, target in words]]
    source_mean, target_mean = fit_source.mean(axis=0), fit_target.mean(axis=0)
    rotation = fit_rotation(fit_source - source_mean, fit_target - target_mean)
    scale = _mean_length(fit_target - target_mean) / _mean_length(fit_source - source_mean)
    rows = (source_rows - source_mean) @ rotation * scale + target_mean
    for row, target in shared:
        rows[row] = target_rows[target]
    return rows.astype(np.float32), len(shared)


def _mean_length(rows: Floats) -> float:
    return float(np.linalg.norm(rows, axis=1).mean())
