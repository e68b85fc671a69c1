"""`make check-protos` holds protos/ to the last release's contract."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIELD = "  int32 page_size = 2;\n"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What the check reads, to be changed by a test."""
    for name in ("Makefile", "buf.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("protos", "vitrine/v1"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def checked(folder: Path, now: str) -> str:
    """What the check, which has to fail, says once the request's page_size reads `now`."""
    proto = folder / "protos/vitrine/v1/search_service.proto"
    text = proto.read_text()
    start = text.index(FIELD, text.index("message SearchRequest"))
    proto.write_text(text[:start] + now + text[start + len(FIELD) :])
    environment = [f"VENV={sys.prefix}", "-o", f"{sys.prefix}/.testing"]
    run = subprocess.run(
        ["make", "-s", "check-protos", *environment],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
    )  # fmt: skip
    assert run.returncode != 0
    return run.stdout


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ("", 'field "2" with name "page_size" on message "SearchRequest" was deleted'),
        (FIELD.replace("2;", "99;"), 'field "2" with name "page_size" on message "SearchRequest" was deleted'),
        (FIELD.replace("int32", "int64"), 'Field "2" with name "page_size" on message "SearchRequest" changed type'),
    ],
    ids=["removed", "number", "type"],
)
def test_what_breaks_clients_is_refused(copy: Path, now: str, said: str) -> None:
    output = checked(copy, now)
    assert said in output
    assert "search_service.proto" in output
    assert "protos/ breaks clients of the last release (protos/released.binpb)" in output


def test_what_is_new_is_refused_only_for_code_that_is_not_generated_yet(copy: Path) -> None:
    output = checked(copy, FIELD + "  // Nothing.\n  bool further = 99;\n")
    assert "breaks clients" not in output
    assert "vitrine/v1 does not follow from protos/: run make protos" in output
