"""`vitrine snapshot`: create, list and restore, and one clear line for what a person can mend."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from services.retriever.catalogue import Catalogue
from services.retriever.prepared import prepared
from vitrine.product import Product, checked_product

VECTOR = np.ones(4, np.float32) / 2


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["snapshot", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A catalogue of three products."""
    catalogue = Catalogue(tmp_path / "data")
    with catalogue.transaction() as transaction:
        items = [prepared(checked_product(Product(id=f"p{n}", title=f"lamp {n} 灯")), VECTOR) for n in range(3)]
        transaction.add([item.version(row, 1) for row, item in enumerate(items, 1)], "m")
        state = {"revision": 1, "next_row": 4, "model_digest": "sha256:m", "dim": 4}
        transaction.set_state(type(transaction.state)(**{**_fields(transaction.state), **state}))
    catalogue.close()
    return tmp_path / "data"


def _fields(state: object) -> dict[str, object]:
    return {name: getattr(state, name) for name in type(state).__slots__}  # type: ignore[attr-defined]


def test_a_catalogue_goes_into_a_snapshot_and_comes_out_elsewhere(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITRINE_RETRIEVER_DATA_DIR", str(folder))
    place = tmp_path / "snapshots"
    created = run("create", place)
    assert (created.exit_code, created.stderr) == (0, "")
    assert "3 products at revision 1" in created.stdout
    [snapshot] = place.iterdir()
    assert str(snapshot) in created.stdout
    listed = run("list", place)
    assert listed.stdout.strip() == created.stdout.strip()
    restored = run("restore", place, "--data-dir", tmp_path / "elsewhere")
    assert restored.exit_code == 0, restored.output
    assert restored.stdout.strip() == f"restored {created.stdout.strip()}"
    catalogue = Catalogue(tmp_path / "elsewhere")
    assert [product_id for product_id, _ in catalogue.digests("", 10)] == ["p0", "p1", "p2"]
    catalogue.close()


def test_what_cannot_be_restored_is_named(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "snapshots"
    for _ in range(2):
        assert run("create", place, "--data-dir", folder).exit_code == 0
    older, newest = sorted(place.iterdir())
    (newest / "version-00000.parquet").write_bytes(b"torn")
    restored = run("restore", place, "--data-dir", tmp_path / "elsewhere")
    assert restored.exit_code == 0
    assert f"skipped: {newest}/version-00000.parquet is torn" in restored.stderr
    assert f"restored {older}" in restored.stdout
    (newest / "manifest.json").unlink()
    assert f"cannot be restored: {newest} holds no manifest.json" in run("list", place).stdout
    again = run("restore", place, "--data-dir", tmp_path / "elsewhere")
    assert again.exit_code == 1
    assert "--replace puts the snapshot in its place" in again.stderr
    assert run("restore", place, "--data-dir", tmp_path / "elsewhere", "--replace").exit_code == 0
    shutil.rmtree(older)
    refused = run("restore", place, "--data-dir", tmp_path / "elsewhere", "--replace")
    assert refused.exit_code == 1
    assert len(refused.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "snapshots", "--data-dir", "nothing"), "there is no catalogue in nothing"),
        (("restore", "nothing"), "there is no snapshot in nothing"),
        (("list", "nowhere://x"), "nowhere://x cannot be reached: Protocol not known: nowhere"),
        (("create", "x", "--catalogue-url", "mysql://a"), "is not an address such as postgresql://"),
    ],
)
def test_what_a_person_can_mend_is_one_line(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 1
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_the_command_starts_without_what_it_does_not_need() -> None:
    code = "import sys, cli.snapshot; print(sorted({'sqlalchemy', 'pyarrow', 'fsspec', 'numpy'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
