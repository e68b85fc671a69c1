"""What labels may change: the final score's weights, the embedder by a linear map, the ranker's last weight, or all.

How far each may go is chosen among the labels alone, by folds of their queries; unless the labels' own queries show a
clear gain, nothing changes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from training.preferences import (
    Array,
    Preferences,
    Rows,
    fit_offset,
    fit_platt,
    fit_weights,
    preferences,
    sharpness_of,
)

_FOLDS = 5  # of the labels' queries
_CONFIDENCE = 0.95
STRENGTHS = (64.0, 16.0, 4.0, 1.0, 0.25)
_FACTORS = (8.0, 4.0, 2.0, 1.0)  # for all together: how much stronger than what was chosen for each alone


@dataclass(frozen=True)
class JudgedPairs:
    """Judged pairs as served, n rows: grades, what the label-free models make of them, and how alike pairs are.

    Kernels (n, n) have a mean diagonal of 1: `map_kernel` of a linear map on query vectors, whose offset of a score is
    query W product; `head_kernel` of a change of the ranker's last weight.
    """

    queries: Sequence[str]
    product_ids: Sequence[str]
    grades: Array
    evidence: Array  # (n, 3): logit, dense, lexical
    map_kernel: Array
    head_kernel: Array
    weights: Array  # (3,): the label-free weights of the evidence
    platt: tuple[float, float]  # slope and bias of the label-free probability

    @property
    def relevance(self) -> Array:
        """Grades as shares of the highest one."""
        share: Array = self.grades / self.grades.max()
        return share


def linear_kernel(states: Array) -> Array:
    """How alike rows (n, d) are, as a model linear in them sees it; mean diagonal 1."""
    return _scaled(states @ states.T)


def map_kernel(queries: Array, products: Array) -> Array:
    """The same for query W product, linear in W; rows of queries and products (n, d)."""
    return _scaled((queries @ queries.T) * (products @ products.T))


def _scaled(kernel: Array) -> Array:
    return kernel / max(float(np.trace(kernel)) / len(kernel), 1e-12)


# Scores of all n pairs, from labels of some.
Scores = Array
# Given the rows with labels and a setting: scores of all rows.
Fit = Callable[[Rows, Any], Scores]


@dataclass(frozen=True)
class Adapted:
    """Scores of all pairs after an adaptation, and of the labelled rows by fits that left their query's fold out."""

    scores: Scores
    among_labels: Array
    setting: Any  # None: nothing changed


def adapt(pairs: JudgedPairs, rows: Rows, before: Scores, fit: Fit, settings: Sequence[Any]) -> Adapted:
    """The fit with the setting that orders the labels' own queries best when they are left out of it.

    With labels of fewer than two comparable queries nothing changes.
    """
    told = _told(pairs, rows)
    if len(np.unique(told.query)) < 2:
        return Adapted(before, before[rows], None)
    sharpness = sharpness_of(before[rows], told)
    unchanged = _mean_by(told.query, told.losses(before[rows], sharpness))
    tried: dict[Any, Array] = {}

    def gain(setting: Any) -> Array:
        tried[setting] = _left_out(pairs, rows, fit, setting)
        return unchanged - _mean_by(told.query, told.losses(tried[setting], sharpness))

    setting = _best(settings, gain)
    if setting is None:
        return Adapted(before, before[rows], None)
    return Adapted(fit(rows, setting), tried[setting], setting)


def _best(settings: Sequence[Any], gain: Callable[[Any], Array]) -> Any:
    """The setting of the largest mean gain over queries, if it is clear of nothing; else None.

    Clear: a paired t-test's one-sided 95 % bound is above 0. So few labels do no harm.
    """
    best, gained = None, 0.0
    for setting in settings:
        by_query = gain(setting)
        margin = student_t.ppf(_CONFIDENCE, len(by_query) - 1) * by_query.std(ddof=1) / len(by_query) ** 0.5
        if by_query.mean() > max(gained, float(margin)):
            best, gained = setting, float(by_query.mean())
    return best


def _left_out(pairs: JudgedPairs, rows: Rows, fit: Fit, setting: Any) -> Array:
    """Scores of the labelled rows, each by a fit without its query's fold."""
    scores = np.zeros(len(rows))
    for held in _folds(pairs, rows):
        scores[held] = fit(rows[~held], setting)[rows[held]]
    return scores


