"""An example: the toolchain that it needs, and the commands that build and run it in its own folder."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Tool:
    """`name` of at least version `least`, which `command` prints where `pattern` stands before it."""

    name: str
    least: tuple[int, ...]
    command: tuple[str, ...]
    pattern: str

    def lack(self, folder: Path) -> str:
        """What is wrong with it, as it answers in `folder`; empty: it is there and new enough."""
        needed = f"{self.name} {'.'.join(map(str, self.least))} or newer is needed"
        if shutil.which(self.command[0]) is None:
            return f"{needed}, and {self.command[0]} is not installed"
        told = subprocess.run(self.command, cwd=folder, capture_output=True, text=True, check=False)
        found = re.search(rf"{self.pattern}(\d+(?:\.\d+)*)", told.stdout + told.stderr)
        if told.returncode or found is None:
            return f"{needed}, and {' '.join(self.command)} says: {' '.join((told.stderr or told.stdout).split())}"
        if tuple(map(int, found[1].split("."))) < self.least:
            return f"{needed}, and this is {found[1]}"
        return ""


@dataclass(frozen=True, slots=True)
class Client:
    """The example in `examples/<name>`; `build` and `run` are shell commands, as docs/examples.md has them."""

    name: str
    tools: tuple[Tool, ...]
    build: tuple[str, ...]
    run: str

    def lack(self) -> str:
        """What its toolchain lacks; empty: nothing."""
        return "; ".join(filter(None, (tool.lack(FOLDER / self.name) for tool in self.tools)))

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
    Client(
        "go",
        # Within the module: a Go that may fetch the newer one which go.mod asks for answers with that one's version.
        (Tool("Go", (1, 26), ("go", "version"), "go version go"),),
        (_GENERATE, "go build -o ../../build/example-go ."),
        "../../build/example-go",
    ),
    Client(
        "typescript",
        (Tool("Node", (20,), ("node", "--version"), "v"), Tool("npm", (9,), ("npm", "--version"), "")),
        ("npm ci --no-audit --no-fund", _GENERATE, "npm run --silent build"),
        "npm run --silent start",
    ),
    Client(
        "java",
        (
            Tool("a JDK of version", (17,), ("javac", "-version"), "javac "),
            # Its own Java may be another than that on PATH.
            Tool("Maven with Java", (17,), ("mvn", "-B", "-version"), "Java version: "),
            Tool("Maven", (3, 6, 3), ("mvn", "-B", "-version"), "Apache Maven "),
        ),
        ("mvn -B -q -ntp compile",),
        "mvn -B -q -ntp exec:java",
    ),
)
