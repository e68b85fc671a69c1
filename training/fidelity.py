"""How near a compressed model stays to the uncompressed one, and what it makes of a shop's judgements.

Every figure is better when it is higher. Rank correlation: Kendall 1938.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from scipy.stats import kendalltau, rankdata
from tokenizers import Tokenizer

from training.cross_encoder import pad_pairs, pair_row
from training.e5_weights import Floats
from training.encoder import pad_batch, tokenize
from training.errors import TrainingError
from training.shop_lists import ShopList
from training.sources.supervision import TrainingList
from vitrine.bundle import BundleKind
from vitrine.inference import ONNX_FILE
from vitrine.tokenization import TOKENIZER_FILE

_BATCH = 32
_TOP = 10
_ALONE = 16  # texts that are computed alone as well


class MeasuredModel:
    """A folder's model.onnx and tokenizer.json: texts -> vectors, or pairs -> logits."""

    def __init__(self, folder: Path, kind: BundleKind, prompts: Mapping[str, str], max_tokens: int) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(folder / ONNX_FILE), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        self._prompts = prompts
        self._max_tokens = max_tokens
        self.kind = kind

    def vectors(self, texts: Sequence[str], what: str, batch: int = _BATCH) -> Floats:
        """(n, d) of texts that are "query" or "document"."""
        return np.concatenate([self._session.run(None, feed)[0] for feed in self.text_feeds(texts, what, batch)])

    def logits(self, lists: Sequence[tuple[str, Sequence[str]]], batch: int = _BATCH) -> Floats:
        """(n,) of every document of every query's list, in order."""
        return np.concatenate([self._session.run(None, feed)[0] for feed in self.pair_feeds(lists, batch)])

    def text_feeds(self, texts: Sequence[str], what: str, batch: int = _BATCH) -> list[dict[str, Floats]]:
        """The model's inputs for these texts."""
        rows = tokenize(self._tokenizer, [self._prompts.get(what, "") + text for text in texts], self._max_tokens)
        feeds = []
        for at in range(0, len(rows), batch):
            ids, mask = pad_batch(rows[at : at + batch], 0)
            feeds.append({"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
        return feeds

    def pair_feeds(self, lists: Sequence[tuple[str, Sequence[str]]], batch: int = _BATCH) -> list[dict[str, Floats]]:
        """The model's inputs for these lists' pairs."""
        queries = tokenize(self._tokenizer, [query for query, _ in lists], self._max_tokens)
        texts = tokenize(self._tokenizer, [text for _, documents in lists for text in documents], self._max_tokens)
        owners = [row for row, (_, documents) in enumerate(lists) for _ in documents]
        pairs = [pair_row(queries[owner], text, self._max_tokens) for owner, text in zip(owners, texts, strict=True)]
        feeds = []
        for at in range(0, len(pairs), batch):
            ids, mask, types = pad_pairs(pairs[at : at + batch], 0)
            feeds.append({"input_ids": ids.numpy(), "attention_mask": mask.numpy(), "token_type_ids": types.numpy()})
        return feeds


@dataclass(frozen=True)
class Measurement:
    """What models are held against: lists that no step learned from, and judged lists where there are any."""

    lists: Sequence[ShopList]
    judged: Sequence[TrainingList]

    def figures(self, model: MeasuredModel, uncompressed: MeasuredModel) -> dict[str, float]:
        """Figures by name, better when higher. Raises TrainingError when one is not a number."""
        of_kind = self._ranker if model.kind == "ranker" else self._embedder
        figures = of_kind(model, uncompressed)
        if self.judged:
            scores = [self._scores(model, one) for one in self.judged]
            figures |= judged_figures([one.relevance for one in self.judged], scores)
        if broken := [name for name, value in figures.items() if not math.isfinite(value)]:
            raise TrainingError(f"{broken[0]} is not a number after this step; lower --rate, or take away less")
        return {name: round(value, 5) for name, value in figures.items()}

    def _embedder(self, model: MeasuredModel, uncompressed: MeasuredModel) -> dict[str, float]:
        queries = [one.query for one in self.lists]
        documents = list(dict.fromkeys(one.documents[0] for one in self.lists))
        ours, theirs = (
            (one.vectors(queries, "query"), one.vectors(documents, "document")) for one in (model, uncompressed)
        )
        cosines = [(a * b).sum(axis=1) for a, b in zip(ours, theirs, strict=True)]
        alone = model.vectors(documents[:_ALONE], "document", batch=1)
        return {
            "mean cosine": float(np.concatenate(cosines).mean()),
            "top-10 overlap": _overlap(ours[0] @ ours[1].T, theirs[0] @ theirs[1].T),
            "cosine alone and in a batch": float((alone * ours[1][:_ALONE]).sum(axis=1).min()),
        }

    def _ranker(self, model: MeasuredModel, uncompressed: MeasuredModel) -> dict[str, float]:
        pairs = [(one.query, one.documents) for one in self.lists]
        ends = np.cumsum([len(one.documents) for one in self.lists])[:-1]
        ours, theirs = model.logits(pairs), uncompressed.logits(pairs)
        taus = [kendalltau(a, b).statistic for a, b in zip(np.split(ours, ends), np.split(theirs, ends), strict=True)]
        few = pairs[: max(1, _ALONE // len(pairs[0][1]))]
        alone = model.logits(few, batch=1)
        return {
            "Kendall tau": float(np.nanmean(taus)),
            "correlation alone and in a batch": float(np.corrcoef(alone, ours[: len(alone)])[0, 1]),
        }

    def _scores(self, model: MeasuredModel, one: TrainingList) -> Floats:
        if model.kind == "ranker":
            return model.logits([(one.query, one.documents)])
        scores: Floats = model.vectors(one.documents, "document") @ model.vectors([one.query], "query")[0]
        return scores


def judged_figures(relevance: Sequence[Sequence[float]], scores: Sequence[Floats]) -> dict[str, float]:
    """nDCG@10 (linear gains) of the lists that have a relevant product, and the AUC of all pairs, relevant or not."""
    figures = {}
    values = [_ndcg(np.array(gains), score) for gains, score in zip(relevance, scores, strict=True) if max(gains) > 0]
    if values:
        figures["judged nDCG@10"] = float(np.mean(values))
    labels, joined = np.concatenate([np.array(gains) > 0 for gains in relevance]), np.concatenate(scores)
    positives = int(labels.sum())
    if 0 < positives < len(labels):
        wins = rankdata(joined)[labels].sum() - positives * (positives + 1) / 2
        figures["judged AUC"] = float(wins / (positives * (len(labels) - positives)))
    return figures


def _ndcg(gains: Floats, scores: Floats) -> float:
    discounts = 1.0 / np.log2(np.arange(2, 2 + min(_TOP, len(gains))))
    best = float((np.sort(gains)[::-1][:_TOP] * discounts).sum())
    return float((gains[np.argsort(-scores, kind="stable")][:_TOP] * discounts).sum()) / best


def _overlap(ours: Floats, theirs: Floats) -> float:
    """Mean share of the same products among the first ten; (queries, products) scores."""
    count = min(_TOP, ours.shape[1])
    first, other = (np.argsort(-scores, axis=1, kind="stable")[:, :count] for scores in (ours, theirs))
    return float(np.mean([len(set(a) & set(b)) / count for a, b in zip(first, other, strict=True)]))
