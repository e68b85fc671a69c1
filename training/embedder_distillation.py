"""Distils an embedder into fewer layers: the student learns its teacher's vectors and its token states.

Losses: cosine distance of vectors (Reimers and Gurevych 2020), and squared distance of token states (Sun et al. 2019,
"Patient knowledge distillation"), whose weight falls.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.backbones import BackboneEncoder
from training.encoder import encode, mean_pool, pad_batch
from training.optimisation import Precision, Schedule, length_batches, optimise
from training.processes import processes
from training.ranker_distillation import state_loss
from training.run_folder import RunFolder

Row = list[int]


@dataclass(frozen=True)
class EmbedderRound:
    """One round: highest learning rate, how often each text comes, and the states' first weight."""

    rate: float
    epochs: int
    states: float  # falls in a straight line to 0 at the round's middle
    sentences: bool  # whether those of descriptions, and words of them, are learned beside products and queries


@dataclass(frozen=True)
class EmbedderDistillation:
    """What decides the result, beside data and teacher; layers are counted from 0."""

    seed: int = 7
    products_seed: int = 2026
    vespa: int = 12_000
    made: int = 14_000
    drawn: int = 24_000  # titles of pieces drawn from the vocabulary
    sentences: int = 30_000  # of descriptions, at most
    kept: tuple[int, ...] = (0, 1, 3, 5)  # layers of the teacher that the student begins with
    followed: tuple[int, ...] = (1, 3, 4, 5)  # layers whose states each of them learns
    held: int = 2_000  # texts that are not learned from, at most
    batch_tokens: int = 2_048
    precision: Precision = "bf16"
    rounds: tuple[EmbedderRound, ...] = (
        EmbedderRound(5e-4, 3, 1.0, sentences=False),
        EmbedderRound(3e-4, 1, 0.0, sentences=True),
    )


def answers(encoder: BackboneEncoder, ids: Tensor, mask: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Vectors (n, d) float32, L2-normalised, and the token states (n, t, d) after each layer; ids and mask (n, t)."""
    found = encoder.model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
    with torch.autocast(ids.device.type, enabled=False):
        vectors = mean_pool(found.last_hidden_state.float(), mask)
    return vectors, found.hidden_states[1:]


def distil_round(
    number: int,
    student: BackboneEncoder,
    teacher: BackboneEncoder,
    rows: Sequence[Row],
    pad_id: int,
    settings: EmbedderDistillation,
    run: RunFolder,
) -> None:
    """Train the student in place on token rows, specials in them; resumes the checkpoint. Its word rows stay."""
    one = settings.rounds[number]
    student.model.get_submodule("embeddings").requires_grad_(False)
    device = processes().device
    teacher.to(device).eval()
    generator = torch.Generator().manual_seed(settings.seed + number)
    lengths = [len(row) for row in rows]
    batches = [batch for _ in range(one.epochs) for batch in length_batches(lengths, settings.batch_tokens, generator)]

    def loss_of(numbered: tuple[int, list[int]]) -> Tensor:
        place, batch = numbered
        ids, mask = (values.to(device) for values in pad_batch([rows[row] for row in batch], pad_id))
        with torch.no_grad():
            goals, goal_states = answers(teacher, ids, mask)
        vectors, states = answers(student, ids, mask)
        distance: Tensor = (1.0 - (vectors * goals).sum(dim=-1)).mean()
        weight = one.states * max(0.0, 1 - 2 * place / len(batches))
        if not weight:
            return distance
        return distance + weight * state_loss(states, [goal_states[layer] for layer in settings.followed], mask)

    schedule = Schedule(one.rate, decay="cosine", precision=settings.precision)
    optimise(f"distil-layers-{number + 1}", student, list(enumerate(batches)), loss_of, schedule, run)


def mean_cosine(student: BackboneEncoder, teacher: BackboneEncoder, rows: Sequence[Row], pad_id: int) -> float:
    """Of the two models' vectors of the same token rows, specials in them."""
    device = processes().device
    own, goals = (encode(one.to(device), rows, pad_id) for one in (student, teacher))
    return round(float((own * goals).sum(axis=1).mean()), 4)
