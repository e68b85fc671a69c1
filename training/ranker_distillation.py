"""Distils a ranker into fewer layers: the student learns its teacher's logits, their order in lists, and its states.

Losses: squared distance of logits (Hinton et al. 2015), the same without each list's mean, which is what an order is
made of (margin-MSE, Hofstätter et al. 2020), and squared distance of token states (Sun et al. 2019, "Patient knowledge
distillation"), whose weight falls as the logits come near.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.backbones import BackboneRanker
from training.distil_lists import Drawn, ListMaker, ListShape, ListStream
from training.e5_weights import Floats
from training.encoder import mean_states
from training.optimisation import Schedule, optimise
from training.processes import processes
from training.run_folder import RunFolder

Nearness = Literal["vectors", "words"]


@dataclass(frozen=True)
class DistilRound:
    """One round: which products count as near a query, highest learning rate, steps, and the states' first weight."""

    near: Nearness
    rate: float
    steps: int
    states: float  # falls in a straight line to 0 at the round's middle, but not below `least_states`


@dataclass(frozen=True)
class DistillationSettings:
    """What decides the result, beside data, teacher and embedder; layers are counted from 0."""

    seed: int = 7
    products_seed: int = 2026
    vespa: int = 12_000
    made: int = 14_000
    drawn: int = 24_000  # titles of pieces drawn from the vocabulary
    kept: tuple[int, ...] = (0, 1, 3, 5)  # layers of the teacher that the student begins with
    followed: tuple[int, ...] = (1, 3, 4, 5)  # layers whose states each of them learns
    feed_forward: int = 768
    weighed: int = 128  # lists that tell which feed-forward units to keep
    held: int = 2_000  # queries that are not learned from, at most
    shape: ListShape = field(default_factory=ListShape)
    lists: int = 192  # of a step
    parts: int = 3  # in which a step computes them
    warmup_steps: int = 200
    least_states: float = 0.05
    rounds: tuple[DistilRound, ...] = (
        DistilRound("vectors", 5e-4, 909, 1.0),
        DistilRound("words", 4e-4, 1_350, 0.0),
    )


