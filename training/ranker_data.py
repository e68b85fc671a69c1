"""What a ranker is fine-tuned on: mined lists with relevance and teachers' scores, split by query."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.candidate_mining import MiningSettings, mine_lists
from training.e5_weights import Floats
from training.errors import TrainingError
from training.final_score import Lists
from training.ranker_teachers import Teacher, standardised, teacher_scores
from training.run_folder import RunFolder
from training.served_lists import ListFile, ServedList
from training.sources.files import SourceFiles, Sources
from training.sources.labels import held_out

# Relevance of a catalogue's list from a standardised likeness: the best of a list come near 1, the middle to 0.4.
_MIDDLE, _SLOPE = 0.4, 0.2
# Held-out labelled lists from which on they, and not the catalogue's, decide weights, calibration and figures.
ENOUGH_LISTS = 10
# As many held-out lists tell enough; more would only take from what is learned, and time.
_MOST_HELD_OUT = 1_000


@dataclass(frozen=True)
class RankerData:
    """Lists by number, with relevance in [0, 1] and standardised teachers' scores for each of their candidates.

    `learned`, `fitted` (the final score's weights, calibration) and `measured` are numbers of lists, apart by query.
    """

    lists: ListFile
    relevance: Sequence[Floats]
    teachers: Sequence[Floats]
    taught: bool
    learned: Sequence[int]
    fitted: Sequence[int]
    measured: Sequence[int]

    def stacked(self, numbers: Sequence[int], logits: Sequence[Floats] | None = None) -> Lists:
        """The lists as features (logit first where given, dense, lexical), with what they are learned from."""
        lists = [self.lists[number] for number in numbers]
        features = [evidence(served) for served in lists]
        if logits is not None:
            features = [np.column_stack([logit, known]) for logit, known in zip(logits, features, strict=True)]
        return Lists(
            features=np.concatenate(features),
            relevance=np.concatenate([self.relevance[number] for number in numbers]),
            weights=np.array([weight for served in lists for weight in served.weights], dtype=np.float32),
            sizes=[len(served) for served in lists],
        )


def evidence(served: ServedList) -> Floats:
    """(n, 2) float32: dense and lexical."""
    return np.column_stack([served.dense, served.lexical]).astype(np.float32)


def ranker_data(
    sources: Sources,
    files: SourceFiles,
    embedder: Path,
    teachers: Sequence[Teacher],
    mining: MiningSettings,
    held_out_share: float,
    run: RunFolder,
) -> RankerData:
    """Mine lists, ask the teachers, split; all kept in the run folder.

    Raises TrainingError when too few lists are left to learn on or to measure by.
    """
    lists = mine_lists(sources, files, embedder, mining, run)
    scores = teacher_scores(lists, teachers, run)
    share = min(held_out_share, _MOST_HELD_OUT / len(lists))
    aside, measures = held_out(share, mining.seed), held_out(0.5, mining.seed + 1)
    learned: list[int] = []
    fitted: list[int] = []
    measured: list[int] = []
    relevance, labelled = [], []
    for number, (served, likeness) in enumerate(zip(lists, scores, strict=True)):
        relevance.append(_relevance(served, likeness))
        labelled.append(served.origin == "labels")
        part = learned if not aside(served.query) else measured if measures(served.query) else fitted
        part.append(number)
    fitted, measured = (_deciding(part, labelled) for part in (fitted, measured))
    for part, purpose in ((learned, "learn on"), (fitted, "fit the final score on"), (measured, "measure by")):
        if len(part) < 2:
            raise TrainingError(
                f"{len(part)} of {len(lists)} lists to {purpose}; give more labels, --made-lists or --held-out"
            )
    run.log(step="split", learned=len(learned), fitted=len(fitted), measured=len(measured))
    return RankerData(lists, relevance, scores, bool(teachers), learned, fitted, measured)


def _relevance(served: ServedList, likeness: Floats) -> Floats:
    given = np.array(served.relevance, dtype=np.float32)
    if served.origin == "labels":
        return given
    mixed: Floats = np.clip(_MIDDLE + _SLOPE * standardised(likeness) + given, 0.0, 1.0)
    return mixed


def _deciding(part: Sequence[int], labelled: Sequence[bool]) -> list[int]:
    """The labelled lists where there are enough of them, else all."""
    from_labels = [number for number in part if labelled[number]]
    return from_labels if len(from_labels) >= ENOUGH_LISTS else list(part)
