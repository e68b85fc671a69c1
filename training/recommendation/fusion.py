"""Learns the fusion of sources from events that no source has seen: which candidate was it?

Each list holds a visitor's candidates from before the event and the one that the visitor turned to. The loss is the
softmax over the list, weighted by inverse propensity where the event says at which position it was shown (Ai et al.
2018, "Unbiased Learning to Rank with Unbiased Propensity Estimation").
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gateway.recommendation.features import FEATURES
from training.e5_weights import Floats
from training.errors import NothingToLearn
from training.recommendation.candidates import SINGLE_SOURCES, Candidates
from training.recommendation.fusion_model import WideAndDeep
from training.recommendation.interactions import Integers

# The least that can be held out of, to stop by and to calibrate on.
MIN_LISTS = 20


@dataclass(frozen=True)
class FusionSettings:
    """How `train_fusion` learns."""

    depth: int = 100  # candidates of each source
    max_lists: int = 12_000
    held_out: float = 0.15
    epochs: int = 30
    patience: int = 4
    batch: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    # Share of lists seen once more as a visitor without a history would.
    anonymous: float = 0.1
    seed: int = 17


@dataclass(frozen=True)
class Lists:
    """Candidate lists that hold what was turned to: features (rows, F), list i is rows bounds[i] to bounds[i + 1].

    `positives` (n,) are rows; `weights` (n,) count a list; `scores` (rows,) of each single source, -inf where unknown.
    """

    features: Floats
    bounds: Integers
    positives: Integers
    weights: Floats
    scores: dict[str, Floats]
    asked: int  # lists asked for, those included in which no source found it

    def __len__(self) -> int:
        return len(self.positives)


@dataclass(frozen=True)
class Fusion:
    """The model, what it and the single sources reach on lists held out; p(click) = sigmoid(scale * score + bias)."""

    model: WideAndDeep
    scale: float
    bias: float
    metrics: dict[str, float]

    @torch.inference_mode()
    def scores(self, features: Floats) -> Floats:
        """(n,) of features (n, F)."""
        found: Floats = self.model(torch.from_numpy(features))[1].numpy()
        return found


def lists_of(found: Iterable[Candidates], positives: Sequence[int], weights: Sequence[float], most: int) -> Lists:
    """The first `most` lists in which the positive was found; others cannot tell candidates apart and are left out."""
    tables, places, counts, shares = [], [], [], []
    scores: dict[str, list[Floats]] = {name: [] for name in SINGLE_SOURCES}
    asked = 0
    for one, positive, weight in zip(found, positives, weights, strict=False):
        asked += 1
        place = int(np.searchsorted(one.products, positive))
        if place == len(one.products) or one.products[place] != positive:
            continue
        places.append(place)
        counts.append(len(one.products))
        tables.append(one.features)
        shares.append(weight)
        for name, kept in scores.items():
            kept.append(one.scores.get(name, np.full(len(one.products), -np.inf, np.float32)))
        if len(counts) == most:
            break
    bounds = np.cumsum([0, *counts]).astype(np.int64)
    empty = np.zeros((0, len(FEATURES)), np.float32)
    return Lists(
        features=np.concatenate([empty, *tables]),
        bounds=bounds,
        positives=bounds[:-1] + np.array(places, np.int64),
        weights=np.array(shares, np.float32),
        scores={name: np.concatenate([empty[:, 0], *kept]) for name, kept in scores.items()},
        asked=asked,
    )


def train_fusion(
    lists: Lists, settings: FusionSettings, progress: Callable[[str], None] = lambda message: None
) -> Fusion:
    """Learn on most lists, stop by and calibrate on the rest. Raises NothingToLearn when there are too few."""
    if len(lists) < MIN_LISTS:
        raise NothingToLearn(
            f"fusion: {len(lists)} of {lists.asked} held-out events are among the candidates, {MIN_LISTS} are needed; "
            "collect more events"
        )
    generator = np.random.default_rng(settings.seed)
    torch.manual_seed(settings.seed)
    order = generator.permutation(len(lists))
    count = max(MIN_LISTS // 2, int(len(lists) * settings.held_out))
    held_out, learned = order[:count], order[count:]
    rows = _rows(lists, learned)
    model = WideAndDeep(np.sqrt((lists.features[rows] ** 2).mean(axis=0)).astype(np.float32))
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    best, best_state, worse = -1.0, model.state_dict(), 0
    for epoch in range(settings.epochs):
        model.train()
        generator.shuffle(learned)
        for start in range(0, len(learned), settings.batch):
            loss = _loss(model, lists, learned[start : start + settings.batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        reached = _ndcg(_score(model, lists, held_out), lists, held_out)
        progress(f"fusion, round {epoch + 1}: NDCG@10 {reached:.4f} on {count} lists held out")
        if reached > best:
            best, worse = reached, 0
            best_state = {name: values.clone() for name, values in model.state_dict().items()}
        elif (worse := worse + 1) > settings.patience:
            break
    model.load_state_dict(best_state)
    model.eval()
    scores = _score(model, lists, held_out)
    scale, bias = _platt(scores, lists, held_out)
    metrics = {"lists": float(len(lists)), "asked": float(lists.asked), "held_out": float(count), "fusion": best}
    for name, values in lists.scores.items():
        if np.isfinite(values).any():
            metrics[name] = _ndcg(values, lists, held_out)
    return Fusion(model, scale, bias, metrics)


def _rows(lists: Lists, chosen: NDArray[np.intp]) -> Integers:
    return np.concatenate([np.arange(lists.bounds[one], lists.bounds[one + 1]) for one in chosen])


def _loss(model: WideAndDeep, lists: Lists, chosen: NDArray[np.intp]) -> Tensor:
    lengths = lists.bounds[chosen + 1] - lists.bounds[chosen]
    rows = _rows(lists, chosen)
    _, scores = model(torch.from_numpy(lists.features[rows]))
    padded = torch.full((len(chosen), int(lengths.max())), -torch.inf)
    padded[torch.from_numpy(np.arange(lengths.max()) < lengths[:, None])] = scores
    targets = torch.from_numpy(lists.positives[chosen] - lists.bounds[chosen])
    weights = torch.from_numpy(lists.weights[chosen])
    losses = torch.nn.functional.cross_entropy(padded, targets, reduction="none")
    return (losses * weights).sum() / weights.sum()


@torch.inference_mode()
def _score(model: WideAndDeep, lists: Lists, chosen: NDArray[np.intp]) -> Floats:
    """Scores (rows,) of the chosen lists; 0 elsewhere."""
    rows = _rows(lists, chosen)
    scores = np.zeros(len(lists.features), np.float32)
    scores[rows] = model(torch.from_numpy(lists.features[rows]))[1].numpy()
    return scores


def _ndcg(scores: Floats, lists: Lists, chosen: NDArray[np.intp]) -> float:
    """Mean NDCG@10 of lists with one relevant candidate; what is equal counts as ranked before it."""
    gains = []
    for one in chosen:
        own = scores[lists.bounds[one] : lists.bounds[one + 1]]
        positive = scores[lists.positives[one]]
        rank = np.count_nonzero(own >= positive) if np.isfinite(positive) else len(own) + 10
        gains.append(1.0 / np.log2(1.0 + rank) if rank <= 10 else 0.0)
    return float(np.mean(gains))


def _platt(scores: Floats, lists: Lists, chosen: NDArray[np.intp]) -> tuple[float, float]:
    """Scale and bias of a logistic regression of "turned to" on the score, by Newton's method (Platt 1999)."""
    rows = _rows(lists, chosen)
    labels = np.isin(rows, lists.positives[chosen]).astype(np.float64)
    design = np.stack([scores[rows].astype(np.float64), np.ones(len(rows))], axis=1)
    weights = np.zeros(2)
    for _ in range(50):
        chance = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (labels - chance) - 1e-3 * weights
        curvature = design.T @ (design * (chance * (1 - chance))[:, None]) + 1e-3 * np.eye(2)
        step = np.linalg.solve(curvature, slope)
        weights += step
        if np.abs(step).max() < 1e-8:
            break
    return max(float(weights[0]), 1e-3), float(weights[1])
