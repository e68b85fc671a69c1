"""Shops with an event store, and a file of experiments."""

from pathlib import Path

import pytest

from gateway.experiments.definitions import Definitions, read_definitions
from tests.gateway.events.conftest import events_settings, raw, store_server
from tests.gateway.recommendation.conftest import open_stand

__all__ = ["events_settings", "open_stand", "raw", "store_server"]


class ExperimentsFile:
    """A file that tests write, as an operator would."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, text: str) -> None:
        """Replaces the file."""
        scratch = self.path.with_suffix(".new")
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(self.path)

    def visitor_in(self, experiment: str, arm: str) -> str:
        """Some visitor of an arm."""
        definitions: Definitions = read_definitions(self.path)
        found = definitions.experiments[experiment]
        return next(
            visitor
            for visitor in (f"v{number}" for number in range(1_000))
            if (given := found.arm_of(experiment, visitor)) and given.name == arm
        )


@pytest.fixture
def experiments_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ExperimentsFile:
    """The gateway's file of experiments; not there until the test writes it."""
    path = tmp_path / "experiments.toml"
    monkeypatch.setenv("VITRINE_EXPERIMENTS_FILE", str(path))
    return ExperimentsFile(path)