def _folds(pairs: JudgedPairs, rows: Rows) -> list[NDArray[np.bool_]]:
    """Which of the rows each fold holds out; a query's rows are in one fold."""
    number = np.unique([pairs.queries[row] for row in rows], return_inverse=True)[1]
    return [number % _FOLDS == fold for fold in range(min(_FOLDS, int(number.max()) + 1))]


def _mean_by(query: Rows, losses: Array) -> Array:
    """Mean loss of each query."""
    number = np.unique(query, return_inverse=True)[1]
    mean: Array = np.bincount(number, losses) / np.bincount(number)
    return mean


def _told(pairs: JudgedPairs, rows: Rows) -> Preferences:
    return preferences([pairs.queries[row] for row in rows], pairs.grades[rows])


def weights_fit(pairs: JudgedPairs) -> Fit:
    """The final score's weights; settings are strengths."""

    def fit(rows: Rows, strength: float) -> Scores:
        return pairs.evidence @ fitted_weights(pairs, rows, strength)

    return fit


def fitted_weights(pairs: JudgedPairs, rows: Rows, strength: float) -> Array:
    """The final score's weights (3,) from the labels of these rows."""
    told, before = _told(pairs, rows), pairs.evidence[rows] @ pairs.weights
    return fit_weights(pairs.evidence[rows], pairs.weights, told, sharpness_of(before, told), strength)


def offset_fit(pairs: JudgedPairs, before: Scores, kernel: Array) -> Fit:
    """Something added to the scores of before that follows the kernel; settings are strengths."""

    def fit(rows: Rows, strength: float) -> Scores:
        return before + _offset(pairs, rows, before, kernel, strength)

    return fit


def joint_fit(pairs: JudgedPairs, weights: float | None, map_: float | None, head: float | None) -> Fit:
    """Weights, map and head with the strengths chosen for each alone, None for none; settings are factors on them."""

    def fit(rows: Rows, factor: float) -> Scores:
        moved = pairs.weights if weights is None else fitted_weights(pairs, rows, weights * factor)
        before = pairs.evidence @ moved
        parts = [kernel / one for kernel, one in ((pairs.map_kernel, map_), (pairs.head_kernel, head)) if one]
        return before + _offset(pairs, rows, before, np.sum(parts, axis=0), factor) if parts else before

    return fit


def _offset(pairs: JudgedPairs, rows: Rows, before: Scores, kernel: Array, strength: float) -> Scores:
    told = _told(pairs, rows)
    sharpness = sharpness_of(before[rows], told)
    offset: Scores = kernel[:, rows] @ fit_offset(before[rows], kernel[np.ix_(rows, rows)], told, sharpness, strength)
    return offset


def adapt_all(pairs: JudgedPairs, rows: Rows, before: Scores, alone: Sequence[Adapted]) -> Adapted:
    """Weights, map and head together; `alone` holds what was chosen for each, in that order."""
    if all(one.setting is None for one in alone):
        return Adapted(before, before[rows], None)
    return adapt(pairs, rows, before, joint_fit(pairs, *(one.setting for one in alone)), _FACTORS)


def adapt_platt(pairs: JudgedPairs, rows: Rows, among_labels: Array) -> tuple[float, float]:
    """Slope and bias of the probability, from scores of the labelled rows by fits that left their query's fold out.

    How near the label-free ones they stay is chosen as in `adapt`, by log loss.
    """
    number = np.unique(np.asarray(pairs.queries, dtype=str)[rows], return_inverse=True)[1]
    if number.max(initial=0) < 1:
        return pairs.platt
    relevance = pairs.relevance[rows]
    unchanged = _mean_by(number, log_losses(among_labels, relevance, pairs.platt))

    def gain(strength: float) -> Array:
        losses = np.zeros(len(rows))
        for held in _folds(pairs, rows):
            fitted = fit_platt(among_labels[~held], relevance[~held], pairs.platt, strength)
            losses[held] = log_losses(among_labels[held], relevance[held], fitted)
        return unchanged - _mean_by(number, losses)

    strength = _best(STRENGTHS, gain)
    return pairs.platt if strength is None else fit_platt(among_labels, relevance, pairs.platt, strength)


def log_losses(scores: Array, relevance: Array, platt: tuple[float, float]) -> Array:
    """Cross-entropy (n,) of the probabilities of scores against relevance in [0, 1]."""
    margin = platt[0] * scores + platt[1]
    losses: Array = np.logaddexp(0.0, margin) - relevance * margin
    return losses
