"""Runs ghz for one stage and reads what it measured."""

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONNECTIONS = 8
INSTALL = "go install github.com/bojand/ghz/cmd/ghz@latest"


class ToolFailed(Exception):
    """The load generator, and not the suite under test, went wrong."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What ghz saw of a stage: times in milliseconds, failed calls counted in; codes other than OK are errors."""

    stage: str
    calls: int
    rps: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    codes: dict[str, int] = field(default_factory=dict)
    percentiles_ms: dict[int, float] = field(default_factory=dict)
    in_flight: int = 0

    @property
    def errors(self) -> int:
        """Calls that did not end in OK."""
        return sum(count for code, count in self.codes.items() if code != "OK")


def find_ghz() -> str:
    """Where ghz is: on PATH, or where `go install` puts it. Raises ToolFailed with the command that installs it."""
    if found := shutil.which("ghz"):
        return found
    if go := shutil.which("go"):
        told = subprocess.run([go, "env", "GOBIN", "GOPATH"], capture_output=True, text=True, check=True, timeout=60)
        gobin, gopath = told.stdout.splitlines()
        if found := shutil.which("ghz", path=gobin or str(Path(gopath) / "bin")):
            return found
    raise ToolFailed(f"ghz is not on PATH; install it: {INSTALL}")


def run_stage(stage: str, target: str, *, data: Path, descriptors: Path, ends: list[str], stages: Path) -> Measured:
    """Sends the messages of `data`, over and over, as `stages`/STAGE.json says, until `ends` (["--duration", "10s"]).

    `target` is host:port; a name that stands for several replicas is spread over all of them, round robin. Raises
    ToolFailed when ghz itself fails; a call that the suite fails is in the figures.
    """
    return _run(stage, target, data, descriptors, ["--config", str(stages / f"{stage}.json"), *ends])


def run_call(
    stage: str,
    call: str,
    target: str,
    *,
    data: Path,
    descriptors: Path,
    in_flight: int,
    ends: list[str],
    rate: float | None = None,
    stream_messages: int | None = None,
) -> Measured:
    """The same of a method, `in_flight` calls at a time over several connections.

    With a `rate`, calls begin at that many a second, whether or not those before are answered: closed loops wait with
    a server that stalls, and so do not see it. A stream sends `stream_messages` and is then closed.
    """
    how = ["--call", call, "--insecure", "--concurrency", str(in_flight), "--lb-strategy", "round_robin"]
    how += ["--connections", str(min(in_flight, CONNECTIONS)), "--duration-stop", "wait", "--timeout", "20s"]
    how += ["--count-errors", *ends]
    if rate is not None:
        how += ["--async", "--rps", str(max(1, round(rate)))]
    if stream_messages is not None:
        how += ["--stream-call-count", str(stream_messages)]
    return _run(stage, target, data, descriptors, how)


def _run(stage: str, target: str, data: Path, descriptors: Path, how: list[str]) -> Measured:
    command = [find_ghz(), *how, "--format", "json"]
    command += ["--protoset", str(descriptors), "--binary-file", str(data), f"dns:///{target}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise ToolFailed(f"ghz failed at {stage}: {(done.stderr or done.stdout).strip()}")
    return read_report(stage, json.loads(done.stdout))


def read_report(stage: str, report: dict[str, Any]) -> Measured:
    """The figures in ghz's JSON report, whose times are nanoseconds. Raises ToolFailed when it made no call."""
    if not report["count"]:
        raise ToolFailed(f"ghz made no call at {stage}")
    latency_ms = {row["percentage"]: row["latency"] / 1e6 for row in report["latencyDistribution"]}
    return Measured(
        stage,
        calls=report["count"],
        rps=report["rps"],
        p50_ms=latency_ms[50],
        p95_ms=latency_ms[95],
        p99_ms=latency_ms[99],
        codes=report["statusCodeDistribution"],
        percentiles_ms=latency_ms,
        in_flight=report["options"]["concurrency"],
    )
