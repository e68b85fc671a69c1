"""What a run gave, whole: kept as JSON, so that its page can be drawn again."""

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from loadtest.ghz import Measured
from loadtest.knee import Swept


@dataclass(frozen=True)
class Result:
    """Stages by shape of the suite, and those that were loaded by more and more callers."""

    title: str
    seed: int
    seconds: float
    replicas: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    measured: dict[str, list[Measured]] = field(default_factory=dict)
    swept: list[Swept] = field(default_factory=list)
    broken_limits: list[str] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Writes it as JSON."""
        path.write_bytes(_JSON.dump_json(self, indent=1) + b"\n")

    @classmethod
    def read(cls, path: Path) -> "Result":
        """The result that was written there."""
        return _JSON.validate_json(path.read_bytes())


_JSON = TypeAdapter(Result)
