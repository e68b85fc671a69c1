"""Every message and file format under a few hundred inputs of the fuzzer; `python -m tests.fuzz` runs a million."""

import gc
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.fuzz import texts
from tests.fuzz.__main__ import CORPUS, corpus_name, corpus_of
from tests.fuzz.calls import Calls, call_names, calls
from tests.fuzz.files import Files
from tests.fuzz.target import Target

# Deterministic: the same inputs at every run, on every machine.
SETTINGS = hypothesis.settings(
    derandomize=True, max_examples=20, database=None, suppress_health_check=list(hypothesis.HealthCheck)
)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    with calls(tmp_path_factory.mktemp("server")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def left_alone() -> Iterator[None]:
    """What other tests left is not collected as deep as a nested input goes, where its finalizers would fail."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    name: str = request.param
    found = request.getfixturevalue("sent").targets() if name in call_names() else _read(tmp_path)
    return next(target for target in found if target.name == name)


def _read(folder: Path) -> list[Target]:
    return [*texts.targets(), *Files(folder).targets()]


def _names(folder: Path) -> list[str]:
    return [*call_names(), *(target.name for target in _read(folder))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" in metafunc.fixturenames:
        folder = metafunc.config._tmp_path_factory.mktemp("names")  # type: ignore[attr-defined]
        metafunc.parametrize("target", _names(folder), indirect=True)


def test_what_was_a_fault_once_is_none_now(target: Target) -> None:
    for path in corpus_of(target):
        target.run(path.read_bytes())


def test_is_read_or_refused(target: Target) -> None:
    @SETTINGS
    @hypothesis.given(random=st.randoms(use_true_random=True))
    def one(random: Random) -> None:
        target.run(target.make(random))

    one()


def test_every_corpus_belongs_to_a_target(tmp_path: Path) -> None:
    known = {corpus_name(Target(name, lambda _: b"", _nothing)) for name in _names(tmp_path)}
    assert {path.name for path in CORPUS.iterdir()} <= known


def _nothing(data: bytes) -> Any:
    return data
