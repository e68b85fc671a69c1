"""Settings: misspelt, unreadable, and at odds with each other."""

import re
from pathlib import Path

import pytest

from cli.doctor.findings import Verdict
from cli.doctor.variables import CLASSES, COMPOSE, variables
from reference.settings import SECTIONS
from tests.cli.doctor.conftest import is_well, tells
from tests.cli.up.running import ROOT


def test_every_class_of_settings_is_known() -> None:
    assert set(CLASSES) == {section.settings for section in SECTIONS}
    known = {name for one in CLASSES for name in variables(one)}
    assert {"VITRINE_CATALOGUE_URL", "REDIS_URL", "VITRINE_RANKER_BATCH__BULK_SHARE"} <= known


def test_what_only_the_compose_files_read_is_known() -> None:
    put_in = {
        name for path in ROOT.glob("docker-compose*.yml") for name in re.findall(r"\$\{(VITRINE_\w+)", path.read_text())
    }
    assert put_in - {name for one in CLASSES for name in variables(one)} == COMPOSE


async def test_a_name_that_nothing_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("vitrine_gateway_port", "50051")
    monkeypatch.setenv("VITRINE_TLS_DIR", "./tls")
    await is_well("settings.names")
    monkeypatch.setenv("VITRINE_GATEWAY_RANK_DETPH", "16")
    await tells("settings.names", Verdict.PROBLEM, "VITRINE_GATEWAY_RANK_DETPH", "mean VITRINE_GATEWAY_RANK_DEPTH?")


async def test_a_value_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    await is_well("settings.values")
    monkeypatch.setenv("VITRINE_GATEWAY_RANK_DEPTH", "secret")
    monkeypatch.setenv("VITRINE_EMBEDDER_BATCH__BULK_SHARE", "secret")
    monkeypatch.setenv("VITRINE_TRACING_SAMPLE_SHARE", "7")
    found = await tells("settings.values", Verdict.PROBLEM, "VITRINE_GATEWAY_RANK_DEPTH: ", "valid integer")
    assert "secret" not in found.seen
    await tells("settings.values", Verdict.PROBLEM, "VITRINE_EMBEDDER_BATCH__BULK_SHARE: ")
    await tells("settings.values", Verdict.PROBLEM, "VITRINE_TRACING_SAMPLE_SHARE: ", "less than or equal to 1")
    # What stands on such settings is said not to be known, and no traceback.
    await tells("network.names", Verdict.UNKNOWN, "GatewaySettings", "settings.values")


async def test_files_that_are_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    await is_well("settings.files")
    (tmp_path / "rules.toml").write_text("synonyms = 3\n")
    monkeypatch.setenv("VITRINE_RETRIEVER_RULES", str(tmp_path / "rules.toml"))
    monkeypatch.setenv("VITRINE_EXPERIMENTS_FILE", str(tmp_path / "none.toml"))
    monkeypatch.setenv("VITRINE_AUTH_JWKS", "https://id.example/keys")
    await tells("settings.files", Verdict.PROBLEM, "VITRINE_RETRIEVER_RULES", "rules.toml: ")
    await tells("settings.files", Verdict.PROBLEM, "VITRINE_EXPERIMENTS_FILE", "No such file")
    await tells("settings.files", Verdict.PROBLEM, "VITRINE_AUTH_JWT_ISSUER")


@pytest.mark.parametrize(
    ("settings", "verdict", "words"),
    [
        ({"EMBEDDER_PORT": "7001", "RANKER_METRICS_PORT": "7001"}, Verdict.PROBLEM, "are both 7001"),
        ({"TLS_CERTIFICATE": "tls.crt"}, Verdict.PROBLEM, "set VITRINE_TLS_KEY too"),
        ({"TLS_CA": "ca.crt"}, Verdict.PROBLEM, "needs VITRINE_TLS_CERTIFICATE"),
        ({"GATEWAY_TLS_CLIENT_CA": "ca.crt"}, Verdict.PROBLEM, "VITRINE_GATEWAY_TLS_CERTIFICATE"),
        ({"CLIENT_API_KEY": "a", "CLIENT_API_KEY_FILE": "b"}, Verdict.WARNING, "both set"),
        ({"GATEWAY_HOST": "0.0.0.0"}, Verdict.WARNING, "asks nobody"),
        ({"GATEWAY_HOST": "0.0.0.0", "AUTH_KEYS_FILE": "k.json"}, Verdict.WARNING, "in the clear"),
        ({"RETRIEVER_HOST": "0.0.0.0", "AUTH_KEYS_FILE": "k.json"}, Verdict.WARNING, "the retriever listens"),
        ({"AUTH_ANONYMOUS_SCOPES": "search"}, Verdict.PROBLEM, "without keys or tokens"),
        ({"RANKER_DEBUG_PORT": "7002", "RANKER_DEBUG_HOST": "0.0.0.0"}, Verdict.WARNING, "stacks are shown"),
        ({"GATEWAY_EMBED_TIMEOUT_S": "20"}, Verdict.PROBLEM, "VITRINE_GATEWAY_EMBED_TIMEOUT_S is not below"),
        ({"GATEWAY_RANK_RESERVE_S": "2"}, Verdict.PROBLEM, "leaves the ranker no time"),
        ({"EMBEDDER_MIN_PING_INTERVAL_S": "300"}, Verdict.PROBLEM, "as clients ping"),
        ({"GATEWAY_MAX_BODY_BYTES": "9000000"}, Verdict.WARNING, "HTTP takes what gRPC refuses"),
        ({"RETRIEVER_MAX_MESSAGE_BYTES": "1000"}, Verdict.PROBLEM, "what the gateway sends"),
        (
            {"GATEWAY_REDIS_URL": "redis://r", "EVENTS_REDIS_URL": "redis://u:p@r:6379/1"},
            Verdict.PROBLEM,
            "cache and event store are one Redis",
        ),
        ({"RETRIEVER_BACKEND": "milvus", "RETRIEVER_STORAGE": "int8"}, Verdict.WARNING, "VITRINE_RETRIEVER_STORAGE"),
        ({"RETRIEVER_RECALL_FLOOR": "0.99"}, Verdict.PROBLEM, "above _RECALL_TARGET"),
        ({"EMBEDDER_FURTHER_RECOMMENDERS": "a"}, Verdict.WARNING, "further recommenders"),
    ],
)
async def test_settings_that_cannot_both_be_meant(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], verdict: Verdict, words: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"VITRINE_{name}", value)
    await tells("settings.contradictions", verdict, words)


async def test_the_defaults_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_GATEWAY_REDIS_URL", "redis://127.0.0.1:6379")
    monkeypatch.setenv("VITRINE_EVENTS_REDIS_URL", "redis://127.0.0.1:6380")
    await is_well("settings.contradictions")
