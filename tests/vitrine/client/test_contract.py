"""The client has every public method, with the contract's messages, and is light."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import files, requires
from pathlib import Path
from typing import Any

import vitrine.client
from gateway.auth.scopes import SCOPES
from vitrine.client.calls import Method

FOLDER = Path(vitrine.client.__file__).parent
PAGE = (FOLDER.parents[1] / "docs" / "client.md").read_text()
MODULES = [import_module(f"vitrine.client.{path.stem}") for path in FOLDER.glob("*.py") if path.stem != "__init__"]


def test_every_public_method_is_there_with_its_messages() -> None:
    methods: list[Method[Any, Any]] = list(
        {
            value.path: value for module in MODULES for value in vars(module).values() if isinstance(value, Method)
        }.values()
    )
    assert {method.path for method in methods} == {path for path in SCOPES if path.startswith("/vitrine.v1.")}
    for method in methods:
        service, name = method.name.split("/")
        descriptor = method.request.DESCRIPTOR.file.services_by_name[service].methods_by_name[name]
        assert descriptor.input_type is method.request.DESCRIPTOR
        assert descriptor.output_type is method.answer.DESCRIPTOR
        assert method.is_stream is descriptor.server_streaming
    assert [method.name for method in methods if not method.is_repeatable] == ["ReleaseService/RollbackRelease"]


BLOCKED = """
import json, sys
allowed, allowed_tops = set(json.load(sys.stdin)), sys.stdlib_module_names | {"vitrine"}

class Others:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if name in allowed or top in allowed_tops or top.startswith("_sysconfigdata"):
            return None
        raise ModuleNotFoundError(f"{name} is not of the packages that the page names", name=name)

sys.meta_path.insert(0, Others())
import vitrine.client
print(*sys.modules)
"""


def test_it_needs_no_more_packages_than_the_page_says() -> None:
    block = re.search(r"needs these alone.*?```\n(.*?)\n```", PAGE, re.DOTALL)
    assert block is not None
    modules = {name for package in with_their_own(block[1].split()) for name in modules_of(package)}
    ran = subprocess.run(
        [sys.executable, "-c", BLOCKED], input=json.dumps(sorted(modules)), capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    heavy = {"faiss", "onnxruntime", "transformers", "torch", "tokenizers", "tantivy", "numpy", "cryptography"}
    assert not heavy & set(ran.stdout.split())


def with_their_own(packages: list[str]) -> set[str]:
    """The packages, and those that they need themselves."""
    found: set[str] = set()
    while packages:
        found.add(package := packages.pop())
        needed = (re.split(r"[^\w.-]", line)[0] for line in requires(package) or () if ";" not in line)
        packages += [name for name in needed if name not in found]
    return found


def modules_of(package: str) -> Iterator[str]:
    """Names of all modules and folders of modules that a package installed."""
    for path in files(package) or ():
        parts = [*path.parts[:-1], path.name.partition(".")[0]]
        yield from (".".join(parts[: depth + 1]) for depth in range(len(parts)))


def test_the_page_names_every_call() -> None:
    client = vitrine.client.Client("127.0.0.1:1")
    for name in ("catalog", "events", "ads", "releases", "ops"):
        for call in (each for each in dir(getattr(client, name)) if not each.startswith("_")):
            assert re.search(rf"`(?:{name}\.)?{call}`", PAGE), f"{name}.{call}"
