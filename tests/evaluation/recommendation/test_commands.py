"""The real command on small data whose figures follow by hand."""

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app

# Each of 12 users ends with product "next-N" of their kind, which follows "last-N"; 3 kinds of 4 users.
_KINDS, _USERS = 3, 4


def _beauty(folder: Path) -> Path:
    lines = []
    for user in range(_KINDS * _USERS):
        kind = user % _KINDS
        # The last user of each kind is the one whose next product others foretell; the rest have it before their end.
        ends = f"{10 + kind} {20 + kind}" if user < _KINDS * (_USERS - 1) else f"{10 + kind}"
        final = str(30 + user) if user < _KINDS * (_USERS - 1) else f"{20 + kind}"
        lines.append(f"{user} {kind + 1} {ends} {final}")
    (folder / "beauty").mkdir(parents=True)
    with gzip.open(folder / "beauty" / "interactions.txt.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    with gzip.open(folder / "beauty" / "item2attributes.json.gz", "wt", encoding="utf-8") as file:
        json.dump({"1": [1, 2], "2": [2]}, file)
    return folder


def _evaluate(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["evaluate", "recommendation", *arguments], env={"COLUMNS": "200"})
    return result.exit_code, result.output


def test_baselines_have_the_figures_that_follow_by_hand(tmp_path: Path) -> None:
    code, output = _evaluate(
        *("--dataset", "beauty", "--data-dir", str(_beauty(tmp_path)), "--json", str(tmp_path / "now.json")),
        "--baselines-only",
    )

    assert code == 0, output
    assert "SASRec, published" in output
    result = json.loads((tmp_path / "now.json").read_text(encoding="utf-8"))
    task = result["tasks"]["next product"]
    assert task["questions"] == _KINDS * _USERS
    for method in ("item-item, cosine", "item-item"):
        figures = task["figures"][method]
        # 3 of 12 users end with what others turned to; their neighbours find it first, and nobody finds the others.
        assert figures["recall@10"]["value"] == pytest.approx(3 / 12)
        assert figures["ndcg@10"]["value"] == pytest.approx(3 / 12)
    # What nobody turned to before is in no training event, and so is rare and not found.
    assert task["figures"]["item-item"]["rare recall@50"]["count"] == 12
    # Of 18 products known, 20 + kind is among the 9 with more than one event.
    assert task["figures"]["popularity"]["recall@10"]["value"] == pytest.approx(3 / 12)
    assert result["data_digest"]
    assert set(result["seconds"]) == {"popularity", "item-item, cosine", "item-item", "als", "popularity+als"}


@pytest.mark.parametrize(
    ("line", "said"),
    [("7 one 2", "line 1 is not a user id and item ids"), ("", "has no user"), ("1 2 3", "histories of at least 3")],
)
def test_bad_beauty_files_are_told_in_one_line(tmp_path: Path, line: str, said: str) -> None:
    folder = _beauty(tmp_path)
    with gzip.open(folder / "beauty" / "interactions.txt.gz", "wt", encoding="utf-8") as file:
        file.write(line + "\n")

    code, output = _evaluate("--dataset", "beauty", "--data-dir", str(folder), "--baselines-only")

    assert code == 1
    assert said in " ".join(output.split())
    assert "Traceback" not in output


def test_baselines_need_no_embedder(tmp_path: Path) -> None:
    (tmp_path / "games").mkdir()
    titles = "".join(f"{item}\tgame {item}\n" for item in range(9))
    users = "".join(f"{user}\t{user % 3} {3 + user % 3}\t{6 + user % 3}\n" for user in range(12))
    for name, text in (
        ("items", f"item_id:token\ttitle:token_seq\n{titles}"),
        ("sequences", f"user_id:token\titem_id_list:token_seq\titem_id:token\n{users}"),
    ):
        (tmp_path / "games" / f"{name}.tsv.gz").write_bytes(gzip.compress(text.encode()))
    arguments = ("--dataset", "games", "--data-dir", str(tmp_path), "--embedder", str(tmp_path / "none"))
    code, output = _evaluate(*arguments, "--baselines-only")
    assert code == 0, output
    assert "popularity+als" in output


def test_games_name_line_and_column_of_an_item_that_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "games").mkdir()
    with gzip.open(tmp_path / "games" / "items.tsv.gz", "wt", encoding="utf-8") as file:
        file.write("item_id:token\ttitle:token_seq\n0\tChess &amp; Go\n1\tDice\n")
    with gzip.open(tmp_path / "games" / "sequences.tsv.gz", "wt", encoding="utf-8") as file:
        file.write("user_id:token\titem_id_list:token_seq\titem_id:token\n0\t0 1\t2\n")

    code, output = _evaluate("--dataset", "games", "--data-dir", str(tmp_path), "--baselines-only")

    assert code == 1
    assert "line 2, column item_id: item '2' is not in items.tsv.gz" in " ".join(output.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--dataset", "nowhere"), "'nowhere' is not known"),
        (("--dataset", "beauty"), "--data-dir: is missing"),
        (("--dataset", "games", "--data-dir", "nowhere"), "there is no file"),
    ],
)
def test_what_is_missing_is_said(arguments: tuple[str, ...], said: str) -> None:
    code, output = _evaluate(*arguments, "--baselines-only")

    assert code == 1
    assert said in " ".join(output.split())
