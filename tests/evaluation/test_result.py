"""A result's file: whole or refused, in one line that names it."""

import json
from pathlib import Path

import pytest

from evaluation.result import RelevanceResult, read_result
from vitrine.errors import FailedPrecondition, InvalidArgument


def test_a_file_cut_short_or_of_another_kind_is_refused(own_result: RelevanceResult, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    own_result.write(path)
    text = path.read_text(encoding="utf-8")
    old = {name: value for name, value in json.loads(text).items() if name != "pairs"}
    for content, fault in (
        (text[:500], "result.json: is not a whole result"),
        ("", "is not a whole result"),
        ("[]", "is not a whole result"),
        (json.dumps(old), r"\(pairs: Field required\); evaluate again"),
        (text.replace('"shop"', '"mall"'), r"\(kind: "),
    ):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(InvalidArgument, match=fault) as caught:
            read_result(path)
        assert "\n" not in caught.value.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"nowhere\.json: cannot be read: No such file"):
        read_result(tmp_path / "nowhere.json")


def test_a_result_that_cannot_be_written_leaves_nothing(own_result: RelevanceResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FailedPrecondition, match="the result cannot be written"):
        own_result.write(tmp_path / "file" / "result.json")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
