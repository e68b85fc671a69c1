"""The command: what it prints and how it ends, and that a check that fails is never silent."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.doctor.check import check, made
from cli.doctor.findings import Finding, Verdict, ok
from cli.doctor.registry import CHECKS
from cli.main import app
from vitrine.errors import Unavailable

ROOT = Path(__file__).parents[3]


def test_what_it_prints_and_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(app, ["doctor", "settings.names", "packages.python"])
    assert done.exit_code == 0, done.output
    assert re.search(r"^ok {14}packages\.python: Python 3\.\d+", done.output, re.MULTILINE)
    assert "2 ok, 0 warnings, 0 problems, 0 could not be checked" in done.output
    monkeypatch.setenv("VITRINE_RANKER_PROT", "1")
    done = CliRunner().invoke(app, ["doctor", "settings.names"])
    assert done.exit_code == 1
    line = "problem         settings.names: nothing reads VITRINE_RANKER_PROT -> did you mean VITRINE_RANKER_PORT?"
    assert line in done.output
    monkeypatch.setenv("VITRINE_GATEWAY_PORT", "none")
    assert CliRunner().invoke(app, ["doctor", "network.names"]).exit_code == 2


def test_as_json() -> None:
    done = CliRunner().invoke(app, ["doctor", "--json", "keys"])
    told = json.loads(done.output)
    assert told["findings"][0] == {"check": "keys.file", "verdict": "ok", "seen": "no file of keys is set", "todo": ""}
    assert told["counts"] == {"ok": 2, "warning": 0, "problem": 0, "could not check": 0}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["reddis"], "there is no reddis of a machine; subjects are packages, processors"),
        (["search"], "there is no search of a machine; it is made with --address"),
        (["--address", "127.0.0.1:1", "settings"], "there is no settings of a suite; it is made without --address"),
        (["--address", "nowhere"], "address: 'nowhere' is not one such as 127.0.0.1:50051"),
    ],
)
def test_what_it_is_asked_wrongly(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(app, ["doctor", *arguments])
    assert done.exit_code == 1
    assert words in done.output
    assert done.output.count("\n") == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [(Unavailable("the store is away"), "the store is away"), (KeyError("aof"), "KeyError: 'aof'"), (None, "nothing")],
)
async def test_a_check_that_fails_is_said_beside_what_it_saw(fault: Exception | None, words: str) -> None:
    @check("tests.fails", "machine", tells="")
    async def fails(_examined: object) -> AsyncIterator[Finding]:
        if fault is not None:
            yield ok("so far")
            raise fault

    *before, last = await made(fails, None)
    assert [finding.seen for finding in before] == (["so far"] if fault else [])
    assert last.verdict == Verdict.UNKNOWN
    assert words in last.seen
    assert last.todo


def test_the_page_tells_of_every_check() -> None:
    table = re.findall(r"^\| `([\w.]+)` \| (.+?) \| (.+) \|$", (ROOT / "docs/doctor.md").read_text(), re.MULTILINE)
    own = [(one.name, ", ".join(one.scopes), one.tells) for one in CHECKS]
    assert table == own, "the table of docs/doctor.md should be:\n" + "\n".join(
        f"| `{name}` | {scopes} | {tells} |" for name, scopes, tells in own
    )
    assert len({one.name for one in CHECKS}) == len(CHECKS)
