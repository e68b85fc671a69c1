"""Continued masked-language-model pre-training on a shop's own text, with language-aware whole-word masking.

Method: BERT's masking (Devlin et al. 2019) on whole words (Cui et al. 2021 for Chinese): words come from a segmenter
where Han characters are, from spaces elsewhere; all pieces of a chosen word are masked together. Output weights are
tied.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import rjieba
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertModel

from training.encoder import additive_mask, pad_batch
from training.errors import TrainingError
from training.optimisation import Schedule, length_batches, optimise
from training.run_folder import RunFolder
from training.vocabulary import MASK
from vitrine.text import normalize_text

_MARKUP = re.compile(r"<[^>]+>|https?://\S+|&[a-z]+;")
_MIN_CHARACTERS = 4


@dataclass(frozen=True)
class PretrainingSettings:
    """What decides the result, beside the texts and the base."""

    seed: int = 5
    epochs: int = 1
    rate: float = 1e-4
    batch_tokens: int = 1_024
    max_tokens: int = 64
    masked: float = 0.15  # share of words


@dataclass(frozen=True)
class MaskedRow:
    """Token ids with masks in, the places masked, and the ids that were there."""

    ids: list[int]
    places: list[int]
    goals: list[int]


def clean_texts(texts: Iterable[str]) -> list[str]:
    """Normalised texts without markup and links, none too short; each once, where digits make no difference."""
    kept: dict[str, str] = {}
    for text in texts:
        cleaned = normalize_text(_MARKUP.sub(" ", text))
        if len(cleaned) >= _MIN_CHARACTERS:
            kept.setdefault(re.sub(r"\d+", "0", cleaned), cleaned)
    return list(kept.values())


class MaskedLanguageModel(nn.Module):
    """BERT body with BERT's prediction head, whose output weights are the word embeddings."""

    def __init__(self, bert: BertModel) -> None:
        super().__init__()
        self.bert = bert
        hidden: int = bert.config.hidden_size
        self.transform = nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.LayerNorm(hidden))
        self.bias = nn.Parameter(torch.zeros(bert.config.vocab_size))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, rows: Tensor, places: Tensor) -> Tensor:
        """Logits (masked tokens, vocabulary) at the places `rows`, `places` only."""
        states = self.bert(input_ids=input_ids, attention_mask=additive_mask(attention_mask)).last_hidden_state
        chosen = self.transform(states[rows, places])
        logits: Tensor = chosen @ self.bert.embeddings.word_embeddings.weight.T + self.bias
        return logits


def mask_words(tokenizer: Tokenizer, text: str, max_tokens: int, share: float, generator: torch.Generator) -> MaskedRow:
    """Mask about `share` of the words, at least one: 80 % by the mask, 10 % by a random piece, 10 % left alone."""
    encoding = tokenizer.encode(text)
    ids = list(encoding.ids[:max_tokens])
    words = _words_of_tokens(text, encoding.offsets[: len(ids)])
    chosen = torch.rand(len(words), generator=generator) < share
    if words and not chosen.any():
        chosen[int(torch.randint(len(words), (1,), generator=generator))] = True
    places = sorted(place for word, picked in zip(words, chosen.tolist(), strict=True) if picked for place in word)
    goals = [ids[place] for place in places]
    mask_id = tokenizer.token_to_id(MASK)
    if mask_id is None:
        raise TrainingError(f"the tokenizer has no {MASK} piece; pre-training needs one")
    for place in places:
        draw = float(torch.rand(1, generator=generator))
        if draw < 0.8:
            ids[place] = mask_id
        elif draw < 0.9:
            ids[place] = int(torch.randint(4, tokenizer.get_vocab_size(), (1,), generator=generator))
    return MaskedRow(ids, places, goals)


def _words_of_tokens(text: str, offsets: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Token places grouped by the word that their first character belongs to; specials and spaces belong to none."""
    owner: list[int] = []
    for number, word in enumerate(rjieba.cut(text)):
        owner += [-1 if word.isspace() else number] * len(word)
    words: dict[int, list[int]] = {}
    for place, (start, end) in enumerate(offsets):
        inside = [owner[at] for at in range(start, min(end, len(owner))) if owner[at] >= 0]
        if inside:
            words.setdefault(inside[0], []).append(place)
    return list(words.values())


def pretrain(
    model: MaskedLanguageModel,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    settings: PretrainingSettings,
    run: RunFolder,
    pad_id: int,
) -> None:
    """Train the model in place. Raises TrainingError when no text is left after cleaning."""
    cleaned = clean_texts(texts)
    if not cleaned:
        raise TrainingError("pretrain: no text is left after cleaning; give titles, descriptions or reviews")
    generator = torch.Generator().manual_seed(settings.seed)
    rows = [
        mask_words(tokenizer, text, settings.max_tokens, settings.masked, generator)
        for _ in range(settings.epochs)
        for text in cleaned
    ]
    batches = length_batches([len(row.ids) for row in rows], settings.batch_tokens, generator)

    def loss_of(batch: list[int]) -> Tensor:
        chosen = [rows[index] for index in batch]
        at = torch.tensor([number for number, row in enumerate(chosen) for _ in row.places])
        places = torch.tensor([place for row in chosen for place in row.places])
        goals = torch.tensor([goal for row in chosen for goal in row.goals])
        return nn.functional.cross_entropy(model(*pad_batch([row.ids for row in chosen], pad_id), at, places), goals)

    optimise("pretrain", model, batches, loss_of, Schedule(settings.rate), run)
