"""Teachers of a ranker: bi-encoders and cross-encoders, each list's scores standardised, then averaged with weights.

Averaging an ensemble's scores and learning their differences: Hofstätter et al. 2020, "Improving efficient neural
ranking models with cross-architecture knowledge distillation". Standardising per list makes cosines and logits alike.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.backbones import BackboneEncoder, BackboneRanker
from training.bases import Base
from training.e5_weights import Floats
from training.encoder import encode, tokenize
from training.errors import TrainingError
from training.pair_scores import PairLayout, pair_logits
from training.run_folder import RunFolder
from training.served_lists import ServedList
from vitrine.text import detect_language

_SHARD = 256  # lists per resumable piece
_MAX_TOKENS = 64
_KEPT_DOCUMENTS = 100_000
_SPEC = re.compile(r"(?:(?P<language>zh|en)=)?(?P<source>.+?)(?:\*(?P<weight>\d+(?:\.\d+)?))?")


@dataclass(frozen=True)
class TeacherSpec:
    """A teacher as the person named it, `[zh=|en=]SOURCE[*WEIGHT]`; with a language it teaches its queries alone."""

    source: str
    language: str = ""
    weight: float = 1.0


@dataclass(frozen=True)
class Teacher:
    """A teacher, loaded."""

    spec: TeacherSpec
    base: Base


def teacher_spec(text: str) -> TeacherSpec:
    """Raises TrainingError when the weight is 0 or the text names no source."""
    match = _SPEC.fullmatch(text)
    weight = float(match["weight"] or 1.0) if match else 0.0
    if match is None or not weight:
        raise TrainingError(
            f"teacher {text!r}: give SOURCE, zh=SOURCE or en=SOURCE, and a weight above 0 as SOURCE*0.5"
        )
    return TeacherSpec(match["source"], match["language"] or "", weight)


def teacher_scores(lists: Sequence[ServedList], teachers: Sequence[Teacher], run: RunFolder) -> list[Floats]:
    """For each list (n,) scores, standardised within it; a list that no teacher teaches gets the retriever's cosines.

    Each teacher's scores are kept in the run folder, in resumable pieces.
    """
    totals = [np.zeros(len(served), dtype=np.float32) for served in lists]
    weights = np.zeros(len(lists), dtype=np.float32)
    for teacher in teachers:
        spec, base = teacher.spec, teacher.base
        known: dict[str, Floats] = {}
        for start in range(0, len(lists), _SHARD):
            rows = [row for row in range(start, min(start + _SHARD, len(lists))) if _teaches(spec, lists[row])]
            if not rows:
                continue
            name = f"teacher-{base.digest[:12]}-{spec.language or 'all'}-{start // _SHARD:04}"

            def make(
                rows: Sequence[int] = rows, base: Base = base, known: dict[str, Floats] = known
            ) -> dict[str, Floats]:
                return {"scores": np.concatenate(list(_scores(base, [lists[row] for row in rows], known)))}

            scores = run.arrays(name, make)["scores"]
            ends = np.cumsum([len(lists[row]) for row in rows])
            for row, part in zip(rows, np.split(scores, ends[:-1]), strict=True):
                totals[row] += spec.weight * standardised(part)
                weights[row] += spec.weight
    return [
        total / weight if weight else standardised(np.array(served.dense, dtype=np.float32))
        for total, weight, served in zip(totals, weights, lists, strict=True)
    ]


def standardised(scores: Floats) -> Floats:
    """Scores of one list with mean 0 and deviation 1; zeros when they are all alike."""
    deviation = float(scores.std())
    centred: Floats = scores - scores.mean()
    return centred / deviation if deviation > 1e-6 else np.zeros_like(centred)


def _teaches(spec: TeacherSpec, served: ServedList) -> bool:
    return not spec.language or (detect_language(served.query) == "zh") == (spec.language == "zh")


def _scores(base: Base, lists: Sequence[ServedList], known: dict[str, Floats]) -> Iterator[Floats]:
    """The base's scores of each list: logits of a ranker's bundle, else cosines.

    `known`: vectors of documents, which lists share.
    """
    if base.head:
        ranker = BackboneRanker(base.model, base.head, base.pooling)
        layout = PairLayout(base.tokenizer, base.pad_id, _MAX_TOKENS)
        for served in lists:
            yield pair_logits(ranker, layout, [served.query] * len(served), served.documents)
        return
    encoder = BackboneEncoder(base.model, base.pooling)
    queries = _vectors(base, encoder, "query", [served.query for served in lists])
    for served, query in zip(lists, queries, strict=True):
        if new := [text for text in served.documents if text not in known]:
            if len(known) > _KEPT_DOCUMENTS:
                known.clear()
                new = list(served.documents)
            known.update(zip(new, _vectors(base, encoder, "document", new), strict=True))
        yield np.stack([known[text] for text in served.documents]) @ query


def _vectors(base: Base, encoder: BackboneEncoder, prompt: str, texts: Sequence[str]) -> Floats:
    prompted = [base.prompts[prompt] + text for text in texts]
    return encode(encoder, tokenize(base.tokenizer, prompted, _MAX_TOKENS), base.pad_id)
