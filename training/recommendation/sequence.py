"""Trains the sequence model on interactions: first without each history's last event, by which it stops, then with."""

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from training.errors import TrainingError
from training.recommendation.full_softmax import full_softmax_loss
from training.recommendation.interactions import Integers, Interactions
from training.recommendation.sequence_batches import batches_by_length, training_batch
from training.recommendation.sequence_model import HistoryEncoder, ProductVectors, SequenceModel

Report = Callable[[str], None]  # takes one line that says how far the training is


@dataclass(frozen=True)
class SequenceSettings:
    """What decides the result, beside the interactions. Defaults: the best measured on Beauty (docs/recommender.md)."""

    dim: int = 64
    layers: int = 2
    heads: int = 2
    max_history: int = 50  # last events that are read
    temperature: float = 0.07
    dropout: float = 0.5
    input_dropout: float = 0.3
    residual_dropout: float = 0.1  # share of products that have their text alone, in each batch
    learning_rate: float = 2e-3
    weight_decay: float = 0.01  # of the products' residuals
    batch_histories: int = 128
    averaging: float = 0.998  # of the weights over the batches (Polyak 1990): what is measured and kept
    max_epochs: int = 100
    max_minutes: float = 25.0  # of the first stage; what it took decides how long the second is
    evaluated_every: int = 2  # epochs
    patience: int = 2  # evaluations without a better NDCG@10
    evaluated_histories: int = 10_000
    last_events_share: float = 0.2  # epochs of the second stage, as a share of those of the first
    seed: int = 17


def train_sequence(
    interactions: Interactions, settings: SequenceSettings | None = None, progress: Report = lambda line: None
) -> SequenceModel:
    """The model after the last event of each history, and as `before_last` the one that has not seen those events.

    The first stage learns from all but each visitor's last event, tries itself on those, and stops at its best epoch;
    the second goes on from there with all events. Same interactions and settings give the same model, unless
    `max_minutes` ends it. Raises TrainingError when no history has two products, or when the loss is not a number.
    """
    settings = settings or SequenceSettings()
    training = _Training(interactions, settings, progress)
    before_last = training.until_best(interactions.without_last(1), interactions)
    return replace(training.further(interactions), before_last=before_last)


class _Parts(nn.Module):
    def __init__(self, products: ProductVectors, encoder: HistoryEncoder) -> None:
        super().__init__()
        self.products, self.encoder = products, encoder


@dataclass(frozen=True)
class _State:
    """All that a step of training changes, but for the draws of chance."""

    parts: dict[str, Any]
    average: dict[str, Any]
    optimizer: dict[str, Any]
    epochs: int
    steps: int