def answers(ranker: BackboneRanker, pairs: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Logits (n,) float32, and the token states (n, t, d) after each layer, on the ranker's device."""
    device = ranker.model.device
    ids, mask, types = (values.to(device) for values in pairs)
    found = ranker.model(input_ids=ids, attention_mask=mask, token_type_ids=types, output_hidden_states=True)
    with torch.autocast(device.type, enabled=False):
        pooled = mean_states(found.last_hidden_state.float(), mask)
        logits: Tensor = ranker.out(torch.tanh(ranker.dense(pooled))).squeeze(-1)
    return logits, found.hidden_states[1:]


def logit_loss(logits: Tensor, goals: Tensor, size: int) -> Tensor:
    """Squared distance of logits, and of their distances from each list's mean; both (lists * size,)."""
    apart = logits - goals
    return apart.square().mean() + apart.view(-1, size).var(dim=1, correction=0).mean()


def state_loss(states: Sequence[Tensor], goals: Sequence[Tensor], mask: Tensor) -> Tensor:
    """The sum over layers of the mean squared distance of token states (n, t, d) where mask (n, t) is 1."""
    weights = mask / mask.sum()
    apart = [(own.float() - goal.float()).square().mean(dim=-1) for own, goal in zip(states, goals, strict=True)]
    return torch.stack([(layer * weights).sum() for layer in apart]).sum()


def distil_round(
    step: str,
    one: DistilRound,
    student: BackboneRanker,
    teacher: BackboneRanker,
    stream: ListStream,
    settings: DistillationSettings,
    run: RunFolder,
) -> None:
    """Train the student in place; resumes the checkpoint of `step`."""
    device = processes().device
    teacher.to(device)
    on_gpu = device.type == "cuda"
    size = settings.shape.size

    def loss_of(batch: Drawn) -> Tensor:
        with torch.no_grad(), torch.autocast(device.type, dtype=torch.float16, enabled=on_gpu):
            goals, goal_states = answers(teacher, batch.pairs)
        logits, states = answers(student, batch.pairs)
        weight = max(settings.least_states, one.states * (1 - 2 * batch.share))
        followed = [goal_states[layer] for layer in settings.followed]
        return logit_loss(logits, goals, size) + weight * state_loss(states, followed, batch.pairs[1].to(device))

    schedule = Schedule(
        one.rate,
        warmup=min(1.0, settings.warmup_steps / one.steps),
        decay="cosine",
        accumulate=settings.parts,
        precision="bf16" if on_gpu else "no",
    )
    optimise(step, student, stream, loss_of, schedule, run)


@torch.no_grad()
def unit_weights(ranker: BackboneRanker, batches: Iterable[Drawn]) -> list[Floats]:
    """For each layer (units,): how much each feed-forward unit moves its output on these lists.

    That is the variance of what the unit gives, times the squared length of the weights that it goes out by.
    """
    ranker.to(processes().device)
    layers: Any = ranker.model.get_submodule("encoder.layer")
    found: list[list[Tensor]] = [[] for _ in layers]
    hooks = [
        layer.intermediate.register_forward_hook(lambda _, __, units, kept=kept: kept.append(units))
        for layer, kept in zip(layers, found, strict=True)
    ]
    count, sums = 0.0, [torch.zeros(())] * len(layers)
    squares = list(sums)
    for batch in batches:
        answers(ranker, batch.pairs)
        real = batch.pairs[1].bool()
        count += float(real.sum())
        for number, kept in enumerate(found):
            units = kept.pop()[real.to(ranker.model.device)].double().cpu()
            sums[number] = sums[number] + units.sum(dim=0)
            squares[number] = squares[number] + units.square().sum(dim=0)
    for hook in hooks:
        hook.remove()
    weights = []
    for layer, total, square in zip(layers, sums, squares, strict=True):
        variance = square / count - (total / count).square()
        weights.append((variance * layer.output.dense.weight.cpu().square().sum(dim=0)).numpy().astype(np.float32))
    return weights


@torch.no_grad()
def agreement(
    student: BackboneRanker, teacher: BackboneRanker, batches: Iterable[Drawn], chinese: NDArray[Any], size: int
) -> dict[str, float]:
    """How near the student's logits come, over queries of English and of Chinese products (`chinese`, (m,)).

    "rmse" is the root of the mean squared distance, "correlation" that of the logits' distances from their list's mean.
    """
    device = processes().device
    student.to(device).eval()
    teacher.to(device).eval()
    own, goals, languages = [], [], []
    for batch in batches:
        own.append(answers(student, batch.pairs)[0].view(-1, size).double().cpu())
        goals.append(answers(teacher, batch.pairs)[0].view(-1, size).double().cpu())
        languages.append(torch.from_numpy(chinese[batch.queries]))
    logits, wanted, is_chinese = torch.cat(own), torch.cat(goals), torch.cat(languages)
    figures = {}
    for language, rows in (("en", ~is_chinese), ("zh", is_chinese)):
        if bool(rows.any()):
            one, other = logits[rows], wanted[rows]
            figures[f"{language} rmse"] = math.sqrt(float((one - other).square().mean()))
            one, other = one - one.mean(dim=1, keepdim=True), other - other.mean(dim=1, keepdim=True)
            figures[f"{language} correlation"] = float(
                nn.functional.cosine_similarity(one.ravel(), other.ravel(), dim=0)
            )
    return {name: round(value, 4) for name, value in figures.items()}


def distil_ranker(
    student: BackboneRanker,
    teacher: BackboneRanker,
    makers: Mapping[str, ListMaker],
    learned: NDArray[Any],
    settings: DistillationSettings,
    run: RunFolder,
) -> None:
    """All rounds, in place, on the queries of these numbers; `makers` by what counts as near. What embeds stays."""
    student.model.get_submodule("embeddings").requires_grad_(False)
    for number, one in enumerate(settings.rounds, 1):
        stream = ListStream(
            makers[one.near], learned, (settings.seed, number), one.steps, settings.lists, settings.parts
        )
        distil_round(f"distil-{number}-{one.near}", one, student, teacher, stream, settings, run)
