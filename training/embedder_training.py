"""The embedder's training steps: distil from both bases, contrast, average the weights of before and after.

Losses: cosine distance to the teachers' vectors; then InfoNCE, the full-softmax objective over in-batch products
(van den Oord et al. 2018), in both directions. Averaging two points of one training path: Wortsman et al. 2022.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.base_models import BaseFiles
from training.contrast_pairs import ContrastPair, catalogue_pairs, made_pairs
from training.contrastive_loss import BatchLayout, softmax_loss
from training.e5_weights import Floats
from training.encoder import Encoder, pad_batch, tokenize
from training.errors import TrainingError
from training.optimisation import Schedule, length_batches, optimise
from training.run_folder import RunFolder
from training.shop_files import read_icecat, read_litemall, read_vespa
from training.student import PAD_ID, Student
from training.teachers import ShopText, fit_mixture, han_share, load_e5, load_minilm

PROMPTS = {"query": "? ", "document": ""}
_TEACHER_SHARD = 8_192  # texts per resumable piece


@dataclass(frozen=True)
class EmbedderSettings:
    """What decides the result, beside the data and the bases."""

    seed: int = 17
    epochs: int = 1
    batch_tokens: int = 1_024
    max_tokens: int = 40
    distil_rate: float = 3e-4
    contrast_rate: float = 4e-5
    english_queries: int = 8_000  # what the second, Chinese round of distillation sees of English
    served_icecat: int = 12_000  # what the round on served texts sees: products, English queries, Chinese texts
    served_vespa: int = 4_000
    served_queries: int = 15_000
    served_chinese: int = 8_000
    served_tokens: int = 56
    pairs: int = 3_600
    pair_batch: int = 48
    temperature: float = 0.05
    minilm_weight: float = 0.6  # MiniLM's share of the target in English texts
    after_share: float = 0.5  # weight of the contrastive step's end in the final average


def teacher_targets(bases: BaseFiles, texts: Sequence[ShopText], settings: EmbedderSettings, run: RunFolder) -> Floats:
    """Target vectors (n, d) of the texts, from both bases, in resumable shards."""
    e5, minilm = [], []
    loaded: list[Any] = []
    for start in range(0, len(texts), _TEACHER_SHARD):
        shard = texts[start : start + _TEACHER_SHARD]

        def make(shard: Sequence[ShopText] = shard) -> dict[str, Floats]:
            if not loaded:
                loaded.extend((load_e5(bases), load_minilm(bases)))
            return {"e5": loaded[0].vectors(shard), "minilm": loaded[1].vectors(shard)}

        vectors = run.arrays(f"teachers-{start // _TEACHER_SHARD:03}", make)
        e5.append(vectors["e5"].astype(np.float32))
        minilm.append(vectors["minilm"].astype(np.float32))
    all_e5, all_minilm = np.concatenate(e5), np.concatenate(minilm)
    return fit_mixture(texts, all_e5, all_minilm, settings.minilm_weight).vectors(texts, all_e5, all_minilm)


def served_round(
    bases: BaseFiles,
    served: Sequence[ShopText],
    texts: Sequence[ShopText],
    targets: Floats,
    settings: EmbedderSettings,
    run: RunFolder,
) -> tuple[list[ShopText], Floats]:
    """Texts and targets of the round on products as they are served, with earlier queries and Chinese texts beside.

    English is MiniLM's alone here: with descriptions read, e5's share adds 0.002 to the judged lists' nDCG@10 of the
    teacher (0.919 to 0.921) for three times the teachers' time.
    """
    minilm = load_minilm(bases)
    shards = [
        run.arrays(
            f"served-teacher-{start // _TEACHER_SHARD:03}",
            lambda start=start: {"minilm": minilm.vectors(served[start : start + _TEACHER_SHARD])},  # type: ignore[misc]
        )["minilm"]
        for start in range(0, len(served), _TEACHER_SHARD)
    ]
    queries = [t for t in texts if t.is_query and han_share(t.text) == 0][: settings.served_queries]
    asked = run.arrays("served-queries", lambda: {"minilm": minilm.vectors(queries)})["minilm"]
    chinese = [row for row, text in enumerate(texts) if han_share(text.text) > 0][: settings.served_chinese]
    return (
        [*served, *queries, *(texts[row] for row in chinese)],
        np.concatenate([*shards, asked, targets[chinese]]),
    )


def served_vectors(run: RunFolder, settings: EmbedderSettings) -> Floats:
    """MiniLM's vectors (n, d) of the round's products, from the run folder that `served_round` filled."""

    def missing() -> dict[str, Floats]:
        raise TrainingError(f"{run.path} holds no vectors of served texts; train the embedder first")

    count = settings.served_icecat + settings.served_vespa
    shards = range(0, count, _TEACHER_SHARD)
    return np.concatenate([run.arrays(f"served-teacher-{at // _TEACHER_SHARD:03}", missing)["minilm"] for at in shards])


def distil(
    step: str,
    encoder: Encoder,
    student: Student,
    texts: Sequence[ShopText],
    targets: Floats,
    settings: EmbedderSettings,
    run: RunFolder,
    max_tokens: int = 0,
) -> None:
    """Pull the student's vectors to the targets, in place; `max_tokens` 0 takes the settings' own."""
    prompted = [PROMPTS["query" if text.is_query else "document"] + text.text for text in texts]
    rows = tokenize(student.tokenizer(), prompted, max_tokens or settings.max_tokens)
    goals = torch.from_numpy(targets)
    generator = torch.Generator().manual_seed(settings.seed)
    batches = [
        batch
        for _ in range(settings.epochs)
        for batch in length_batches([len(row) for row in rows], settings.batch_tokens, generator)
    ]

    def loss_of(batch: list[int]) -> Tensor:
        vectors = encoder(*pad_batch([rows[row] for row in batch], PAD_ID))
        distance: Tensor = (1.0 - (vectors * goals[batch].to(vectors.device)).sum(dim=-1)).mean()
        return distance

    optimise(step, encoder, batches, loss_of, Schedule(settings.distil_rate), run)


def second_round(texts: Sequence[ShopText], settings: EmbedderSettings) -> list[int]:
    """Rows of the texts that get another round: all Chinese ones, new to the body, and some English queries."""
    chinese = [row for row, text in enumerate(texts) if han_share(text.text) > 0]
    english = [row for row, text in enumerate(texts) if text.is_query and han_share(text.text) == 0]
    return sorted(chinese + english[: settings.english_queries])


def contrast_pairs(data_dir: Path, settings: EmbedderSettings) -> list[ContrastPair]:
    """Pairs of all "may train" shops and made ones, in one shuffled order per seed."""
    rng = random.Random(settings.seed)
    pairs = catalogue_pairs(read_icecat(data_dir), rng, settings.pairs // 3)
    pairs += catalogue_pairs(read_vespa(data_dir), rng, settings.pairs // 8)
    pairs += catalogue_pairs(read_litemall(data_dir), rng, settings.pairs // 8)
    pairs += made_pairs(rng, settings.pairs // 2)
    rng.shuffle(pairs)
    return pairs


def contrast(
    encoder: Encoder, student: Student, pairs: Sequence[ContrastPair], settings: EmbedderSettings, run: RunFolder
) -> None:
    """Pull each query to its product and away from its hard negative and the other products of its batch, in place."""
    tokenizer = student.tokenizer()
    queries = tokenize(tokenizer, [PROMPTS["query"] + pair.query for pair in pairs], settings.max_tokens)
    products = tokenize(tokenizer, [PROMPTS["document"] + pair.document for pair in pairs], settings.max_tokens)
    negatives = tokenize(tokenizer, [PROMPTS["document"] + pair.negative for pair in pairs], settings.max_tokens)
    batches = [
        list(range(at, at + settings.pair_batch))
        for at in range(0, len(pairs) - settings.pair_batch, settings.pair_batch)
    ]

    def loss_of(batch: list[int]) -> Tensor:
        query = encoder(*pad_batch([queries[row] for row in batch], PAD_ID))
        product = encoder(*pad_batch([products[row] for row in batch] + [negatives[row] for row in batch], PAD_ID))
        return info_nce(query, product, [pairs[row].group for row in batch], settings.temperature)

    optimise("contrast", encoder, batches, loss_of, Schedule(settings.contrast_rate), run)


def info_nce(queries: Tensor, products: Tensor, groups: Sequence[str], temperature: float) -> Tensor:
    """InfoNCE over queries (n, d) and products (2n, d): row i's product, then row i's hard negative.

    Products of a query's own group are left out of its softmax, except its own product and its own hard negative.
    """
    numbers = torch.tensor([{name: at for at, name in enumerate(dict.fromkeys(groups))}[group] for group in groups])
    own = torch.eye(len(groups), dtype=torch.bool)
    visible = own | (numbers[:, None] != numbers[None, :])
    layout = BatchLayout(visible.repeat(1, 2), own.repeat(1, 2))
    return softmax_loss(queries, products, layout, torch.ones(len(groups), device=queries.device), temperature)


def average(before: Mapping[str, Tensor], after: Mapping[str, Tensor], after_share: float) -> dict[str, Tensor]:
    """The weights between two points of one training path."""
    return {name: (1 - after_share) * values + after_share * after[name] for name, values in before.items()}
