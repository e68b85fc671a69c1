"""Makes a bundle smaller, step by step, with a ledger: vocabulary, layers, feed-forward units, heads, int8.

Each structural step is repaired by distillation from the uncompressed model on the shop's own texts; each step's
figures are taken before the next, and all steps are timed in one run at the end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from training.bases import Base, load_base
from training.compressed_body import Body, body_of
from training.compressed_bundle import check_out, manifest_of, write_compressed
from training.compression import choose_heads, keep_layers, layer_count, narrow_feed_forward
from training.errors import TrainingError
from training.fidelity import MeasuredModel, Measurement
from training.int8_choice import RULE, excess, keep, variants, worst_loss, write_variant
from training.ledger import Entry, Step, measure
from training.repair import Repair, RepairSettings
from training.run_folder import RunFolder, file_digest
from training.shop_lists import COLUMNS, ShopList, shop_lists
from training.sources.files import SourceFiles, Sources
from training.sources.run import start_run
from training.sources.supervision import training_lists
from training.vocabulary import trim_any
from training.vocabulary_check import check_kept_languages
from training.whole_folder import replace_folder
from vitrine.bundle import Bundle, Manifest
from vitrine.inference import ONNX_FILE
from vitrine.text import normalize_text

UNCOMPRESSED = "uncompressed, float32"
_HELD, _HELD_SHARE = 200, 0.2  # lists kept for measuring, at most
_CALIBRATED = 128  # lists whose texts static int8 is calibrated on


@dataclass(frozen=True)
class CompressionSettings:
    """What to take away, and how to repair; None leaves a part as it is."""

    layers: int | None = None
    feed_forward: int | None = None
    heads: int | None = None
    int8: str = "best"  # best, dynamic, static or none
    max_loss: float | None = None  # of any figure against the step before
    lists: int = 2_000  # queries made from the catalogue
    repair: RepairSettings = field(default_factory=RepairSettings)


@dataclass(frozen=True)
class Texts:
    """Files of one text a line: for the vocabulary (none: it stays whole), and to check languages with."""

    vocabulary: tuple[Path, ...] = ()
    languages: Mapping[str, Path] = field(default_factory=dict)


def compress(
    source: str,
    revision: str,
    files: SourceFiles,
    texts: Texts,
    out: Path,
    run_dir: Path,
    settings: CompressionSettings,
) -> tuple[Bundle, list[Entry]]:
    """Write the smaller bundle of `source` to `out`, with its ledger. Resumes what `run_dir` holds.

    Raises TrainingError when something can't be read or kept, a declared language is lost, or a step loses more than
    `max_loss` of a figure; `out` is then as it was.
    """
    check_out(out)
    base = load_base(source, revision)
    body = body_of(base)
    vocabulary = [read_texts(path) for path in texts.vocabulary]
    languages = {language: read_texts(path) for language, path in texts.languages.items()}
    manifest = manifest_of(base, body)
    read = [file_digest(path) for path in texts.vocabulary]
    made_of = {"base": base.digest, "settings": asdict(settings), "vocabulary": read}
    run, sources = start_run(run_dir, "compress", made_of, files)
    chain = _Chain(base, body, manifest, sources, settings, run)
    if vocabulary:
        chain.trim([text for part in vocabulary for text in part], languages)
    chain.prune()
    return chain.finish(out)


def read_texts(path: Path) -> list[str]:
    """The file's lines, normalised, empty ones left out. Raises TrainingError when none is left."""
    try:
        lines = [normalize_text(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise TrainingError(f"cannot read {path}: {error}") from error
    if not (kept := [line for line in lines if line]):
        raise TrainingError(f"{path} holds no text; give one text a line")
    return kept


class _Chain:
    """The steps so far, from the uncompressed model on."""

    def __init__(
        self,
        base: Base,
        body: Body,
        manifest: Manifest,
        sources: Sources,
        settings: CompressionSettings,
        run: RunFolder,
    ) -> None:
        self._prompts = base.prompts
        self._body = body
        self._manifest = manifest
        self._sources = sources
        self._settings = settings
        self._run = run
        made = run.json("lists", lambda: [asdict(one) for one in self._make_lists(body)])
        lists = [ShopList(one["query"], tuple(one["documents"])) for one in made]
        held = min(_HELD, max(1, int(len(lists) * _HELD_SHARE)))
        if len(lists) < 2:
            raise TrainingError("compress: the catalogue gives no two queries; give more products")
        self._measurement = Measurement(
            lists[:held], list(training_lists(sources, clicked=False)) if sources.store.count("label") else []
        )
        self._learned = lists[held:]
        self._repair: Repair | None = None
        self._teacher = body
        self._steps: list[Step] = []
        self._add(UNCOMPRESSED, body)

    def _make_lists(self, body: Body) -> list[ShopList]:
        return shop_lists(self._sources.catalogue, body.kind, self._settings.lists, self._settings.repair.seed)

    def trim(self, texts: Sequence[str], languages: Mapping[str, Sequence[str]]) -> None:
        """Keep the pieces that these texts and the catalogue use."""
        own = (item.words(COLUMNS[self._body.kind]) for item in self._sources.catalogue.items())
        prompts = list(self._prompts.values())
        trimmed = trim_any(self._body.tokenizer(), (text for part in (prompts, texts, own) for text in part))
        check_kept_languages(self._body.tokenizer(), trimmed.tokenizer(), self._manifest.languages, languages)
        self._add(f"vocabulary of {len(trimmed.pieces)} pieces", self._body.with_vocabulary(trimmed))

    def prune(self) -> None:
        """Layers, then feed-forward units, then heads, each repaired."""
        asked = self._settings
        if asked.layers is not None:
            smaller = keep_layers(self._body.tensors, asked.layers)
            self._repaired(f"{asked.layers} layers", replace(self._body, tensors=smaller))
        if asked.feed_forward is not None:
            smaller = narrow_feed_forward(self._body.tensors, asked.feed_forward)
            self._repaired(f"{asked.feed_forward} feed-forward units", replace(self._body, tensors=smaller))
        if asked.heads is not None:
            body, count, repair = self._body, asked.heads, self._repairer()
            chosen = self._run.json(
                "heads",
                lambda: choose_heads(
                    layer_count(body.tensors), body.heads, count, lambda kept: repair.change(body, kept)
                ),
            )
            self._repaired(f"{count} heads", replace(body, kept_heads=tuple(tuple(layer) for layer in chosen)))

    def finish(self, out: Path) -> tuple[Bundle, list[Entry]]:
        """Quantise, time all steps in one run, keep one, write it."""
        float32 = self._steps[-1]
        made = [self._quantised(variant, float32) for variant in variants(self._settings.int8)]
        entries = measure([*self._steps, *made], self._body.kind)
        kept = before = entries[len(self._steps) - 1]
        lineage: dict[str, Any] = {}
        if made:
            kept = keep(before, entries[len(self._steps) :])
            lineage = {"int8_rule": RULE, "int8_kept": kept.step, **excess(before, kept)}
            self._refuse_loss(kept.step, float32.figures, kept.figures)
        folder = next(step.folder for step in (*self._steps, *made) if step.name == kept.step)
        lineage |= {"steps": [step.name for step in self._steps] + ([kept.step] if made else [])}
        lineage["settings"] = asdict(self._settings)
        self._run.log(step="compress", kept=kept.step)
        body = None if made else self._body
        return write_compressed(out, folder, self._manifest, body, entries, lineage), entries

    def _repairer(self) -> Repair:
        if self._repair is None:
            self._repair = Repair(self._teacher, self._learned, self._prompts, self._settings.repair, self._run)
        return self._repair

    def _repaired(self, name: str, pruned: Body) -> None:
        step = name.replace(" ", "-")

        def make() -> dict[str, Any]:
            repaired = self._repairer().repaired(step, pruned)
            return {**repaired.tensors, **repaired.head}

        stored = self._run.arrays(f"{step}-weights", make)
        tensors = {key: np.ascontiguousarray(values) for key, values in stored.items() if not key.startswith("head.")}
        head = {key: values for key, values in stored.items() if key.startswith("head.")}
        self._add(name, replace(pruned, tensors=tensors, head=head))

    def _add(self, name: str, body: Body) -> None:
        folder = self._run.path / f"model-{len(self._steps)}"
        if not (folder / ONNX_FILE).is_file():
            replace_folder(folder, ONNX_FILE, body.write)
        figures = self._figures(f"figures-{len(self._steps)}", folder)
        if self._steps:
            self._refuse_loss(name, self._steps[-1].figures, figures)
        self._steps.append(Step(name, folder, figures))
        self._body = body

    def _quantised(self, variant: str, float32: Step) -> Step:
        folder = self._run.path / variant.replace(", ", "-").replace(" ", "-")

        def build(scratch: Path) -> None:
            write_variant(variant, float32.folder / ONNX_FILE, scratch / ONNX_FILE, self._calibration)
            (scratch / "tokenizer.json").write_text(self._body.tokenizer_json, encoding="utf-8")

        if not (folder / ONNX_FILE).is_file():
            replace_folder(folder, ONNX_FILE, build)
        return Step(variant, folder, self._figures(f"figures-{folder.name}", folder), float32.name)

    def _calibration(self) -> list[dict[str, Any]]:
        model = self._model(self._steps[-1].folder)
        lists = self._learned[:_CALIBRATED]
        if model.kind == "ranker":
            return list(model.pair_feeds([(one.query, one.documents) for one in lists]))
        queries = model.text_feeds([one.query for one in lists], "query")
        return [*queries, *model.text_feeds([one.documents[0] for one in lists], "document")]

    def _figures(self, name: str, folder: Path) -> dict[str, float]:
        def make() -> dict[str, float]:
            uncompressed = self._model(self._run.path / "model-0")
            return self._measurement.figures(self._model(folder), uncompressed)

        figures: dict[str, float] = self._run.json(name, make)
        return figures

    def _model(self, folder: Path) -> MeasuredModel:
        return MeasuredModel(folder, self._body.kind, self._prompts, self._manifest.max_tokens)

    def _refuse_loss(self, name: str, before: Mapping[str, float], after: Mapping[str, float]) -> None:
        loss, figure = worst_loss(before, after)
        if self._settings.max_loss is not None and loss > self._settings.max_loss:
            raise TrainingError(
                f"step {name!r} loses {loss:.4f} of {figure} ({before[figure]:.4f} -> {after[figure]:.4f}), more than "
                f"--max-loss {self._settings.max_loss:g}; take away less, or repair longer with --epochs"
            )
