"""An example: the programs that it needs, and the commands that build and run it in its own folder."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Client:
    """The example in `examples/<name>`; `build` and `run` are shell commands, as docs/examples.md has them."""

    name: str
    programs: tuple[str, ...]
    build: tuple[str, ...]
    run: str

    def missing(self) -> list[str]:
        """Programs of its toolchain that are not on PATH."""
        return [program for program in self.programs if shutil.which(program) is None]

    def make(self) -> None:
        """Generates and builds it. Raises CalledProcessError when a command fails."""
        for command in self.build:
            self._shell(command)

    def call(self, environment: Mapping[str, str]) -> None:
        """Runs it. Raises CalledProcessError when it fails."""
        self._shell(self.run, environment)

    def _shell(self, command: str, environment: Mapping[str, str] | None = None) -> None:
        print(f"$ cd examples/{self.name} && {command}", flush=True)
        subprocess.run(command, shell=True, cwd=FOLDER / self.name, env=environment, check=True)


_GENERATE = "../../.venv/bin/buf generate"
CLIENTS = (
    Client("go", ("go",), (_GENERATE, "go build -o ../../build/example-go ."), "../../build/example-go"),
    Client(
        "typescript",
        ("node", "npm"),
        ("npm ci --no-audit --no-fund", _GENERATE, "npm run --silent build"),
        "npm run --silent start",
    ),
    Client("java", ("javac", "mvn"), ("mvn -B -q -ntp compile",), "mvn -B -q -ntp exec:java"),
)
