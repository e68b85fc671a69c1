"""Fine-tunes an embedder on a shop's pairs: judged, clicked, made from the catalogue and from the bilingual lexicon."""

import copy
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, Literal

import torch
from torch import Tensor, nn

from training.backbones import BackboneEncoder
from training.bases import Base
from training.contrastive_loss import BatchText, batch_layout, click_loss, softmax_loss
from training.dense_index import DenseIndex, TextEncoder
from training.encoder import pad_batch
from training.errors import TrainingError
from training.hard_negatives import HardNegatives
from training.held_out_figures import Figures, held_out_lists, measure
from training.kept_layers import keep_model_layers
from training.label_free_pairs import LabelFreePair, label_free_pairs, lexicon_pairs
from training.optimisation import Precision, Schedule, optimise
from training.pair_file import MinedPair, PairFile, write_pairs
from training.processes import processes
from training.product_facts import Wanted
from training.run_folder import RunFolder
from training.sources.files import Sources
from training.sources.labels import draw_labels, held_out
from training.sources.supervision import training_pairs

Objective = Literal["softmax", "click"]
Mining = Literal["never", "once", "every-epoch"]
# Told of (epoch, the deciding held-out figure); may raise to end the run there.
Report = Callable[[int, float], None]


@dataclass(frozen=True)
class FineTuning:
    """What decides the result, beside the base and the sources."""

    objective: Objective = "softmax"
    seed: int = 17
    labels: int | None = None  # labelled pairs to draw; None: all
    label_free: int = 4_000  # pairs made from the catalogue, for each time of mining
    lexicon: int = 400  # pairs of products made from the bilingual lexicon, likewise
    epochs: int = 2
    batch: int = 48  # pairs
    negatives: int = 2  # hard ones of each pair
    mining: Mining = "once"
    learning_rate: float = 3e-5
    weight_decay: float = 0.01
    temperature: float = 0.05
    layers_kept: int = 0  # of the base's, evenly spaced; 0: all
    train_words: bool = False  # whether the word embeddings learn as well
    after_share: float = 1.0  # share of the trained weights in their average with the base's
    held_out: float = 0.2  # share of the queries, and of the products for label-free ones
    max_tokens: int = 64
    accumulate: int = 1  # batches that one step takes
    precision: Precision = "no"


@dataclass(frozen=True)
class FineTunedEmbedder:
    """The result: `base` as it became, held-out figures before and after, and how many pairs of each kind it learned.

    `value` is the deciding figure after: judged nDCG@10 if there are judgements, else clicked, else label-free recall.
    """

    base: Base
    before: Figures
    after: Figures
    pairs: dict[str, int]
    value: float
    decisive: str


def fine_tune_embedder(
    settings: FineTuning, sources: Sources, base: Base, run: RunFolder, report: Report | None = None
) -> FineTunedEmbedder:
    """Train a copy of the base; the base itself stays as it is. Resumes what `run` holds.

    Raises TrainingError when there is no pair to learn from, or the loss is not a number.
    """
    torch.manual_seed(settings.seed)
    tuning = _Tuning(settings, sources, base, run)
    before = tuning.measured("before")
    after = before
    for epoch in range(settings.epochs):
        tuning.learn(epoch)
        if report is not None or epoch + 1 == settings.epochs:
            after = tuning.measured(f"after-{epoch + 1}", settings.after_share if epoch + 1 == settings.epochs else 1.0)
            if report is not None:
                report(epoch + 1, tuning.value(after))
    origin, figure = tuning.held.decisive
    model = tuning.encoder.model.cpu()
    steps = [*base.lineage.get("steps", []), f"fine-tune on {settings.objective} pairs"]
    lineage = {**base.lineage, "steps": steps, "settings": asdict(settings), "pairs": tuning.counts}
    return FineTunedEmbedder(
        replace(base, model=model, lineage=lineage, head={}),
        before,
        after,
        tuning.counts,
        tuning.value(after),
        f"{origin} {figure}",
    )


