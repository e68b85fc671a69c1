"""The audit fails on what is vulnerable in what is installed and in what pyproject.toml allows, and on nothing else."""

import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from audit.__main__ import FILE, ROOT, faults, main
from audit.advisories import Advisories, Range, read_advisories
from audit.dependencies import installed, least_versions, requirements
from audit.osv import fetched
from vitrine.errors import FailedPrecondition, Unavailable

TODAY = date(2026, 11, 26)


def advisories(waived_until: date | None = None) -> Advisories:
    """One that concerns starlette before 0.49.1, from 0.39 on."""
    waiver = {"package": "starlette", "id": "CVE-1", "reason": "no files are served", "until": waived_until}
    ranges = [{"introduced": "0.39.0", "fixed": "0.49.1"}]
    return Advisories.model_validate(
        {
            "source": "a test",
            "taken": TODAY,
            "packages": {"starlette": [{"id": "CVE-1", "summary": "slow", "ranges": ranges}], "h11": []},
            "waivers": [waiver] if waived_until else [],
        }
    )


@pytest.mark.parametrize(
    ("version", "vulnerable"),
    [("0.38.9", False), ("0.39.0", True), ("0.49.1rc1", True), ("0.49.1", False), ("1.10.0", False), ("what", True)],
)
def test_a_vulnerable_version_is_a_fault_where_it_is_installed_or_allowed(version: str, vulnerable: bool) -> None:
    there = faults(advisories(), {"starlette": version}, {}, TODAY)
    assert there == ([f"starlette {version} is installed and has CVE-1: slow"] if vulnerable else [])
    allowed = faults(advisories(), {}, {"starlette": version}, TODAY)
    assert allowed == ([f"pyproject.toml allows starlette {version}, which has CVE-1: slow"] if vulnerable else [])


def test_a_waiver_holds_until_its_day() -> None:
    assert faults(advisories(TODAY), {"starlette": "0.40"}, {}, TODAY) == []
    ended = faults(advisories(date(2026, 11, 25)), {"starlette": "0.40"}, {}, TODAY)
    assert len(ended) == 2
    assert "ended on 2026-11-25" in ended[1]


def test_ranges_without_an_end() -> None:
    assert Range().holds(Version("99"))
    assert Range(last_affected="2.0").holds(Version("2.0"))
    assert not Range(last_affected="2.0").holds(Version("2.0.1"))


def test_what_is_installed_is_followed_through_all_levels() -> None:
    found = installed([Requirement("starlette"), Requirement("pyjwt[crypto]>=2.10.1"), Requirement("no-such-package")])
    # anyio and idna come with starlette, cffi with the cryptography of the extra.
    assert {"starlette", "anyio", "idna", "pyjwt", "cryptography", "cffi"} <= found.keys()
    assert "cryptography" not in installed([Requirement("pyjwt")])
    assert least_versions([Requirement("PyJWT[crypto]>=2.10.1,<4"), Requirement("h11")]) == {"pyjwt": "2.10.1"}


def test_this_project_has_no_faults() -> None:
    wanted = requirements(ROOT / "pyproject.toml")
    versions = installed(wanted)
    assert len(versions) > 60
    assert faults(read_advisories(FILE), versions, least_versions(wanted), TODAY) == []


class Database(BaseHTTPRequestHandler):
    """Answers as OSV does, in two pages."""

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200 if query["package"]["ecosystem"] == "PyPI" else 400)
        self.end_headers()
        self.wfile.write(json.dumps(self._answer(query)).encode())

    @staticmethod
    def _answer(query: dict[str, Any]) -> dict[str, Any]:
        if query["package"]["name"] != "starlette":
            return {}
        if "page_token" not in query:
            events = [{"introduced": "0"}, {"fixed": "0.40.0"}, {"introduced": "1.0"}]
            return {
                "next_page_token": "2",
                "vulns": [vulnerability("A", ranges=[{"type": "ECOSYSTEM", "events": events}])],
            }
        return {
            "vulns": [
                vulnerability("B", versions=["0.45.1"]),
                vulnerability("C", versions=["1"]) | {"withdrawn": "2026-01-01T00:00:00Z"},
            ]
        }

    def log_message(self, *_arguments: Any) -> None:
        """Says nothing."""


def vulnerability(number: str, **affected: Any) -> dict[str, Any]:
    package = {"name": "starlette", "ecosystem": "PyPI"}
    return {"id": number, "summary": f"fault {number}", "affected": [{"package": package} | affected]}


@pytest.fixture
def database() -> Iterator[str]:
    """The address of a database."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


def test_advisories_are_fetched_with_all_pages_and_ranges(database: str) -> None:
    taken = fetched(["starlette", "h11"], advisories(TODAY).waivers, database)
    assert (set(taken.packages), taken.packages["h11"]) == ({"starlette", "h11"}, ())
    hit = {
        version: [one.id for one in taken.of("starlette", version, TODAY)]
        for version in ("0.39", "0.45.1", "0.46", "1.2")
    }
    assert hit == {"0.39": ["A"], "0.45.1": ["B"], "0.46": [], "1.2": ["A"]}
    assert taken.waivers


def test_the_command_fails_on_faults_and_keeps_the_file_where_nobody_answers(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "advisories.json"
    file.write_text(advisories().model_dump_json())
    said = ["audit", "refresh", "--file", str(file), "--url"]
    monkeypatch.setattr("sys.argv", [*said, "http://127.0.0.1:9/"])
    assert main() == 1
    assert "cannot be asked" in capsys.readouterr().err
    assert read_advisories(file) == advisories()
    monkeypatch.setattr("sys.argv", [*said, database])
    # The second range of A has no end: whatever is installed is in it.
    assert main() == 1
    out, err = capsys.readouterr()
    assert "is installed and has A: fault A" in err
    assert "never asked about" not in out
    assert len(read_advisories(file).packages) > 60


def test_a_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match=r"none\.json"):
        read_advisories(tmp_path / "none.json")
    with pytest.raises(Unavailable):
        fetched(["h11"], (), "http://127.0.0.1:9/")
