"""`python -m tests.fuzz`: any number of inputs for every target, in processes of their own; a Markdown table.

What reads bytes itself (files, texts) is guided by coverage where atheris is installed; calls get messages made from
descriptors. Each kind of fault leaves its first input in build/fuzz: a file of tests/fuzz/corpus is run by `make test`.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fuzz.target import Target

FAULTS = Path("build/fuzz")
CORPUS = Path(__file__).parent / "corpus"
# By what an input costs: 5 ms for a call, 10 ms for a file, 0.1 to 1 ms for a text.
_SHARES = {"calls": 0.1, "files": 0.3, "texts": 0.6}
_GROUPS_OF_CALLS = 6
_HANGS_AFTER_S = 60
_SEEDS = 200


class Hung(Exception):
    """An input that takes longer than any should."""


class Trial:
    """One target's inputs: how many, since when, and the first input of each kind of fault."""

    def __init__(self, target: "Target", inputs: int, ends_at_s: float) -> None:
        self.target = target
        self._inputs = inputs
        self._ends_at_s = ends_at_s
        self._began_at_s = time.monotonic()
        self.done = 0
        self.slowest_s = 0.0
        self.faults: dict[str, str] = {}

    @property
    def is_over(self) -> bool:
        """Whether it had its inputs, or its time."""
        return self.done >= self._inputs or time.monotonic() >= self._ends_at_s

    def run(self, data: bytes) -> None:
        """Runs one input."""
        began_at_s = time.monotonic()
        try:
            self.target.run(data)
        except Exception as error:
            self._keep(data, error)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began_at_s)
        self.done += 1

    def report(self) -> dict[str, Any]:
        """What came of it."""
        took_s = time.monotonic() - self._began_at_s
        return {"target": self.target.name, "inputs": self.done, "per_s": self.done / took_s,
                "slowest_s": self.slowest_s, "faults": list(self.faults.values())}  # fmt: skip

    def _keep(self, data: bytes, error: Exception) -> None:
        cause = error.__cause__ or error
        place = traceback.extract_tb(cause.__traceback__)[-1:]
        kind = f"{type(cause).__name__}{[(frame.filename, frame.lineno) for frame in place]}"
        if kind in self.faults:
            return
        path = FAULTS / corpus_name(self.target) / hashlib.sha256(data).hexdigest()[:12]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.with_suffix(".txt").write_text("".join(traceback.format_exception(error)), "utf-8", "backslashreplace")
        self.faults[kind] = f"{path}: {type(cause).__name__}: {str(cause)[:200]}"


def corpus_name(target: "Target") -> str:
    """The folder of a target's inputs."""
    return re.sub(r"\W+", "-", target.name)


def corpus_of(target: "Target") -> list[Path]:
    """Inputs that were faults once."""
    return sorted((CORPUS / corpus_name(target)).glob("*"))


