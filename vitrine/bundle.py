"""A bundle: a folder of weights, tokenizer and bundle.json that names and proves what is in it."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vitrine.errors import FailedPrecondition
from vitrine.ports import ModelInfo

MANIFEST = "bundle.json"
BundleKind = Literal["embedder", "ranker"]


class Calibration(BaseModel):
    """How a ranker's outputs become score and probability, all in float32.

    score = logit * evidence["logit"] + dense * evidence["dense"] + lexical * evidence["lexical"];
    probability = sigmoid(scale * score + bias), Platt (1999). `scale` is positive, so that the order stays.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: float = Field(gt=0)
    bias: float
    evidence: dict[Literal["logit", "dense", "lexical"], float]


class Manifest(BaseModel):
    """What bundle.json holds. `digest` is sha256 over the sorted "name sha256" lines of `files` and the settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    kind: BundleKind
    name: str
    version: str
    digest: str = ""
    files: dict[str, str] = Field(default_factory=dict)
    dim: int = Field(ge=0)
    max_tokens: int = Field(ge=8)
    pooling: Literal["mean", "last", "cls"] = "mean"
    pad_id: int = Field(default=0, ge=0)  # the token that fills up shorter rows; the mask keeps it out of the answer
    prompts: dict[Literal["query", "document"], str] = Field(default_factory=dict)
    languages: list[str]
    licence: str
    calibration: Calibration | None = None
    lineage: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)
    self_test: dict[str, Any]

    def model_info(self, runtime: str) -> ModelInfo:
        """What a service tells of this model when `runtime` runs it."""
        return ModelInfo(
            name=self.name,
            version=self.version,
            digest=self.digest,
            dim=self.dim,
            max_tokens=self.max_tokens,
            languages=tuple(self.languages),
            runtime=runtime,
        )


# What changes a model's answers is in the digest; what only tells about it (lineage, metrics) is not.
_DIGESTED = ("format", "kind", "dim", "max_tokens", "pooling", "prompts", "calibration")


class Bundle:
    """A bundle whose files were read and found to match their digests."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    def path(self, name: str) -> Path:
        """Where the bundle's file `name` lies. Raises FailedPrecondition when the bundle has none."""
        if name not in self.manifest.files:
            raise FailedPrecondition(f"bundle {self.folder} has no {name}; it holds {sorted(self.manifest.files)}")
        return self.folder / name


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(manifest: Manifest) -> str:
    lines = [f"{name} {sha}" for name, sha in sorted(manifest.files.items())]
    settings = {name: manifest.model_dump(mode="json")[name] for name in _DIGESTED}
    lines.append(json.dumps(settings, sort_keys=True, ensure_ascii=True))
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def load_bundle(folder: Path, kind: BundleKind) -> Bundle:
    """Reads and verifies a bundle.

    Raises FailedPrecondition when it is not there, is of another kind, or a file does not match its digest.
    """
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise FailedPrecondition(f"no bundle at {folder}: {path} does not exist") from None
    except ValidationError as error:
        raise FailedPrecondition(f"{path} is not a bundle manifest: {error.errors()[0]['msg']}") from error
    if manifest.kind != kind:
        raise FailedPrecondition(f"bundle {folder} is for the {manifest.kind}, and one for the {kind} is needed here")
    for name, expected in manifest.files.items():
        file = folder / name
        if file.parent != folder or not file.is_file():
            raise FailedPrecondition(f"bundle {folder} lacks {name}; copy it whole")
        if _sha256(file) != expected:
            raise FailedPrecondition(f"{file} does not match its digest in {MANIFEST}; copy the bundle again")
    if _digest(manifest) != manifest.digest:
        raise FailedPrecondition(f"{path} does not match its own digest; copy the bundle again")
    return Bundle(folder, manifest)


def write_bundle(folder: Path, manifest: Manifest) -> Bundle:
    """Writes bundle.json for the files that lie in `folder`, with their digests; atomic and durable."""
    files = {path.name: _sha256(path) for path in sorted(folder.iterdir()) if path.is_file() and path.name != MANIFEST}
    complete = manifest.model_copy(update={"files": {n: s for n, s in files.items() if not n.startswith(".")}})
    complete = complete.model_copy(update={"digest": _digest(complete)})
    scratch = folder / f".{MANIFEST}.tmp"
    with scratch.open("w", encoding="utf-8") as file:
        file.write(complete.model_dump_json(indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(folder / MANIFEST)
    return Bundle(folder, complete)