class _Model(nn.Module):
    """The encoder, and the click objective's bias."""

    def __init__(self, encoder: BackboneEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.bias = nn.Parameter(torch.zeros(()))


class _Tuning:
    def __init__(self, settings: FineTuning, sources: Sources, base: Base, run: RunFolder) -> None:
        self._settings, self._sources, self._base, self._run = settings, sources, base, run
        backbone = copy.deepcopy(base.model)
        if settings.layers_kept:
            keep_model_layers(backbone, settings.layers_kept)
        if not settings.train_words:
            backbone.get_input_embeddings().weight.requires_grad_(False)
        self.encoder = BackboneEncoder(backbone, base.pooling)
        self._model = _Model(self.encoder).to(processes().device)
        self._model.bias.requires_grad_(settings.objective == "click")
        self._start = {name: values.clone() for name, values in self.encoder.state_dict().items()}
        self._texts = TextEncoder(self.encoder, base, settings.max_tokens)
        self._aside = held_out(settings.held_out, settings.seed)
        self.held = held_out_lists(sources, self._aside, self._aside, settings.seed)
        self._index: DenseIndex | None = None
        self.counts: dict[str, int] = {}

    def measured(self, name: str, share: float = 1.0) -> Figures:
        """Held-out figures of the model, which first becomes `share` of itself and the rest of the base."""
        self._index = None
        if share < 1.0:
            trained = self.encoder.state_dict()
            self.encoder.load_state_dict(
                {key: torch.lerp(values, trained[key], share) for key, values in self._start.items()}
            )

        def make() -> Figures:
            return measure(self.held, self._texts, self._fresh_index(), self._sources)

        if processes().is_main_process:
            figures: Figures = self._run.json(f"figures-{name}", make)
            self._run.log(step=f"held-out {name}", **figures)
        processes().wait_for_everyone()
        kept: Figures = self._run.json(f"figures-{name}", make)
        return kept

    def value(self, figures: Figures) -> float:
        origin, figure = self.held.decisive
        return figures.get(origin, {}).get(figure, float("nan"))

    def learn(self, epoch: int) -> None:
        """One epoch: mine where this one mines, then train; the rate falls from epoch to epoch."""
        settings = self._settings
        mining = epoch if settings.mining == "every-epoch" else 0
        pairs = self._pairs(mining)
        order = random.Random(f"{settings.seed} {epoch}").sample(range(len(pairs)), len(pairs))
        batches = [order[at : at + settings.batch] for at in range(0, len(order), settings.batch)]
        schedule = Schedule(
            settings.learning_rate * (settings.epochs - epoch) / settings.epochs,
            weight_decay=settings.weight_decay,
            accumulate=settings.accumulate,
            precision=settings.precision,
        )
        self._index = None
        try:
            if settings.objective == "click" and epoch == 0:
                self._model.bias.data.fill_(self._first_bias(pairs, batches[0]))
            loss_of = partial(self._loss, pairs)
            optimise(f"epoch-{epoch + 1}", self._model, batches, loss_of, schedule, self._run)
        finally:
            pairs.close()
        self._model.eval()

    def _pairs(self, mining: int) -> PairFile:
        path = self._run.path / f"pairs-{mining + 1}.jsonl"
        if processes().is_main_process and not path.exists():
            mine = self._settings.mining != "never" and self._settings.negatives > 0
            index = self._fresh_index() if mine else None
            negatives = HardNegatives(
                self._sources.catalogue, self._texts, index, self._settings.negatives, self._settings.seed
            )
            counts = Counter(labelled=0, label_free=0, lexicon=0)
            write_pairs(path, negatives.mined(self._counted(mining, counts)))
            self._run.json(f"pairs-{mining + 1}-counts", lambda: dict(counts))
            self._run.log(step=f"pairs-{mining + 1}", **counts)
        processes().wait_for_everyone()
        self.counts = self._run.json(f"pairs-{mining + 1}-counts", dict)
        pairs = PairFile(path)
        if not len(pairs):
            pairs.close()
            raise TrainingError("no pair to learn from: give events, judgements or label-free pairs")
        return pairs

    def _counted(self, mining: int, counts: Counter[str]) -> Iterator[LabelFreePair]:
        settings, catalogue = self._settings, self._sources.catalogue
        seed = settings.seed + 1_000 * (mining + 1)
        labels = None
        if settings.labels is not None:
            labels = draw_labels(self._sources, settings.labels, settings.seed, self._learned)
        # Weights of a mean of 1, so that sums over a long log do not drown the pairs of other sources.
        weights = [pair.weight for pair in training_pairs(self._sources, queries=self._learned, labels=labels)]
        scale = len(weights) / sum(weights) if weights else 1.0
        labelled = training_pairs(self._sources, queries=self._learned, labels=labels)
        free = label_free_pairs(catalogue, settings.label_free, seed, self._learned)
        made = lexicon_pairs(settings.lexicon, seed)
        for kind, pair in chain(
            (("labelled", LabelFreePair(replace(pair, weight=pair.weight * scale), Wanted())) for pair in labelled),
            (("label_free", pair) for pair in free if not self._aside(pair.pair.query)),
            (("lexicon", LabelFreePair(pair, Wanted())) for pair in made),
        ):
            if pair.pair.label > 0 or settings.objective == "click":
                counts[kind] += 1
                yield pair

    def _learned(self, name: str) -> bool:
        return not self._aside(name)

    def _fresh_index(self) -> DenseIndex:
        """The index of the model as it is; measuring and mining at the same point share it."""
        if self._index is None:
            self._index = DenseIndex(self._texts, self._sources.catalogue)
        return self._index

    def _loss(self, pairs: PairFile, numbers: Sequence[int]) -> Tensor:
        batch = [pairs[number] for number in numbers]
        queries, products = self._encoded(batch)
        owners = [row for row, pair in enumerate(batch) for _ in pair.negatives]
        layout = batch_layout(
            [pair.query for pair in batch],
            [BatchText(pair.document, pair.group) for pair in batch],
            [BatchText(text, group) for pair in batch for text, group in pair.negatives],
            owners,
        )
        labels, weights = (
            torch.tensor([getattr(pair, name) for pair in batch], device=queries.device) for name in ("label", "weight")
        )
        temperature = self._settings.temperature
        if self._settings.objective == "click":
            return click_loss(queries, products, layout, labels, weights, temperature, self._model.bias)
        return softmax_loss(queries, products, layout, labels * weights, temperature)

    def _encoded(self, batch: Sequence[MinedPair]) -> tuple[Tensor, Tensor]:
        """Vectors of the queries (n, d), and of the products and then all negatives (n + m, d)."""
        documents = [*(pair.document for pair in batch), *(text for pair in batch for text, _ in pair.negatives)]
        queries = self._texts.rows([pair.query for pair in batch], "query")
        products = self._texts.rows(documents, "document")
        encoded: Any = self.encoder
        return (
            encoded(*pad_batch(queries, self._base.pad_id)).float(),
            encoded(*pad_batch(products, self._base.pad_id)).float(),
        )

    @torch.inference_mode()
    def _first_bias(self, pairs: PairFile, numbers: Sequence[int]) -> float:
        """Midway between own and other products of one batch, so that neither starts as certain."""
        self._model.eval()
        queries, products = self._encoded([replace(pairs[number], negatives=()) for number in numbers])
        cosines = queries @ products.T
        own = float(cosines.diagonal().mean())
        others = (float(cosines.sum()) - own * len(numbers)) / max(1, len(numbers) * (len(numbers) - 1))
        return -(own + others) / 2 / self._settings.temperature