class _Training:
    """The model, its optimiser and the average of its weights."""

    def __init__(self, interactions: Interactions, settings: SequenceSettings, progress: Report) -> None:
        torch.manual_seed(settings.seed)
        self._settings, self._progress = settings, progress
        self._generator = np.random.default_rng(settings.seed)
        text = interactions.text_vectors
        self._text = text
        self._parts = _Parts(
            ProductVectors(len(interactions.product_ids), settings.dim, text, settings.residual_dropout),
            HistoryEncoder(
                settings.dim,
                settings.layers,
                settings.heads,
                settings.max_history,
                settings.dropout,
                settings.input_dropout,
                self._generator,
            ),
        )
        self._average = copy.deepcopy(self._parts).eval()
        named = dict(self._parts.named_parameters())
        residuals = named.pop("products.residuals")
        self._optimizer = torch.optim.AdamW(
            [
                {"params": [residuals], "weight_decay": settings.weight_decay},
                {"params": list(named.values()), "weight_decay": 0.0},
            ],
            lr=settings.learning_rate,
            betas=(0.9, 0.98),
            fused=True,
        )
        self._steps = 0
        self._epochs = 0

    def until_best(self, known: Interactions, complete: Interactions) -> SequenceModel:
        """Train on `known`; leave and give the model of the epoch that best tells `complete`'s last events."""
        histories = self._histories(known)
        if not histories:
            raise TrainingError(
                "the sequence model needs visitors with three different products or more; these events have none"
            )
        exam = _Exam.of(complete, self._settings)
        started, best, waited, kept = time.monotonic(), -math.inf, 0, self._state()
        while waited < self._settings.patience and self._epochs < self._settings.max_epochs:
            loss = self._epoch(histories)
            minutes = (time.monotonic() - started) / 60
            over = minutes >= self._settings.max_minutes or self._epochs == self._settings.max_epochs
            if not over and self._epochs % self._settings.evaluated_every:
                continue
            recall, ndcg = exam.figures(self._model())
            self._progress(
                f"epoch {self._epochs}: loss {loss:.4f}, Recall@10 {recall:.4f}, NDCG@10 {ndcg:.4f}, {minutes:.1f} min"
            )
            waited += 1
            if ndcg > best:
                best, waited, kept = ndcg, 0, self._state()
            if over:
                break
        self._restore(kept)
        return self._model()

    def further(self, complete: Interactions) -> SequenceModel:
        """Train on from where it is, with every event."""
        histories = self._histories(complete)
        for epoch in range(math.ceil(self._epochs * self._settings.last_events_share)):
            loss = self._epoch(histories)
            self._progress(f"with the last events, epoch {epoch + 1}: loss {loss:.4f}")
        return self._model()

    def _histories(self, interactions: Interactions) -> list[Integers]:
        # One more than is read: the last is only told.
        recent = [history[-self._settings.max_history - 1 :] for history in interactions.histories]
        return [history for history in recent if len(np.unique(history)) > 1]

    def _epoch(self, histories: Sequence[Integers]) -> float:
        """One pass; returns the mean loss of its batches. Raises TrainingError when that is not a number."""
        self._parts.train()
        lengths = np.array([len(history) for history in histories])
        losses = []
        for rows in batches_by_length(lengths, self._settings.batch_histories, self._generator):
            losses.append(self._step([histories[row] for row in rows]))
        loss = float(np.mean(losses))
        if not math.isfinite(loss):
            raise TrainingError("the sequence model's loss is not a number; lower its learning_rate")
        self._epochs += 1
        return loss

    def _step(self, histories: Sequence[Integers]) -> float:
        batch = training_batch(histories)
        vectors = self._parts.products()
        told = self._parts.encoder.every_place(nn.functional.embedding(batch.inputs, vectors))
        users = told.flatten(0, 1)[batch.places] / self._settings.temperature
        loss = full_softmax_loss(users, vectors, batch.targets, batch.left_out)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._parts.parameters(), 1.0)
        self._steps += 1
        for group in self._optimizer.param_groups:
            group["lr"] = self._settings.learning_rate * min(1.0, self._steps / 200)
        self._optimizer.step()
        kept = min(self._settings.averaging, self._steps / (self._steps + 50))
        with torch.no_grad():
            for mean, current in zip(self._average.parameters(), self._parts.parameters(), strict=True):
                mean.lerp_(current, 1 - kept)
        return loss.item()

    def _state(self) -> _State:
        parts, average = self._parts.state_dict(), self._average.state_dict()
        return copy.deepcopy(_State(parts, average, self._optimizer.state_dict(), self._epochs, self._steps))

    def _restore(self, state: _State) -> None:
        self._parts.load_state_dict(state.parts)
        self._average.load_state_dict(state.average)
        self._optimizer.load_state_dict(state.optimizer)
        self._epochs, self._steps = state.epochs, state.steps

    def _model(self) -> SequenceModel:
        average = copy.deepcopy(self._average).eval()
        products = average.products
        return SequenceModel(
            encoder=average.encoder,
            projection=products.projection.detach().numpy(),
            bias=products.bias.detach().numpy(),
            residuals=products.residuals.detach().numpy(),
            text_vectors=self._text,
            temperature=self._settings.temperature,
            max_history=self._settings.max_history,
        )


@dataclass(frozen=True)
class _Exam:
    """The last events of some histories, to be told from what came before."""

    histories: list[Integers]
    last: Integers  # (n,)

    @classmethod
    def of(cls, interactions: Interactions, settings: SequenceSettings) -> "_Exam":
        asked = [history for history in interactions.histories if len(history) > 1 and history[-1] not in history[:-1]]
        drawn = np.random.default_rng(settings.seed).permutation(len(asked))[: settings.evaluated_histories]
        return cls([asked[row][:-1] for row in drawn], np.array([asked[row][-1] for row in drawn], dtype=np.int64))

    def figures(self, model: SequenceModel) -> tuple[float, float]:
        """Recall@10 and NDCG@10 over the full catalogue, without the products that the history holds."""
        products, vectors = model.product_vectors(), model.encode(self.histories)
        gains = np.zeros(len(self.last))
        for start in range(0, len(self.last), 512):
            scores = vectors[start : start + 512] @ products.T
            last = self.last[start : start + 512]
            for row, history in enumerate(self.histories[start : start + 512]):
                scores[row, history] = -np.inf
            above = (scores > scores[np.arange(len(last)), last][:, None]).sum(axis=1)
            gains[start : start + 512] = np.where(above < 10, 1 / np.log2(above + 2), 0.0)
        return float((gains > 0).mean()), float(gains.mean())
