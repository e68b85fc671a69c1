"""What compose files and Kubernetes manifests say, held to what the services read and serve."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from gateway.auth.settings import AuthSettings
from gateway.events.settings import EventsSettings
from gateway.recommendation.settings import RecommendationSettings
from gateway.settings import GatewaySettings
from services.embedder.settings import EmbedderSettings
from services.ranker.settings import RankerSettings
from services.retriever.settings import RetrieverSettings
from vitrine.tls import TlsSettings
from vitrine.trace_export import TracingSettings

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, tuple[BaseSettings, ...]] = {
    "gateway": (GatewaySettings(), EventsSettings(), RecommendationSettings(), AuthSettings(), TlsSettings()),
    "embedder": (EmbedderSettings(), TlsSettings()),
    "retriever": (RetrieverSettings(), TlsSettings()),
    "ranker": (RankerSettings(), TlsSettings()),
}
OVERLAYS = sorted(path.name for path in ROOT.glob("docker-compose.*.yml"))


def _known(settings: BaseSettings) -> Iterator[str]:
    """The variables that a settings class reads."""
    prefix = settings.model_config.get("env_prefix", "")
    for name, field in type(settings).model_fields.items():
        yield f"{prefix}{name}".upper()
        choices = getattr(field.validation_alias, "choices", [field.validation_alias])
        yield from (choice for choice in choices if isinstance(choice, str))


def _unknown(service: str, variables: Iterator[str] | list[str]) -> set[str]:
    known = {name for settings in (*SERVICES[service], TracingSettings()) for name in _known(settings)}
    return {name for name in variables if name.startswith("VITRINE_")} - known


def _manifests(*folders: str) -> list[dict[str, Any]]:
    paths = [path for folder in folders for path in sorted((ROOT / "deploy/kubernetes" / folder).glob("*.yaml"))]
    return [one for path in paths for one in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def _of_kind(*kinds: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in _manifests("base") if one["kind"] in kinds}


@pytest.mark.parametrize("overlay", ["docker-compose.yml", *OVERLAYS])
def test_compose_sets_what_the_services_read(overlay: str) -> None:
    file = yaml.safe_load((ROOT / overlay).read_text(encoding="utf-8").replace("!override", "").replace("!reset", ""))
    said = {name: service.get("environment", {}) for name, service in file["services"].items() if name in SERVICES}
    assert said
    assert {name: unknown for name, variables in said.items() if (unknown := _unknown(name, list(variables)))} == {}


def test_kubernetes_sets_what_the_services_read_and_reaches_their_ports() -> None:
    workloads, services = _of_kind("Deployment", "StatefulSet"), _of_kind("Service")
    assert set(workloads) == set(services) == set(SERVICES)
    for name, workload in workloads.items():
        [container] = workload["spec"]["template"]["spec"]["containers"]
        assert _unknown(name, [variable["name"] for variable in container["env"]]) == set()
        port = SERVICES[name][0].model_dump()["port"]
        assert container["ports"][0] == {"containerPort": port}
        assert {container[f"{what}Probe"]["grpc"]["port"] for what in ("startup", "readiness")} == {port}
        assert services[name]["spec"]["clusterIP"] == "None"
        assert services[name]["spec"]["ports"][0]["port"] == port
        assert services[name]["spec"]["selector"] == workload["spec"]["template"]["metadata"]["labels"]
        for variable in container["env"]:
            if variable["name"].endswith("_TARGET"):
                host, _, target_port = variable["value"].removeprefix("dns:///").partition(":")
                assert services[host]["spec"]["ports"][0]["port"] == int(target_port)


def test_every_deployment_is_guarded_and_every_manifest_listed() -> None:
    [kustomization] = [one for one in _manifests("base") if one["kind"] == "Kustomization"]
    listed = set(kustomization["resources"])
    assert listed == {path.name for path in (ROOT / "deploy/kubernetes/base").glob("*.yaml")} - {"kustomization.yaml"}
    assert set(_of_kind("PodDisruptionBudget")) == set(SERVICES)


def test_the_overlay_of_milvus_sets_what_the_retriever_reads() -> None:
    [kustomization] = _manifests("milvus")
    [patch] = kustomization["patches"]
    added = [one["value"] for one in yaml.safe_load(patch["patch"])]
    assert _unknown("retriever", [variable["name"] for variable in added]) == set()
    assert {"name": "VITRINE_RETRIEVER_BACKEND", "value": "milvus"} in added
