"""Models, the catalogue, certificates and keys on disk: torn, of another model, expired, open to others."""

import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.doctor.findings import Verdict
from gateway.auth.api_keys import add_key, new_key
from gateway.auth.scopes import Scope
from tests.cli.doctor.conftest import DIGEST, is_well, tells
from tests.recommender_bundle import learned_products, write_recommender_bundle
from tests.vitrine.certificates import Authority
from vitrine.bundle import load_bundle
from vitrine.tls import Identity


async def test_a_model_is_torn_missing_or_of_another_kind(
    monkeypatch: pytest.MonkeyPatch, make_embedder_bundle: Any, tmp_path: Path
) -> None:
    await is_well("models.bundles")
    shutil.copytree(make_embedder_bundle(), tmp_path / "torn")
    weights = tmp_path / "torn/model.onnx"
    weights.write_bytes(weights.read_bytes()[:-1])
    monkeypatch.setenv("VITRINE_EMBEDDER_BUNDLE", str(tmp_path / "torn"))
    monkeypatch.setenv("VITRINE_RANKER_BUNDLE", str(make_embedder_bundle()))
    monkeypatch.setenv("VITRINE_EMBEDDER_FURTHER_BUNDLES", str(tmp_path / "none"))
    await tells("models.bundles", Verdict.PROBLEM, "model.onnx does not match its digest", "copy the bundle again")
    await tells("models.bundles", Verdict.PROBLEM, "is for the embedder", "VITRINE_RANKER_BUNDLE")
    await tells("models.bundles", Verdict.PROBLEM, "no bundle at", "VITRINE_EMBEDDER_FURTHER_BUNDLES")


