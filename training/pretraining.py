"""Continued pre-training on a shop's own text, with language-aware whole-word masking, for every backbone family.

Encoders that see both ways learn to fill in masked words: BERT's masking (Devlin et al. 2019) on whole words (Cui et
al. 2021 for Chinese), all pieces of a chosen word together. GPT-style ones, which see only backwards, learn the next
token. The prediction head is new and its output weights are the word embeddings: it is warmed up alone first, so that
its first gradients do not spoil the body and the loss before is one that the body itself has.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import PreTrainedModel

from training.bases import Base, make_base
from training.encoder import pad_batch
from training.errors import TrainingError
from training.optimisation import Precision, Schedule, length_batches, optimise
from training.run_folder import RunFolder
from training.shop_text import cleaned_texts
from training.token_corpus import TokenCorpus, write_corpus

_MASK_PIECES = ("[MASK]", "<mask>", "<extra_id_0>")
_HELD_OUT_ROWS = 2_000  # at most
_MIN_ROWS = 20
_HEAD_RATE = 1e-3


@dataclass(frozen=True)
class PretrainingSettings:
    """What decides the result, beside the texts and the base."""

    seed: int = 5
    epochs: int = 1
    rate: float = 5e-5
    weight_decay: float = 0.01
    batch_tokens: int = 1_024
    max_tokens: int = 64
    masked: float = 0.15  # share of words
    held_out: float = 0.05  # share of rows, for the loss before and after
    head_batches: int = 100  # that warm the head up
    max_batches: int = 0  # at most so many are learned from; 0: all
    train_words: bool = True  # whether the word embeddings learn as well
    accumulate: int = 1
    precision: Precision = "no"


@dataclass(frozen=True)
class Pretrained:
    """The base as it became, the held-out loss before and after (nats per token), and how much text there was."""

    base: Base
    loss_before: float
    loss_after: float
    counts: dict[str, int]


@dataclass(frozen=True)
class MaskedRow:
    """Token ids with masks in, the places whose states predict, and the ids that they are to predict."""

    ids: list[int]
    places: list[int]
    goals: list[int]


class LanguageModel(nn.Module):
    """An encoder with a prediction head whose output weights are its word embeddings."""

    def __init__(self, body: PreTrainedModel) -> None:
        super().__init__()
        self.body = body
        hidden: int = body.config.hidden_size
        norm = nn.LayerNorm(hidden)
        self.transform = nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), norm)
        self.bias = nn.Parameter(torch.zeros(self._words().shape[0]))
        # First logits of about unit size, whatever the scale of the family's word embeddings.
        nn.init.constant_(norm.weight, 1.0 / float(self._words().detach().norm(dim=1).mean().clamp(min=1e-6)))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, rows: Tensor, places: Tensor) -> Tensor:
        """Logits (predictions, vocabulary) from the states at `rows`, `places` only."""
        device = self.body.device
        inputs = {"input_ids": input_ids.to(device), "attention_mask": attention_mask.to(device)}
        states = self.body(**inputs).last_hidden_state
        logits: Tensor = self.transform(states[rows.to(device), places.to(device)]) @ self._words().T + self.bias
        return logits

    def _words(self) -> Tensor:
        words: Tensor = self.body.get_input_embeddings().weight  # type: ignore[assignment]
        return words


class Masking:
    """Turns rows of a corpus into rows to predict; the same generator gives the same masks."""

    def __init__(self, tokenizer: Tokenizer, causal: bool, share: float) -> None:
        self._causal, self._share = causal, share
        found = [token for piece in _MASK_PIECES if (token := tokenizer.token_to_id(piece)) is not None]
        if not found and not causal:
            raise TrainingError(
                f"the tokenizer has none of the pieces {', '.join(_MASK_PIECES)}; pre-training needs one"
            )
        self._mask = found[0] if found else -1
        special = set(tokenizer.get_added_tokens_decoder())
        self._pieces = [token for token in range(tokenizer.get_vocab_size()) if token not in special]

    def row(self, ids: Sequence[int], words: Sequence[int], rng: random.Random) -> MaskedRow:
        """Mask about `share` of the words, at least one: 80 % by the mask, 10 % by a random piece, 10 % left alone."""
        if self._causal:
            return MaskedRow(list(ids), list(range(len(ids) - 1)), list(ids[1:]))
        numbers = sorted(set(words) - {-1})
        chosen = {number for number in numbers if rng.random() < self._share} or set(
            rng.sample(numbers, min(1, len(numbers)))
        )
        places = [place for place, word in enumerate(words) if word in chosen]
        masked = list(ids)
        for place in places:
            draw = rng.random()
            if draw < 0.8:
                masked[place] = self._mask
            elif draw < 0.9:
                masked[place] = rng.choice(self._pieces)
        return MaskedRow(masked, places, [ids[place] for place in places])


class MaskedBatches(Sequence[list[MaskedRow]]):
    """Batches of masked rows, read from the corpus and masked when they are asked for."""

    def __init__(self, corpus: TokenCorpus, numbers: Sequence[Sequence[int]], masking: Masking, seed: str) -> None:
        self._corpus, self._numbers, self._masking, self._seed = corpus, numbers, masking, seed

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, at: int) -> list[MaskedRow]:  # type: ignore[override]
        rng = random.Random(f"{self._seed} {at}")
        return [self._masking.row(*self._corpus.row(number), rng) for number in self._numbers[at]]


def pretrain(base: Base, texts: Iterable[str], settings: PretrainingSettings, run: RunFolder) -> Pretrained:
    """Train the base's model in place on the texts, read once and cleaned. Resumes what `run` holds.

    Raises TrainingError when too little text is left after cleaning, or the loss is not a number.
    """
    masking = Masking(base.tokenizer, base.pooling == "last", settings.masked)
    folder = run.path / "texts"
    run.once(
        folder / "counts.json",
        lambda: run.log(
            step="texts", **write_corpus(folder, cleaned_texts(texts), base.tokenizer, settings.max_tokens)
        ),
    )
    corpus = TokenCorpus(folder)
    counts: dict[str, int] = run.json("texts/counts", dict)
    if len(corpus) < _MIN_ROWS:
        raise TrainingError(
            f"pretrain: {len(corpus)} texts are left after cleaning, at least {_MIN_ROWS} are needed; "
            "give titles, descriptions or reviews"
        )
    held, warm, learned = _batches(corpus, masking, settings)
    torch.manual_seed(settings.seed)
    model = LanguageModel(base.model)
    for values in model.body.parameters():
        values.requires_grad_(False)
    schedule = Schedule(
        settings.rate,
        weight_decay=settings.weight_decay,
        accumulate=settings.accumulate,
        precision=settings.precision,
    )
    optimise(
        "head",
        model,
        warm,
        lambda batch: _loss(model, batch, base.pad_id),
        replace(schedule, learning_rate=_HEAD_RATE),
        run,
    )
    before = run.json("loss-before", lambda: held_out_loss(model, held, base.pad_id))
    for values in model.body.parameters():
        values.requires_grad_(True)
    base.model.get_input_embeddings().weight.requires_grad_(settings.train_words)
    optimise("pretrain", model, learned, lambda batch: _loss(model, batch, base.pad_id), schedule, run)
    after = run.json("loss-after", lambda: held_out_loss(model, held, base.pad_id))
    run.log(step="held-out", loss_before=before, loss_after=after)
    model.requires_grad_(True).eval()
    steps = [*base.lineage.get("steps", []), "pretrain on the shop's text"]
    lineage = {**base.lineage, "steps": steps, "pretrain": {**asdict(settings), **counts}}
    trained = make_base(
        base.model,
        base.tokenizer,
        source=base.source,
        prompts=base.prompts,
        pooling=base.pooling,
        lineage=lineage,
    )
    return Pretrained(trained, before, after, counts)


def _batches(
    corpus: TokenCorpus, masking: Masking, settings: PretrainingSettings
) -> tuple[MaskedBatches, MaskedBatches, MaskedBatches]:
    """Batches to measure on, to warm the head up, and to learn from; the first share no row with the others."""
    lengths = corpus.lengths()
    order = random.Random(settings.seed).sample(range(len(lengths)), len(lengths))
    aside = max(1, min(_HELD_OUT_ROWS, int(len(order) * settings.held_out)))
    generator = torch.Generator().manual_seed(settings.seed)

    def numbers(rows: Sequence[int]) -> list[list[int]]:
        found = length_batches([lengths[row] for row in rows], settings.batch_tokens, generator)
        return [[rows[at] for at in batch] for batch in found]

    held, warm = numbers(order[:aside]), numbers(order[aside:])[: settings.head_batches]
    learned = [batch for _ in range(settings.epochs) for batch in numbers(order[aside:])]
    learned = learned[: settings.max_batches or None]
    parts = (("held-out", held), ("head", warm), ("learn", learned))
    one, other, last = (MaskedBatches(corpus, part, masking, f"{settings.seed} {name}") for name, part in parts)
    return one, other, last


def _loss(model: LanguageModel, batch: Sequence[MaskedRow], pad_id: int) -> Tensor:
    """Mean cross-entropy of the predictions, in nats."""
    rows = torch.tensor([number for number, row in enumerate(batch) for _ in row.places])
    places = torch.tensor([place for row in batch for place in row.places])
    logits = model(*pad_batch([row.ids for row in batch], pad_id), rows, places)
    goals = torch.tensor([goal for row in batch for goal in row.goals], device=logits.device)
    return nn.functional.cross_entropy(logits.float(), goals)


@torch.inference_mode()
def held_out_loss(model: LanguageModel, batches: MaskedBatches, pad_id: int) -> float:
    """Mean loss per prediction over the batches, whose masks are always the same."""
    model.eval()
    total, count = 0.0, 0
    for batch in batches:
        predicted = sum(len(row.places) for row in batch)
        total += float(_loss(model, batch, pad_id)) * predicted
        count += predicted
    return total / count
