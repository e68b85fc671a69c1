"""Generated code and the runtimes that the project allows."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def lowest(package: str) -> tuple[int, ...]:
    """The lowest version of a package that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [pin] = [d for d in project["dependencies"] if re.match(rf"{package}\b(?!-)", d)]
    found = re.search(r">=([\d.]+)", pin)
    assert found, pin
    return tuple(map(int, found[1].split(".")))


def generated(pattern: str, marker: str) -> set[tuple[int, ...]]:
    """The versions that generated files say they need."""
    files = sorted((ROOT / "vitrine" / "v1").glob(pattern))
    assert files
    found = [re.search(marker, file.read_text()) for file in files]
    return {tuple(map(int, match[1].split("."))) for match in found if match}


def test_the_lowest_allowed_runtimes_can_load_the_generated_code() -> None:
    """grpc#39912 (case 35): generated code newer than the installed runtime fails at import."""
    [protobuf] = generated("*_pb2.py", r"# Protobuf Python Version: ([\d.]+)")
    [grpcio] = generated("*_pb2_grpc.py", r"GRPC_GENERATED_VERSION = '([\d.]+)'")
    assert protobuf <= lowest("protobuf")
    assert grpcio <= lowest("grpcio")
