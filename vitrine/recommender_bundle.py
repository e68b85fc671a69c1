"""The recommender bundle: what embedder, retriever and gateway each read a part of, one digest over all parts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from vitrine.bundle import BundleManifest, file_of, read_manifest, write_manifest
from vitrine.errors import FailedPrecondition

HISTORY_FILE = "history.onnx"  # read by the embedder
FUSION_FILE = "fusion.onnx"  # read by the gateway
# The rest is read by the retriever: `vitrine.learned_products`.


class FusionCalibration(BaseModel):
    """Probability of a click = sigmoid(scale * score + bias), Platt (1999)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: float = Field(gt=0)
    bias: float


class FusionManifest(BaseModel):
    """The names of fusion.onnx's inputs and outputs: columns of `features` and of `contributions`, in order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: tuple[str, ...] = Field(min_length=1)
    groups: tuple[str, ...] = Field(min_length=1)
    calibration: FusionCalibration


class RecommenderManifest(BundleManifest):
    """What bundle.json holds of a recommender; `dim` is d, the width of the behaviour space.

    `self_test`, of history.onnx: `items` (length, d), `event_types` and `ages_s` (length,), and `vector` (d,).
    """

    digested = (
        *BundleManifest.digested,
        "text_dim",
        "embedder_digest",
        "max_history",
        "als_regularization",
        "als_alpha",
        "fusion",
    )

    kind: Literal["recommender"] = "recommender"
    dim: int = Field(ge=1)
    text_dim: int = Field(ge=1)  # width of the text vectors that the projection reads
    embedder_digest: str = Field(min_length=1)  # the model that made them
    max_history: int = Field(ge=1, le=200)  # items of a history that history.onnx reads
    als_regularization: float = Field(default=0.01, gt=0)
    als_alpha: float = Field(default=1.0, ge=0)  # confidence in an anchor is 1 + als_alpha * its weight
    fusion: FusionManifest | None = None


@dataclass(frozen=True, slots=True)
class RecommenderBundle:
    """A recommender bundle whose files were found to match their digests."""

    folder: Path
    manifest: RecommenderManifest

    def path(self, name: str) -> Path:
        """Where the bundle's file `name` lies. Raises FailedPrecondition when the bundle has none."""
        return file_of(self.folder, self.manifest, name)

    def require_embedder(self, digest: str) -> None:
        """Raises FailedPrecondition, naming both, when text vectors of the model `digest` are not what it reads."""
        if digest != self.manifest.embedder_digest:
            raise FailedPrecondition(
                f"recommender {self.folder} reads text vectors of {self.manifest.embedder_digest}, and these are of "
                f"{digest}: train it again with this embedder, or serve the embedder that it was trained with",
                reason="RECOMMENDER_MISMATCH",
            )


def load_recommender(folder: Path) -> RecommenderBundle:
    """Reads and verifies a bundle.

    Raises FailedPrecondition when it is not there, is of another kind, or a file does not match its digest.
    """
    return RecommenderBundle(folder, read_manifest(folder, "recommender", RecommenderManifest))


def write_recommender(folder: Path, manifest: RecommenderManifest) -> RecommenderBundle:
    """Writes bundle.json for the files that lie in `folder`, with their digests; atomic and durable."""
    return RecommenderBundle(folder, write_manifest(folder, manifest))
