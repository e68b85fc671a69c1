"""`vitrine rules check`: what a file of rules holds, and what holds for a query."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app

RULES = """
[[synonyms]]
same = ["laptop", "notebook"]

[[rules]]
queries = ["shoes"]
pins = ["p1", "p2"]
blocks = ["p3"]
blocks_where = 'brand = "Zeta"'
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(RULES, encoding="utf-8")
    return path


def test_a_file_and_what_it_does_to_queries_are_told(file: Path) -> None:
    arguments = ["rules", "check", str(file), "--query", "Shoes", "--query", "laptops", "--query", "hat"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "2 phrases with synonyms, 1 rules for queries",
        "Shoes: pins p1, p2; blocks p3; 1 conditions block",
        "laptops: also notebook",
        "hat: no rule",
    ]


def test_what_is_wrong_is_one_line_and_status_1(file: Path) -> None:
    file.write_text("[[rules]]\nqueries = ['a']\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["rules", "check", str(file)])
    assert result.exit_code == 1
    assert "rules[0]: does nothing" in result.output
