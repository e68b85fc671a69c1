"""`vitrine experiments`: check, bucket, and report over a folder of exported events."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet
import pytest
from typer.testing import CliRunner, Result

from cli.events.columns import event_table
from cli.main import app
from gateway.experiments.attribution import INTERLEAVED, Attribution
from vitrine.user_event import EventProduct, EventType, UserEvent

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
TEXT = """
[experiments.varied-home]
placements = ["home"]
traffic = 0.5
arms = [{ name = "today" }, { name = "varied", settings = { diversity = 0.4 } }]

[experiments.depth]
placements = ["search"]
interleave = true
arms = [{ name = "today" }, { name = "deep", settings = { rank_depth = 100 } }]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "experiments.toml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["experiments", *map(str, arguments)], env={"COLUMNS": "200"})


def exported(folder: Path, counts: dict[str, int]) -> Path:
    """Events of so many visitors of each arm, of whom every second one clicks, as an export has them."""
    events = []
    for arm, count in counts.items():
        for number in range(count):
            token = Attribution("home", NOW, f"{arm}{number}", {"varied-home": arm}).token()
            for kind in (EventType.VIEW_ITEM_LIST, EventType.SELECT_ITEM)[: 1 + number % 2]:
                products = (EventProduct("p1", position=1),)
                events.append(
                    UserEvent(f"{arm}{number}{kind}", kind, f"{arm}{number}", "", NOW, "", products, "", "", token)
                )
    day = folder / "event_date=2026-01-31"
    day.mkdir(parents=True)
    pyarrow.parquet.write_table(event_table(events), day / "part-begin.parquet")
    (folder / "_progress.json").write_text("{}")
    return folder


def test_check_shows_what_is_defined(file: Path) -> None:
    result = run("check", file)
    assert result.exit_code == 0
    assert "diversity = 0.4" in result.output
    assert "25.0%" in result.output
    file.write_text(TEXT.replace("diversity", "diversty"))
    result = run("check", file)
    assert result.exit_code == 1
    assert "arms[1].settings.diversty: is not known; known here: diversity" in result.stderr


def test_figures_that_cannot_be_written_are_told_of_before_the_work(file: Path, tmp_path: Path) -> None:
    arguments = ("--events", tmp_path / "nowhere", "--experiment", "depth", "--file", file)
    result = run("report", *arguments, "--json", tmp_path)
    assert result.exit_code == 1
    assert result.stderr == f"error: {tmp_path} is a folder; give the name of a file\n"


def test_bucket_shows_a_visitors_arms(file: Path) -> None:
    said = {run("bucket", "--visitor", f"v{number}", "--file", file).output for number in range(12)}
    assert {one.splitlines()[0] for one in said} == {
        "varied-home: today", "varied-home: varied", "varied-home: does not take part"
    }  # fmt: skip
    assert {one.splitlines()[1] for one in said} == {"depth: interleaved"}


def test_report_compares_the_arms(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_EXPERIMENTS_FILE", str(file))
    events, out = exported(tmp_path / "events", {"today": 200, "varied": 220}), tmp_path / "report.json"
    result = run("report", "--events", events, "--experiment", "varied-home", "--json", out)
    assert result.exit_code == 0, result.output
    made = json.loads(out.read_text())
    assert [(arm["arm"], arm["visitors"], arm["clicks"]) for arm in made["arms"]] == [
        ("today", 200, 100), ("varied", 220, 110)
    ]  # fmt: skip
    assert made["arms"][0]["figures"]["ctr"]["value"] == 0.5
    assert "against today" in result.output


def test_a_sample_ratio_mismatch_ends_with_status_3(file: Path, tmp_path: Path) -> None:
    events = exported(tmp_path / "events", {"today": 200, "varied": 300})
    result = run("report", "--events", events, "--experiment", "varied-home", "--file", file)
    assert result.exit_code == 3
    assert "SAMPLE RATIO MISMATCH" in result.stderr


def test_report_of_an_interleaved_experiment(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "events"
    folder.mkdir()
    token = Attribution("search", NOW, "a", {"depth": INTERLEAVED}, {"depth": [1, 0]}).token()
    rows = [
        {"event_id": f"e{number}", "event_type": "select_item", "visitor_id": f"v{number}", "product_ids": ["p"],
         "positions": [1], "event_time": NOW.isoformat(), "attribution_token": token}
        for number in range(8)
    ] + [{"event_type": "nothing"}]  # fmt: skip
    (folder / "events.jsonl").write_text("\n".join(map(json.dumps, rows)))
    out = tmp_path / "report.json"
    result = run("report", "--events", folder, "--experiment", "depth", "--file", file, "--json", out)
    assert result.exit_code == 0, result.output
    assert "1 rows could not be read as events, the first: events.jsonl, row 9" in result.stderr
    made = json.loads(out.read_text())
    assert (made["wins"], made["preference"]) == ([0, 8], 1.0)
    assert made["p_value"] == pytest.approx(2 / 256)


def test_what_is_missing_is_named(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VITRINE_EXPERIMENTS_FILE", raising=False)
    assert "give --file, or set VITRINE_EXPERIMENTS_FILE" in run("bucket", "--visitor", "ana").stderr
    unknown = run("report", "--events", tmp_path, "--experiment", "x", "--file", file)
    assert "there is no experiment 'x'; there are: varied-home, depth" in unknown.stderr
    empty = run("report", "--events", tmp_path / "none", "--experiment", "depth", "--file", file)
    assert "holds no file that ends in" in empty.stderr
