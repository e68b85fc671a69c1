"""`vitrine evaluate …` as a person runs it."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import evaluation
from cli.main import app
from evaluation.result import RelevanceResult, read_result


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def test_a_shop_of_ones_own_from_products_to_page(own_shop: Path, tmp_path: Path) -> None:
    first = run(
        "relevance", "--dataset", own_shop, "--rank-depth", 3, "--json", tmp_path / "a.json", "--report", tmp_path / "p"
    )
    assert first.exit_code == 0, first.output
    assert all(name in first.stdout for name in ("lexical", "dense", "fused", "ranked"))
    assert (tmp_path / "p" / "index.html").is_file()
    result = read_result(tmp_path / "a.json")
    assert len(result.queries) == 6
    page = run("report", tmp_path / "a.json", "--baseline", tmp_path / "a.json", "--out", tmp_path / "q")
    assert page.exit_code == 0, page.output
    assert page.stdout.strip() == str(tmp_path / "q" / "index.html")
    assert "0 / 0 / 6" in (tmp_path / "q" / "index.html").read_text(encoding="utf-8")


def test_a_settled_page_beside_all_scored(own_shop: Path) -> None:
    result = run("depth", "--dataset", own_shop, "--rank-depth", 3)
    assert result.exit_code == 0, result.output
    rows = dict(line[2:].split(" | ", 1) for line in result.stdout.splitlines() if line.startswith("| "))
    # Fewer than a page are all scored.
    assert rows["pairs ranked a query"] == "3.0 | 3.0 | |"
    settled, whole = rows["nDCG@10"].split(" | ")[:2]
    assert settled == whole
    refused = run("depth", "--dataset", "zh", "--data-dir", "nowhere")
    assert (refused.exit_code, len(refused.stderr.strip().splitlines())) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--dataset", "icecat", "--data-dir", "nowhere"], "--data-dir names the folder"),
        (["--dataset", "icecat"], "--data-dir: is missing"),
        (["--dataset", "wands"], "or give a folder with products and judgements"),
        (["--dataset", "models"], "models/products: the folder has none"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments: list[str], fault: str) -> None:
    result = run("relevance", *arguments)
    assert result.exit_code == 1
    assert fault in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "option", "place"),
    [
        ("relevance", "--json", "."),
        ("relevance", "--json", "file/result.json"),
        ("relevance", "--report", "file"),
        ("recommendation", "--json", "file/result.json"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_work(tmp_path: Path, command: str, option: str, place: str) -> None:
    """Not after the minutes that it takes; the data that is asked for is not even there."""
    (tmp_path / "file").write_text("mine")
    result = run(command, "--dataset", "icecat", "--data-dir", tmp_path / "nowhere", option, tmp_path / place)
    (line,) = result.stderr.strip().splitlines()
    assert result.exit_code == 1
    assert "is a folder; give the name of a file" in line or "file is a file; give another place" in line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_page_that_cannot_be_written_is_said_before_bundles_are_measured(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    result = run("report", tmp_path / "nowhere.json", "--out", tmp_path / "file", "--bundle", tmp_path)
    assert result.exit_code == 1
    assert "file is a file; give another place" in result.stderr


def test_a_bundle_of_the_wrong_kind_is_one_line(own_shop: Path, tmp_path: Path) -> None:
    result = run("relevance", "--dataset", own_shop, "--ranker", "models/embedder", "--json", tmp_path / "a.json")
    assert (result.exit_code, len(result.stderr.strip().splitlines())) == (1, 1)
    assert "for the embedder" in result.stderr
    assert not (tmp_path / "a.json").exists()


def test_report_refuses_in_one_line(own_result: RelevanceResult, tmp_path: Path) -> None:
    good, cut, other = (tmp_path / name for name in ("good.json", "cut.json", "other.json"))
    own_result.write(good)
    cut.write_text(good.read_text(encoding="utf-8")[:900], encoding="utf-8")
    other.write_text(json.dumps({**json.loads(good.read_text(encoding="utf-8")), "data_digest": "x"}), encoding="utf-8")
    for arguments, fault in (
        ([cut], "cut.json: is not a whole result"),
        ([tmp_path / "none.json"], "none.json: cannot be read"),
        ([good, "--baseline", other], "was taken on other products or grades"),
        ([good, "--bundle", tmp_path], "is no bundle and holds none"),
    ):
        result = run("report", *arguments, "--out", tmp_path / "page")
        assert (result.exit_code, len(result.stderr.strip().splitlines())) == (1, 1), result.output
        assert fault in result.stderr
        assert not (tmp_path / "page").exists()


@pytest.mark.parametrize("missing", ["matplotlib", "jinja2"])
def test_what_is_not_installed_is_named_before_the_work(
    own_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for name in [
        name for name in sys.modules if name.partition(".")[0] == missing or name.startswith("evaluation.page")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "evaluation.charts", raising=False)
    monkeypatch.delattr(evaluation, "charts", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    result = run("relevance", "--dataset", own_shop, "--json", tmp_path / "a.json", "--report", tmp_path / "page")
    assert result.exit_code == 1
    assert result.stderr.strip() == f"error: {missing} is not installed; pip install 'vitrine[train]'"
    assert not (tmp_path / "a.json").exists()
