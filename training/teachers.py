"""Teacher vectors: MiniLM's (strong in English) mixed with e5's (strong in Chinese) rotated into MiniLM's space.

A rotation fitted on English texts that both models encoded (Procrustes) carries e5's Chinese vectors into the space
where MiniLM's English ones lie, so one student can learn both. Measured against least squares, the rotation kept more
order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from training.base_models import BaseFiles
from training.e5_weights import Floats, read_e5
from training.encoder import Encoder, build_bert, encode, tokenize
from training.minilm_weights import read_minilm
from training.transplant import fit_rotation
from training.vocabulary import has_han

_HEADS = 12  # both bases
_MAX_TOKENS = 64
_ENGLISH_CENTRING = 0.5  # Chinese gains from losing all of e5's mean, English only from losing half


@dataclass(frozen=True)
class ShopText:
    """One normalised text to learn from, as a query or as a product."""

    text: str
    is_query: bool


class BaseEncoder:
    """One base model with its own tokenizer and prompts: texts -> its vectors (n, 384) float32, L2-normalised."""

    def __init__(self, encoder: Encoder, tokenizer: Tokenizer, pad_id: int, prompts: tuple[str, str]) -> None:
        self._encoder = encoder.eval()
        self._tokenizer = tokenizer
        self._pad_id = pad_id
        self._prompts = prompts

    def vectors(self, texts: Sequence[ShopText]) -> Floats:
        prompted = [self._prompts[0 if text.is_query else 1] + text.text for text in texts]
        return encode(self._encoder, tokenize(self._tokenizer, prompted, _MAX_TOKENS), self._pad_id)


def load_e5(files: BaseFiles) -> BaseEncoder:
    """multilingual-e5-small with its "query: " and "passage: " prompts."""
    weights = read_e5(files.e5_weights)
    encoder = Encoder(build_bert(weights.tensors, weights.heads, pad_id=1, eps=weights.eps))
    return BaseEncoder(encoder, Tokenizer.from_file(str(files.e5_tokenizer)), 1, ("query: ", "passage: "))


def load_minilm(files: BaseFiles) -> BaseEncoder:
    """all-MiniLM-L6-v2, which has no prompts."""
    tokenizer = Tokenizer.from_file(str(files.minilm_tokenizer))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return BaseEncoder(Encoder(build_bert(read_minilm(files.minilm_weights), _HEADS, pad_id=0)), tokenizer, 0, ("", ""))


@dataclass(frozen=True)
class Mixture:
    """How e5's vectors join MiniLM's: centre per language, rotate, and weigh by how Chinese the text is."""

    rotation: Floats  # (d, d)
    english_mean: Floats  # (d,) of e5's English vectors
    chinese_mean: Floats  # (d,) of e5's Chinese vectors
    minilm_weight: float  # share of MiniLM in a text without Han characters; none where Han characters prevail

    def vectors(self, texts: Sequence[ShopText], e5: Floats, minilm: Floats) -> Floats:
        """Target vectors (n, d) float32, L2-normalised, from both bases' vectors of the texts."""
        chinese = np.array([han_share(text.text) for text in texts], dtype=np.float32)[:, None]
        mean = chinese * self.chinese_mean + (1 - chinese) * _ENGLISH_CENTRING * self.english_mean
        rotated = _unit((e5 - mean) @ self.rotation)
        weight = self.minilm_weight * (1 - chinese)
        return _unit(weight * minilm + (1 - weight) * rotated)


def fit_mixture(texts: Sequence[ShopText], e5: Floats, minilm: Floats, minilm_weight: float) -> Mixture:
    """Fit the means and the rotation on the texts themselves; the rotation sees only texts without Han characters."""
    chinese = np.array([han_share(text.text) for text in texts])
    english = chinese == 0
    english_mean = e5[english].mean(axis=0)
    chinese_mean = e5[chinese > 0.5].mean(axis=0) if (chinese > 0.5).any() else english_mean
    rotation = fit_rotation(_unit(e5[english] - english_mean), minilm[english])
    return Mixture(rotation, english_mean, chinese_mean, minilm_weight)


def han_share(text: str) -> float:
    """Share of Han characters among letters, in [0, 1]."""
    letters = [character for character in text if character.isalpha()]
    return sum(has_han(letter) for letter in letters) / len(letters) if letters else 0.0


def _unit(rows: Floats) -> Floats:
    unit: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit
