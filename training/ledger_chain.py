"""A chain of models that exist already, as steps of a ledger: bundles with their evaluation reports, and a base.

A step is written `NAME=BUNDLE` or `NAME=BUNDLE:REPORT.json:…`, where BUNDLE is a bundle folder or `packaged:e5`, the
12-layer multilingual-e5-small whose int8 bundle is made on the spot (as a ranker: its body under an untrained head, for
the cost).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.base_models import packaged_bases
from training.bundles import Trained, write_embedder, write_ranker
from training.e5_weights import Floats, read_e5
from training.errors import TrainingError
from training.ledger import Step
from vitrine.bundle import Bundle, BundleKind, Calibration, load_bundle

E5 = "packaged:e5"
_ORDERS: dict[BundleKind, tuple[str, ...]] = {"embedder": ("dense",), "ranker": ("logit", "ranked")}


@dataclass(frozen=True)
class Link:
    """One step as it was written: its name, where its model is, and the reports that hold its figures."""

    name: str
    source: str
    reports: tuple[Path, ...] = ()


def parse_link(text: str) -> Link:
    """Read `NAME=BUNDLE[:REPORT.json]…`. Raises TrainingError when it is not that."""
    name, _, rest = text.partition("=")
    prefix = E5 if rest == E5 or rest.startswith(E5 + ":") else ""
    source, *reports = rest[len(prefix) :].split(":")
    if not name.strip() or not (prefix or source):
        raise TrainingError(f"--step {text!r} is not NAME=BUNDLE or NAME=BUNDLE:REPORT.json")
    return Link(name.strip(), prefix or source, tuple(map(Path, reports)))


def resolve(links: list[Link], kind: BundleKind, scratch: Path) -> list[Step]:
    """The steps of a chain; a base's bundle is made in `scratch`.

    Raises TrainingError when a report can't be read or was made with another bundle than its step's, and
    FailedPrecondition when a bundle does not match its digest.
    """
    steps = []
    for number, link in enumerate(links):
        if link.source == E5:
            bundle = _e5_bundle(scratch / f"step-{number}", kind)
        else:
            bundle = load_bundle(Path(link.source), kind)
        figures: dict[str, float] = {}
        for report in link.reports:
            figures |= report_figures(report, kind, bundle)
        steps.append(Step(link.name, bundle.folder, figures))
    return steps


def report_figures(path: Path, kind: BundleKind, bundle: Bundle) -> dict[str, float]:
    """Figures `DATASET ORDER METRIC` of this bundle from `vitrine evaluate relevance --json`.

    Raises TrainingError when the report can't be read, or is of another bundle.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        made_of, orders, dataset = report["made_of"][kind], report["figures"], report["dataset"]
        figures = {
            f"{dataset} {order} {metric}": float(one["value"])
            for order in _ORDERS[kind]
            for metric, one in orders.get(order, {}).items()
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is no report of vitrine evaluate relevance --json: {error}") from error
    if made_of != bundle.manifest.digest:
        raise TrainingError(
            f"{path} was made with the {kind} {made_of}, not with {bundle.folder}, {bundle.manifest.digest}; "
            "evaluate that bundle again"
        )
    return figures


def bundle_kind(folder: Path) -> BundleKind:
    """Which kind of bundle lies in the folder. Raises FailedPrecondition when none does, or it does not match."""
    try:
        kind: BundleKind = (
            "ranker" if json.loads((folder / "bundle.json").read_bytes())["kind"] == "ranker" else "embedder"
        )
    except (OSError, ValueError, KeyError, TypeError):
        kind = "embedder"  # load_bundle says what is wrong with it
    return load_bundle(folder, kind).manifest.kind


def _e5_bundle(folder: Path, kind: BundleKind) -> Bundle:
    files = packaged_bases()
    weights = read_e5(files.e5_weights)
    tokenizer = files.e5_tokenizer.read_text(encoding="utf-8")
    lineage = {"base": "multilingual-e5-small, 12 layers", "steps": ["int8"]}
    if kind == "embedder":
        trained = Trained(weights.tensors, weights.heads, weights.eps, tokenizer, lineage, {})
        return write_embedder(folder, trained, "e5-base", "1", {"query": "query: ", "document": "passage: "}, int8=True)
    tensors = {**weights.tensors, **_untrained_head(weights.hidden)}
    trained = Trained(tensors, weights.heads, weights.eps, tokenizer, lineage, {})
    calibration = Calibration(scale=1.0, bias=0.0, evidence={"logit": 1.0})
    return write_ranker(folder, trained, "e5-base-untrained-head", "1", calibration, int8=True)


def _untrained_head(hidden: int) -> dict[str, Floats]:
    return {
        "head.dense.weight": np.eye(hidden, dtype=np.float32),
        "head.dense.bias": np.zeros(hidden, dtype=np.float32),
        "head.out.weight": np.full((1, hidden), 1 / hidden, dtype=np.float32),
        "head.out.bias": np.zeros(1, dtype=np.float32),
    }
