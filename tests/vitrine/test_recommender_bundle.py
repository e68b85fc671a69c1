"""Recommender bundles: written, read back, and refused when anything in them is not what it was."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.recommender_bundle import learned_products, write_recommender_bundle
from vitrine.bundle import MANIFEST, Manifest, load_bundle, write_bundle
from vitrine.errors import FailedPrecondition
from vitrine.recommender_bundle import (
    HISTORY_FILE,
    FusionManifest,
    RecommenderBundle,
    load_recommender,
)

FUSION = FusionManifest.model_validate(
    {"features": ["behaviour", "als"], "groups": ["behaviour"], "calibration": {"scale": 2.0, "bias": -1.0}}
)


def written(folder: Path, **changes: Any) -> RecommenderBundle:
    fields: dict[str, Any] = {"embedder_digest": "sha256:1", "fusion": FUSION}
    return write_recommender_bundle(folder, learned_products(["a", "b", "c"], 6), **fields | changes)


def test_a_written_bundle_is_read_back(tmp_path: Path) -> None:
    bundle = written(tmp_path)
    read = load_recommender(tmp_path)
    assert read == bundle
    assert sorted(read.manifest.files) == [
        "co_purchase_products.npy",
        "co_purchase_starts.npy",
        "co_purchase_weights.npy",
        "factors.npy",
        "fusion.onnx",
        "history.onnx",
        "item_item_products.npy",
        "item_item_starts.npy",
        "item_item_weights.npy",
        "product_ids.npy",
        "projection.npy",
        "projection_bias.npy",
        "residuals.npy",
        "trained_events.npy",
    ]
    assert read.path(HISTORY_FILE) == tmp_path / "history.onnx"
    read.require_embedder("sha256:1")


@pytest.mark.parametrize(
    "change",
    [
        {"embedder_digest": "sha256:2"},
        {"als_alpha": 3.0},
        {"als_regularization": 0.2},
        {"max_history": 11},
        {"fusion": FUSION.model_copy(update={"groups": ("als",)})},
    ],
)
def test_the_digest_follows_what_changes_answers(tmp_path: Path, change: dict[str, Any]) -> None:
    digest = written(tmp_path).manifest.digest
    assert written(tmp_path, metrics={"ndcg": 0.1}, lineage={"events": 9}).manifest.digest == digest
    assert written(tmp_path, **change).manifest.digest != digest


def test_vectors_of_another_embedder_are_refused_and_both_are_named(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="text vectors of sha256:1, and these are of sha256:2") as refused:
        written(tmp_path).require_embedder("sha256:2")
    assert refused.value.reason == "RECOMMENDER_MISMATCH"


def test_a_bundle_of_another_kind_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "recommender")
    with pytest.raises(FailedPrecondition, match="is for the recommender, and one for the embedder is needed"):
        load_bundle(tmp_path / "recommender", "embedder")
    (tmp_path / "embedder").mkdir()
    manifest = Manifest(
        kind="embedder", name="e", version="1", dim=4, max_tokens=8, languages=["en"], licence="MIT", self_test={}
    )
    write_bundle(tmp_path / "embedder", manifest)
    with pytest.raises(FailedPrecondition, match="is for the embedder, and one for the recommender is needed"):
        load_recommender(tmp_path / "embedder")


def test_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match=r"no bundle at .*absent"):
        load_recommender(tmp_path / "absent")


def test_a_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    written(tmp_path)
    file = tmp_path / "residuals.npy"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FailedPrecondition, match=r"residuals\.npy does not match its digest"):
        load_recommender(tmp_path)
    file.unlink()
    with pytest.raises(FailedPrecondition, match=r"lacks residuals\.npy; copy it whole"):
        load_recommender(tmp_path)


def test_a_changed_setting_is_refused(tmp_path: Path) -> None:
    written(tmp_path)
    manifest = json.loads((tmp_path / MANIFEST).read_bytes())
    (tmp_path / MANIFEST).write_text(json.dumps(manifest | {"embedder_digest": "sha256:2"}))
    with pytest.raises(FailedPrecondition, match="does not match its own digest"):
        load_recommender(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", '{"kind": "recommender"', '{"kind": "recommender"}', '{"kind": 3}'])
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: str) -> None:
    written(tmp_path)
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(FailedPrecondition, match=r"bundle\.json is not a bundle manifest|is for the 3"):
        load_recommender(tmp_path)


def test_a_part_that_was_not_trained_is_named(tmp_path: Path) -> None:
    bundle = written(tmp_path, fusion=None)
    with pytest.raises(FailedPrecondition, match=r"has no fusion\.onnx; it holds \['co_purchase_products\.npy'"):
        bundle.path("fusion.onnx")
