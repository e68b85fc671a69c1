"""A bundle: a folder of weights, tokenizer and bundle.json that names and proves what is in it."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

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


class BundleManifest(BaseModel):
    """What every bundle.json holds. `digest` is sha256 over the sorted "name sha256" lines of `files` and the settings.

    What changes a model's answers is in the digest; what only tells about it (lineage, metrics) is not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    digested: ClassVar[tuple[str, ...]] = ("format", "kind", "dim")

    format: Literal[1] = 1
    kind: str
    name: str
    version: str
    digest: str = ""
    files: dict[str, str] = Field(default_factory=dict)
    dim: int = Field(ge=0)
    licence: str
    lineage: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)
    self_test: dict[str, Any]


class Manifest(BundleManifest):
    """What bundle.json holds of a model that reads text."""

    digested = (*BundleManifest.digested, "max_tokens", "pooling", "prompts", "calibration")

    kind: BundleKind
    max_tokens: int = Field(ge=8)
    pooling: Literal["mean", "last", "cls"] = "mean"
    pad_id: int = Field(default=0, ge=0)  # the token that fills up shorter rows; the mask keeps it out of the answer
    prompts: dict[Literal["query", "document"], str] = Field(default_factory=dict)
    languages: list[str]
    calibration: Calibration | None = None

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


ManifestT = TypeVar("ManifestT", bound=BundleManifest)


class Bundle:
    """A bundle whose files were read and found to match their digests."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    def path(self, name: str) -> Path:
        """Where the bundle's file `name` lies. Raises FailedPrecondition when the bundle has none."""
        return file_of(self.folder, self.manifest, name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(manifest: BundleManifest) -> str:
    lines = [f"{name} {sha}" for name, sha in sorted(manifest.files.items())]
    settings = {name: manifest.model_dump(mode="json")[name] for name in manifest.digested}
    lines.append(json.dumps(settings, sort_keys=True, ensure_ascii=True))
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def load_bundle(folder: Path, kind: BundleKind) -> Bundle:
    """Reads and verifies a bundle.

    Raises FailedPrecondition when it is not there, is of another kind, or a file does not match its digest.
    """
    return Bundle(folder, read_manifest(folder, kind, Manifest))


def write_bundle(folder: Path, manifest: Manifest) -> Bundle:
    """Writes bundle.json for the files that lie in `folder`, with their digests; atomic and durable."""
    return Bundle(folder, write_manifest(folder, manifest))


def file_of(folder: Path, manifest: BundleManifest, name: str) -> Path:
    """Where a bundle's file `name` lies. Raises FailedPrecondition when the bundle has none."""
    if name not in manifest.files:
        raise FailedPrecondition(f"bundle {folder} has no {name}; it holds {sorted(manifest.files)}")
    return folder / name


def read_manifest(folder: Path, kind: str, form: type[ManifestT]) -> ManifestT:
    """The bundle.json of a bundle whose files match it; raises as `load_bundle` does."""
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_bytes())
        # Before all else: bundles of two kinds have different fields.
        found = content.get("kind", kind) if isinstance(content, dict) else kind
        if found != kind:
            raise FailedPrecondition(f"bundle {folder} is for the {found}, and one for the {kind} is needed here")
        manifest = form.model_validate(content)
    except FileNotFoundError:
        raise FailedPrecondition(
            f"no bundle at {folder}: {path.absolute()} does not exist; name a folder that has one"
        ) from None
    except ValidationError as error:
        raise FailedPrecondition(f"{path} is not a bundle manifest: {error.errors()[0]['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise FailedPrecondition(f"{path} is not a bundle manifest: {error}") from error
    there = {file.name for file in folder.iterdir() if file.is_file()}
    for name, expected in manifest.files.items():
        file = folder / name
        if name not in there:
            raise FailedPrecondition(f"bundle {folder} lacks {name}; copy it whole")
        if _sha256(file) != expected:
            raise FailedPrecondition(f"{file} does not match its digest in {MANIFEST}; copy the bundle again")
    if _digest(manifest) != manifest.digest:
        raise FailedPrecondition(f"{path} does not match its own digest; copy the bundle again")
    return manifest


def write_manifest(folder: Path, manifest: ManifestT) -> ManifestT:
    """Writes bundle.json for the files that lie in `folder`; the manifest with their digests. Atomic and durable."""
    files = {path.name: _sha256(path) for path in sorted(folder.iterdir()) if path.is_file() and path.name != MANIFEST}
    complete = manifest.model_copy(update={"files": {n: s for n, s in files.items() if not n.startswith(".")}})
    complete = complete.model_copy(update={"digest": _digest(complete)})
    scratch = folder / f".{MANIFEST}.tmp"
    with scratch.open("w", encoding="utf-8") as file:
        file.write(complete.model_dump_json(indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(folder / MANIFEST)
    return complete
