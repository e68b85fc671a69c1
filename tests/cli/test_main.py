"""The `vitrine` command as a newcomer meets it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from cli.main import app
from cli.up.ports import free_port

ROOT = Path(__file__).parents[2]


def test_the_help_shows_each_command_in_a_group() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    groups = {name: command.rich_help_panel for name, command in commands.items()}
    assert all(isinstance(group, str) for group in groups.values()), groups
    assert {name for name, group in groups.items() if group == "Begin"} == {"version", "up", "sample", "doctor"}


@pytest.mark.parametrize("arguments", [["search", "watch"], ["recommend"], ["suggest", "wa"], ["release", "list"]])
def test_where_no_gateway_is_the_way_out_is_said(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, [*arguments, "--target", f"127.0.0.1:{free_port()}"])
    assert done.exit_code == 1
    assert re.search(r"^error: nobody listens at 127\.0\.0\.1:\d+; is the gateway up\?", done.output)
    assert done.output.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "variable", "said"),
    [
        (["-m", "cli", "up"], "VITRINE_GATEWAY_PORT", "Input should be a valid integer"),
        (["-m", "cli", "key", "list"], "VITRINE_AUTH_ANONYMOUS_SCOPES", "Input should be 'search', "),
        (["-m", "cli", "up"], "VITRINE_RETRIEVER_MEMORY_MB", "Input should be a valid integer"),
        (["-m", "cli", "ingest", "feed.csv"], "VITRINE_INGEST_WINDOW", "Input should be a valid integer"),
        (["-m", "services.embedder"], "VITRINE_EMBEDDER_BATCH__BULK_SHARE", "Input should be a valid integer"),
        (["-m", "services.retriever"], "VITRINE_RETRIEVER_INDEX", "Input should be 'auto'"),
        (["-m", "services.ranker"], "VITRINE_RANKER_PORT", "Input should be a valid integer"),
        (["-m", "gateway"], "VITRINE_TRACING_SAMPLE_SHARE", "Input should be a valid number"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[1:]),
)
def test_a_setting_that_cannot_be_read_is_one_line_that_names_it(
    tmp_path: Path, command: list[str], variable: str, said: str
) -> None:
    """pydantic's traceback named the field, and showed the value, which may be a secret."""
    ports = {"VITRINE_GATEWAY_PORT": "0", "VITRINE_GATEWAY_HTTP_PORT": "0"}
    environment = os.environ | ports | {variable: "word", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=120
    )
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(f"error: {variable}: {said}")
    assert "Traceback" not in done.stderr


def test_a_command_says_of_its_parts_only_what_needs_attention() -> None:
    """Training and evaluation open engines, which tell a server's log what they do."""
    code = """
import structlog
from cli.main import app

@app.command()
def work() -> None:
    log = structlog.get_logger("services.retriever")
    log.info("save", revision=1)
    log.warning("graph refused")
    print("figures")

app(["work"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "figures\n"
    (line,) = done.stderr.splitlines()
    assert "graph refused" in line


@pytest.mark.parametrize("place", ["file", "file/folder"])
@pytest.mark.parametrize("arguments", [["sample", "--products", "3"], ["events", "export"]])
def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path: Path, arguments: list[str], place: str) -> None:
    (tmp_path / "file").write_text("mine")
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / place)])
    assert done.exit_code == 1
    assert re.fullmatch(r"error: \S+/file\S*: [\w ]+; free the place or give another\n", done.stderr)
