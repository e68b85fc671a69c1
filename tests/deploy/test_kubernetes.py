"""Kubernetes manifests, rendered: each check finds no fault in them, and finds it in those that were broken."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.deploy import cluster_checks, pod_checks
from tests.deploy.manifests import Manifests, number, read_yaml
from tests.deploy.render import OVERLAYS, RENDERED, ROOT, SOURCES, build, digest, kustomize

Check = Callable[[Manifests], Iterator[str]]
CHECKS: tuple[Check, ...] = (*cluster_checks.CHECKS, *pod_checks.CHECKS)
WHOLE = {overlay: Manifests.of(overlay) for overlay in OVERLAYS}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_is_rendered_is_what_the_manifests_say(overlay: str) -> None:
    text = (RENDERED / f"{overlay}.yaml").read_text(encoding="utf-8")
    assert text.startswith(f"# sources: {digest()}\n"), "run make manifests"


@pytest.mark.skipif(kustomize() is None, reason="neither kustomize nor kubectl is installed")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kustomize_renders_the_same(overlay: str) -> None:
    command = kustomize()
    assert command is not None
    assert list(yaml.safe_load_all(build(overlay, command))) == WHOLE[overlay].all


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_no_check_finds_a_fault(check: Check, overlay: str) -> None:
    assert list(check(WHOLE[overlay])) == []


@pytest.mark.parametrize("overlay", ["small", "large"])
def test_the_page_says_what_each_size_needs(overlay: str) -> None:
    manifests = WHOLE[overlay]
    scalers = manifests.of_kind("HorizontalPodAutoscaler")
    processors = memory = most = disk = 0.0
    for name, workload in manifests.workloads.items():
        count = scalers[name]["spec"]["minReplicas"] if name in scalers else workload["spec"].get("replicas", 1)
        resources = manifests.container(name)["resources"]
        processors += count * number(resources["requests"]["cpu"])
        most += count * number(resources["limits"]["cpu"])
        memory += count * number(resources["requests"]["memory"])
        for claim in workload["spec"].get("volumeClaimTemplates", ()):
            disk += count * number(claim["spec"]["resources"]["requests"]["storage"])
    page = (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
    [needs] = re.findall(r"^\| needs free \| (.*) \| (.*) \|$", page, re.MULTILINE)
    said = [float(one) for one in re.findall(r"[\d.]+", needs[["small", "large"].index(overlay)])]
    held = [processors, *([most] if most != processors else []), memory / 2**30, disk / 2**30]
    assert said == [pytest.approx(one, abs=0.06) for one in held]


def test_the_pod_that_restores_is_one_that_the_namespace_takes() -> None:
    manifests = Manifests("restore", read_yaml(SOURCES / "restore.yaml"), {})
    assert [*cluster_checks.schema(manifests), *pod_checks.rights(manifests)] == []
    [pod] = manifests.all
    retriever = WHOLE["small"]
    claims = {one["persistentVolumeClaim"]["claimName"] for one in pod["spec"]["volumes"] if "emptyDir" not in one}
    [claim] = retriever.workloads["retriever"]["spec"]["volumeClaimTemplates"]
    assert claims == {f"{claim['metadata']['name']}-retriever-0"}
    assert pod["spec"]["containers"][0]["image"] == retriever.container("retriever")["image"]
    mounts = {one["mountPath"] for one in pod["spec"]["containers"][0]["volumeMounts"]}
    assert retriever.environment("retriever")["VITRINE_RETRIEVER_DATA_DIR"] in mounts
    # It is not one of the retrievers, and no Service leads to it.
    assert "app" not in pod["metadata"]["labels"]


def spec(manifests: Manifests, kind: str, name: str) -> Any:
    return manifests.of_kind(kind)[name]["spec"]


def without(manifests: Manifests, kind: str, name: str) -> None:
    manifests.all.remove(manifests.of_kind(kind)[name])


BREAKS: list[tuple[Check, str, Callable[[Manifests], Any]]] = [
    (
        cluster_checks.scaling,
        "large",
        lambda m: spec(m, "HorizontalPodAutoscaler", "embedder")["metrics"][0]["pods"]["target"].update(
            averageValue="1"
        ),
    ),
    (
        cluster_checks.edges,
        "small",
        lambda m: spec(m, "NetworkPolicy", "stores")["ingress"][0]["ports"][0].update(protocol="UDP"),
    ),
    (cluster_checks.schema, "small", lambda m: m.container("ranker").update(imagePolicy="Always")),
    (cluster_checks.schema, "large", lambda m: spec(m, "HorizontalPodAutoscaler", "ranker").update(maxReplicas="many")),
    (pod_checks.settings, "small", lambda m: m.settings("gateway")["data"].update(VITRINE_GATEWAY_RERANK_DEPTH="8")),
    (pod_checks.settings, "small", lambda m: m.settings("ranker")["data"].update(VITRINE_RANKER_GRACE_S="soon")),
    (pod_checks.settings, "large", lambda m: m.container("retriever")["env"][0].update(name="VITRINE_CATALOG_URL")),
    (pod_checks.ports, "small", lambda m: m.container("ranker")["ports"][0].update(containerPort=50055)),
    (pod_checks.ports, "small", lambda m: m.settings("ranker")["data"].update(VITRINE_RANKER_PORT="50055")),
    (pod_checks.ports, "small", lambda m: spec(m, "Service", "gateway")["ports"][1].update(port=80)),
    (pod_checks.ports, "large", lambda m: spec(m, "Service", "retriever").update(clusterIP="")),
    (pod_checks.ports, "large", lambda m: m.settings("embedder")["data"].pop("VITRINE_EMBEDDER_HOST")),
    (cluster_checks.selectors, "small", lambda m: spec(m, "Service", "redis").update(selector={"app": "cache"})),
    (cluster_checks.selectors, "large", lambda m: m.labels("ranker").update(app="rankers")),
    (
        cluster_checks.selectors,
        "example",
        lambda m: spec(m, "PodMonitor", "vitrine")["podMetricsEndpoints"][0].update(port="m"),
    ),
    (cluster_checks.edges, "small", lambda m: without(m, "NetworkPolicy", "deny")),
    (cluster_checks.edges, "small", lambda m: without(m, "NetworkPolicy", "stores")),
    (cluster_checks.edges, "large", lambda m: without(m, "NetworkPolicy", "dns")),
    (cluster_checks.edges, "large", lambda m: spec(m, "NetworkPolicy", "ranker").update(ingress=[{}])),
    (cluster_checks.edges, "large", lambda m: spec(m, "NetworkPolicy", "gateway")["egress"].pop()),
    (
        cluster_checks.edges,
        "small",
        lambda m: m.settings("gateway")["data"].update(VITRINE_EVENTS_REDIS_URL="redis://e:7000/0"),
    ),
    (cluster_checks.edges, "example", lambda m: without(m, "NetworkPolicy", "retriever-milvus")),
    (cluster_checks.edges, "example", lambda m: without(m, "NetworkPolicy", "gateway-ops")),
    (
        cluster_checks.edges,
        "small",
        lambda m: m.settings("suite")["data"].update(VITRINE_TRACING_ENDPOINT="http://c.otel:4317"),
    ),
    (
        cluster_checks.scaling,
        "large",
        lambda m: spec(m, "HorizontalPodAutoscaler", "ranker")["metrics"][0]["pods"]["metric"].update(
            name="queue_wait"
        ),
    ),
    (
        cluster_checks.scaling,
        "large",
        lambda m: m.adapter["rules"]["custom"][0].update(seriesQuery="vitrine_queue_seconds_sum"),
    ),
    (cluster_checks.scaling, "large", lambda m: m.workloads["gateway"]["spec"].update(replicas=2)),
    (
        cluster_checks.scaling,
        "large",
        lambda m: spec(m, "HorizontalPodAutoscaler", "gateway")["behavior"]["scaleDown"].update(
            stabilizationWindowSeconds=0
        ),
    ),
    (pod_checks.probes, "small", lambda m: m.container("gateway")["livenessProbe"]["grpc"].update(service="")),
    (pod_checks.probes, "small", lambda m: m.container("ranker")["readinessProbe"]["grpc"].update(port=50053)),
    (
        pod_checks.probes,
        "small",
        lambda m: m.container("ranker")["readinessProbe"]["grpc"].update(service="vitrine.v1.Rank"),
    ),
    (pod_checks.probes, "large", lambda m: m.container("retriever")["startupProbe"].update(failureThreshold=2)),
    (
        pod_checks.probes,
        "example",
        lambda m: m.container("ranker")["livenessProbe"]["exec"]["command"].__setitem__(5, "x"),
    ),
    (pod_checks.resources, "large", lambda m: m.container("retriever")["resources"]["limits"].update(memory="2Gi")),
    (pod_checks.resources, "large", lambda m: m.workloads["retriever"]["spec"].update(replicas=1)),
    (pod_checks.resources, "small", lambda m: m.container("ranker")["resources"]["limits"].update(cpu="1")),
    (pod_checks.resources, "small", lambda m: m.container("gateway")["resources"]["limits"].update(cpu="1500m")),
    (pod_checks.images, "small", lambda m: m.container("ranker").update(image="vitrine-reranker:0.1.0")),
    (pod_checks.images, "small", lambda m: m.container("ranker").update(image="vitrine-ranker:latest")),
    (pod_checks.images, "small", lambda m: m.container("events").update(image="redis:6-alpine")),
    (pod_checks.stopping, "small", lambda m: m.pod("gateway").update(terminationGracePeriodSeconds=40)),
    (pod_checks.stopping, "small", lambda m: m.settings("ranker")["data"].update(VITRINE_RANKER_GRACE_S="60")),
    (pod_checks.stopping, "large", lambda m: m.workloads["retriever"]["spec"].update(minReadySeconds=10)),
    (cluster_checks.availability, "large", lambda m: without(m, "PodDisruptionBudget", "retriever")),
    (
        cluster_checks.availability,
        "large",
        lambda m: spec(m, "HorizontalPodAutoscaler", "embedder").update(minReplicas=1),
    ),
    (cluster_checks.availability, "large", lambda m: m.pod("gateway").pop("topologySpreadConstraints")),
    (cluster_checks.availability, "small", lambda m: m.workloads["retriever"]["spec"].update(replicas=2)),
    (pod_checks.rights, "small", lambda m: m.container("redis")["securityContext"].update(capabilities={})),
    (pod_checks.rights, "example", lambda m: m.pod("ranker").update(automountServiceAccountToken=True)),
    (pod_checks.rights, "large", lambda m: m.of_kind("Namespace")["vitrine"]["metadata"]["labels"].clear()),
    (
        pod_checks.secrets,
        "large",
        lambda m: m.settings("retriever")["data"].update(VITRINE_CATALOGUE_URL="postgresql://me:word@db/shop"),
    ),
    (
        pod_checks.secrets,
        "large",
        lambda m: m.container("gateway")["env"][0]["valueFrom"]["secretKeyRef"].update(key="redis"),
    ),
    (
        pod_checks.secrets,
        "example",
        lambda m: m.pod("ranker")["volumes"][1]["secret"].update(secretName="certificates"),
    ),
    (pod_checks.stores, "small", lambda m: m.container("events")["args"].__setitem__(8, "4gb")),
    (pod_checks.stores, "small", lambda m: m.container("events")["args"].__setitem__(10, "allkeys-lru")),
    (pod_checks.stores, "small", lambda m: m.workloads["events"]["spec"].pop("volumeClaimTemplates")),
]


@pytest.mark.parametrize(("check", "overlay", "broken"), BREAKS, ids=[f"{one[0].__name__}-{one[1]}" for one in BREAKS])
def test_each_check_finds_what_was_broken(check: Check, overlay: str, broken: Callable[[Manifests], Any]) -> None:
    manifests = WHOLE[overlay].copy()
    broken(manifests)
    assert list(check(manifests))


def test_every_check_is_tried_on_something_broken() -> None:
    assert {check for check, _, _ in BREAKS} == set(CHECKS)