async def test_recommenders_that_differ_or_are_of_another_embedder(
    monkeypatch: pytest.MonkeyPatch, make_embedder_bundle: Any, tmp_path: Path
) -> None:
    await is_well("models.recommenders")
    own = load_bundle(make_embedder_bundle(), "embedder")
    monkeypatch.setenv("VITRINE_EMBEDDER_BUNDLE", str(own.folder))
    for name, digest in {"good": own.manifest.digest, "other": DIGEST}.items():
        (tmp_path / name).mkdir()
        write_recommender_bundle(tmp_path / name, learned_products(["a", "b"], 32), embedder_digest=digest)
    monkeypatch.setenv("VITRINE_EMBEDDER_RECOMMENDER", str(tmp_path / "good"))
    monkeypatch.setenv("VITRINE_RETRIEVER_RECOMMENDER", str(tmp_path / "other"))
    await tells("models.recommenders", Verdict.WARNING, "VITRINE_RECOMMENDATION_BUNDLE is empty")
    await tells("models.recommenders", Verdict.PROBLEM, DIGEST)
    await tells("models.recommenders", Verdict.PROBLEM, "the recommenders differ")
    for name in ("VITRINE_RETRIEVER_RECOMMENDER", "VITRINE_RECOMMENDATION_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "good"))
    await is_well("models.recommenders")


async def test_a_catalogue_of_another_model(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await tells("catalogue.file", Verdict.PROBLEM, DIGEST, "VITRINE_EMBEDDER_BUNDLE")
    assert load_bundle(Path("models/embedder"), "embedder").manifest.digest in found.seen
    await is_well("catalogue.views")


async def test_no_catalogue_yet() -> None:
    await is_well("catalogue.file")
    await is_well("catalogue.views")


async def test_a_catalogue_in_a_folder_of_any_name_and_one_whose_state_is_lost(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = filled.with_name("5 % off? #1")
    shutil.move(filled, moved)
    monkeypatch.setenv("VITRINE_RETRIEVER_DATA_DIR", str(moved))
    await tells("catalogue.file", Verdict.PROBLEM, DIGEST)
    await is_well("catalogue.views")
    connection = sqlite3.connect(moved / "catalogue.db")
    connection.execute("DELETE FROM state")
    connection.commit()
    connection.close()
    await tells("catalogue.file", Verdict.PROBLEM, "has no state", "vitrine snapshot restore")
    await tells("catalogue.views", Verdict.UNKNOWN, "nothing says", "see catalogue.file")
    await is_well("memory.limit")


async def test_a_catalogue_that_is_damaged(filled: Path) -> None:
    path = filled / "catalogue.db"
    data = bytearray(path.read_bytes())
    for start in range(4096, len(data), 4096):
        data[start : start + 64] = b"\xff" * 64
    path.write_bytes(data)
    await tells("catalogue.file", Verdict.PROBLEM, str(path), "vitrine snapshot restore")


async def test_saved_views_that_are_torn(filled: Path) -> None:
    [columns] = (filled / "views").glob("columns-*.bin")
    columns.write_bytes(columns.read_bytes()[:-8] + bytes(8))
    await tells("catalogue.views", Verdict.WARNING, "does not match its checksum", "nothing is lost")


def _use(monkeypatch: pytest.MonkeyPatch, identity: Identity, ca: Path | None) -> None:
    monkeypatch.setenv("VITRINE_TLS_CERTIFICATE", str(identity.certificate))
    monkeypatch.setenv("VITRINE_TLS_KEY", str(identity.key))
    if ca is not None:
        monkeypatch.setenv("VITRINE_TLS_CA", str(ca))


async def test_certificates_that_are_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("files", "chain"):
        await is_well(f"certificates.{name}")
    authority = Authority(tmp_path)
    identity = authority.issue("part")
    identity.key.chmod(0o600)
    _use(monkeypatch, identity, authority.file)
    for name in ("files", "chain"):
        await is_well(f"certificates.{name}")


async def test_a_certificate_that_ends_tomorrow_in_three_weeks_or_long_ago(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority, now = Authority(tmp_path), datetime.now(UTC)
    _use(monkeypatch, authority.issue("part", not_after=now + timedelta(days=1)), authority.file)
    await tells("certificates.files", Verdict.PROBLEM, "ends in 1.0 days", "renew it now")
    authority.issue("part", not_after=now + timedelta(days=21))
    await tells("certificates.files", Verdict.WARNING, "ends in 21.0 days")
    authority.expired("part")
    await tells("certificates.files", Verdict.PROBLEM, "has ended on 2020-01-01")
    await tells("certificates.chain", Verdict.PROBLEM, "certificate has expired")


async def test_a_key_of_another_certificate_and_one_that_all_may_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    identity, other = authority.issue("part"), authority.issue("other")
    identity.key.chmod(0o644)
    _use(monkeypatch, identity, None)
    await tells("certificates.files", Verdict.WARNING, "everybody on this machine may read", "chmod o-r")
    _use(monkeypatch, Identity(identity.certificate, other.key), None)
    await tells("certificates.files", Verdict.PROBLEM, "not a certificate and its key", "VITRINE_TLS_KEY")


async def test_a_certificate_of_another_authority_or_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    _use(monkeypatch, authority.issue("part", hosts=("gateway.shop",)), authority.file)
    await tells("certificates.chain", Verdict.WARNING, "is not of 127.0.0.1", "VITRINE_TLS_SERVER_NAME")
    monkeypatch.setenv("VITRINE_TLS_SERVER_NAME", "gateway.shop")
    await is_well("certificates.chain")
    monkeypatch.setenv("VITRINE_TLS_CA", str(Authority(tmp_path, "other").file))
    await tells("certificates.chain", Verdict.PROBLEM, "is not accepted under")


async def test_api_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    await is_well("keys.file")
    path = tmp_path / "keys.json"
    monkeypatch.setenv("VITRINE_AUTH_KEYS_FILE", str(path))
    await tells("keys.file", Verdict.PROBLEM, "cannot be read", "vitrine key create")
    add_key(path, new_key("shop", (Scope.SEARCH,), None, None)[1])
    await is_well("keys.file")
    add_key(path, new_key("soon", (Scope.SEARCH,), None, datetime.now(UTC) + timedelta(days=3))[1])
    add_key(path, new_key("gone", (Scope.SEARCH,), None, datetime.now(UTC) - timedelta(days=3))[1])
    path.chmod(0o666)
    await tells("keys.file", Verdict.WARNING, "key soon expires in 3.0 days")
    await tells("keys.file", Verdict.WARNING, "key gone has expired", "vitrine key revoke gone")
    await tells("keys.file", Verdict.PROBLEM, "others may write", "chmod go-w")
    path.write_text('{"keys": []}')
    await tells("keys.file", Verdict.PROBLEM, "holds no key")


async def test_the_key_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    await is_well("keys.own")
    path = tmp_path / "key.txt"
    monkeypatch.setenv("VITRINE_CLIENT_API_KEY_FILE", str(path))
    await tells("keys.own", Verdict.PROBLEM, "holds no API key that can be read")
    path.touch(mode=0o600)
    await tells("keys.own", Verdict.PROBLEM, "is empty")
    path.write_text("vtr_0123\n")
    await is_well("keys.own")
    path.chmod(0o644)
    await tells("keys.own", Verdict.PROBLEM, "others may read", "chmod 600")