def main() -> int:
    """0 where no input was a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="inputs in all")
    parser.add_argument("--minutes", type=float, default=600.0, help="longest that each process may take")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="targets whose names hold this")
    parser.add_argument("--targets", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--guided", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.targets is not None:
        return _child(given)
    jobs = _jobs(given)
    with ThreadPoolExecutor(given.processes) as pool:
        reports = [report for reports in pool.map(_spawned, jobs) for report in reports]
    return _shown(reports)


def _jobs(given: argparse.Namespace) -> list[list[str]]:
    """Command lines of the processes."""
    with tempfile.TemporaryDirectory() as folder:
        from tests.fuzz import texts
        from tests.fuzz.calls import call_names
        from tests.fuzz.files import Files

        every = {
            "calls": call_names(),
            "files": [target.name for target in Files(Path(folder)).targets()],
            "texts": [target.name for target in texts.targets()],
        }
    names = {kind: [name for name in found if given.only in name] for kind, found in every.items()}
    if not any(names.values()):
        raise SystemExit(f"no target's name holds {given.only!r}")
    shared = sum(_SHARES[kind] for kind, found in names.items() if found)
    each = {kind: given.inputs * _SHARES[kind] / shared / max(len(found), 1) for kind, found in names.items()}
    groups = [names["calls"][start::_GROUPS_OF_CALLS] for start in range(_GROUPS_OF_CALLS)]
    guided = ["--guided"] if find_spec("atheris") else []
    return [
        *(_job(given, group, each["calls"], []) for group in groups if group),
        *(_job(given, [name], each[kind], guided) for kind in ("texts", "files") for name in names[kind]),
    ]


def _job(given: argparse.Namespace, names: list[str], each: float, more: list[str]) -> list[str]:
    ends = ["--minutes", str(given.minutes), "--seed", str(given.seed)]
    return [sys.executable, "-m", "tests.fuzz", "--inputs", str(round(each)), *ends, *more, "--targets", *names]


def _spawned(job: list[str]) -> list[dict[str, Any]]:
    done = subprocess.run(job, capture_output=True, text=True)
    reports = [json.loads(line[7:]) for line in done.stdout.splitlines() if line.startswith("report ")]
    missing = [name for name in job[job.index("--targets") + 1 :] if name not in {one["target"] for one in reports}]
    ended = f"the process ended with {done.returncode}: {done.stderr[-2_000:]}"
    reports += [{"target": name, "inputs": 0, "per_s": 0.0, "slowest_s": 0.0, "faults": [ended]} for name in missing]
    for report in reports:
        print(_row(report), file=sys.stderr, flush=True)
    return reports


def _shown(reports: list[dict[str, Any]]) -> int:
    faults = [fault for report in reports for fault in report["faults"]]
    print("| target | inputs | inputs/s | slowest, s | faults |\n|---|--:|--:|--:|--:|")
    for report in reports:
        print(_row(report))
    print(f"\n{sum(report['inputs'] for report in reports):,} inputs, {len(faults)} kinds of faults")
    for fault in faults:
        print(f"* {fault}")
    return 1 if faults else 0


def _row(report: dict[str, Any]) -> str:
    return "| {target} | {inputs:,} | {per_s:,.0f} | {slowest_s:.2f} | {0} |".format(len(report["faults"]), **report)


def _child(given: argparse.Namespace) -> int:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ends_at_s = time.monotonic() + given.minutes * 60
        if given.guided:
            import atheris

            with atheris.instrument_imports(include=["vitrine", "gateway", "services", "cli"]):
                (target,) = [one for one in _files_and_texts(folder) if one.name in given.targets]
            _guided(Trial(target, given.inputs, ends_at_s), Random(given.seed), folder)
        found = list(_files_and_texts(folder))
        if not {target.name for target in found} >= set(given.targets):
            from tests.fuzz.calls import calls

            (folder / "server").mkdir()
            found = stack.enter_context(calls(folder / "server")).targets()
        for target in found:
            if target.name in given.targets:
                _by_chance(Trial(target, given.inputs, ends_at_s), Random(given.seed))
    return 0


def _by_chance(trial: Trial, random: Random) -> None:
    signal.signal(signal.SIGALRM, _hung)
    for data in _inputs(trial.target, random):
        if trial.is_over:
            break
        signal.alarm(_HANGS_AFTER_S)
        trial.run(data)
        signal.alarm(0)
    print(f"report {json.dumps(trial.report())}", flush=True)


def _inputs(target: "Target", random: Random) -> Iterator[bytes]:
    """What were faults once, then new ones without end."""
    yield from (path.read_bytes() for path in corpus_of(target))
    yield from (target.make(random) for _ in count())


def _guided(trial: Trial, random: Random, folder: Path) -> None:
    """Inputs that libFuzzer bends where that reaches new code, half of them made anew. Ends the process."""
    import atheris

    seeds = folder / "seeds"
    seeds.mkdir()
    inputs = _inputs(trial.target, random)
    for number in range(_SEEDS):
        (seeds / str(number)).write_bytes(next(inputs))

    def one(data: bytes) -> None:
        trial.run(data)
        if trial.is_over:
            print(f"report {json.dumps(trial.report())}", flush=True)
            # libFuzzer has no end of its own that could clean up.
            shutil.rmtree(folder)
            os._exit(0)

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        chance = Random(seed)
        made: bytes = trial.target.make(chance) if chance.random() < 0.5 else atheris.Mutate(data, most)
        return made[:most]

    options = [f"-timeout={_HANGS_AFTER_S}", "-max_len=65536", "-rss_limit_mb=4096", "-verbosity=0"]
    artifacts = FAULTS / corpus_name(trial.target)
    artifacts.mkdir(parents=True, exist_ok=True)
    atheris.Setup(
        ["fuzz", str(seeds), *options, f"-seed={random.randrange(1, 2**31)}", f"-artifact_prefix={artifacts}/"],
        one,
        custom_mutator=mutated,
    )
    atheris.Fuzz()


def _files_and_texts(folder: Path) -> "list[Target]":
    from tests.fuzz import texts
    from tests.fuzz.files import Files

    return [*texts.targets(), *Files(Path(tempfile.mkdtemp(dir=folder))).targets()]


def _hung(*_: object) -> None:
    raise Hung(f"took longer than {_HANGS_AFTER_S} s")


if __name__ == "__main__":
    sys.exit(main())
