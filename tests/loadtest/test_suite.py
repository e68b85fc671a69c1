"""A suite that is started for a test."""

from pathlib import Path

import pytest

from cli.up.ports import free_port
from loadtest.suite import SuiteNotReady, started


def test_what_does_not_start_says_why_and_where_its_data_lies(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    settings = {f"VITRINE_GATEWAY_{name}": str(free_port()) for name in ("PORT", "HTTP_PORT")}
    with (
        pytest.raises(SuiteNotReady, match=rf"no bundle at {nowhere}[^\n]*\nits data folder is {tmp_path}/data$"),
        started(tmp_path, settings={"VITRINE_EMBEDDER_BUNDLE": str(nowhere), **settings}),
    ):
        pass
