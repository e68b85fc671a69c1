"""What is asked of the manifests of an overlay together; each check lists the faults that it found."""

import json
import re
from collections.abc import Iterator
from functools import cache

import kubernetes_validate
import yaml

from tests.deploy import network_edges
from tests.deploy.manifests import Manifests, number, selects
from tests.deploy.render import ROOT
from tests.deploy.shown_metrics import shown

# Those with all that the manifests use: the pause before a stop came with 1.30.
VERSIONS = ("1.30", "1.37")
# Kinds of other makers, which Kubernetes has no schema of.
FOREIGN = {"PodMonitor"}


def schema(manifests: Manifests) -> Iterator[str]:
    """Each manifest is what Kubernetes' schema says, and has no field that it lacks."""
    for one in manifests.all:
        if one["kind"] not in FOREIGN:
            yield from (fault for version in VERSIONS if (fault := _unlike_schema(json.dumps(one), version)))


def selectors(manifests: Manifests) -> Iterator[str]:
    """Everything that selects pods selects some, and its own."""
    pods = {name: manifests.labels(name) for name in manifests.workloads}
    for name, one in manifests.workloads.items():
        own = [one["spec"]["selector"], *(each["labelSelector"] for each in manifests.spread(name))]
        yield from (f"{name} does not select its own pods: {each}" for each in own if not selects(each, pods[name]))
        if one["kind"] == "StatefulSet" and one["spec"]["serviceName"] not in manifests.of_kind("Service"):
            yield f"{name} has no Service"
    for kind in ("Service", "PodDisruptionBudget"):
        for name, one in manifests.of_kind(kind).items():
            selector = one["spec"]["selector"]
            selector = {"matchLabels": selector} if kind == "Service" else selector
            if [pod for pod, labels in pods.items() if selects(selector, labels)] != [name]:
                yield f"{kind} {name} selects other pods than its own"
    for name, one in manifests.of_kind("NetworkPolicy").items():
        chosen = [one["spec"]["podSelector"]]
        for rule in (*one["spec"].get("ingress", ()), *one["spec"].get("egress", ())):
            peers = (*rule.get("from", ()), *rule.get("to", ()))
            chosen += [peer["podSelector"] for peer in peers if "namespaceSelector" not in peer]
        if not all(any(selects(each, labels) for labels in pods.values()) for each in chosen):
            yield f"NetworkPolicy {name} selects no pods"
    for name, one in manifests.of_kind("PodMonitor").items():
        endpoints = {endpoint["port"] for endpoint in one["spec"]["podMetricsEndpoints"]}
        job = {labels.get(one["spec"]["jobLabel"]) for labels in pods.values()}
        missed = [pod for pod in manifests.servers if not selects(one["spec"]["selector"], pods[pod])]
        if missed or endpoints != {"metrics"} or job != {"vitrine"}:
            yield f"PodMonitor {name} misses {missed}, or asks at {endpoints}, or calls them {job}"


def edges(manifests: Manifests) -> Iterator[str]:
    """Network policies let through what the settings need, and nothing else."""
    policies = [one["spec"] for one in manifests.of_kind("NetworkPolicy").values()]
    if {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} not in policies:
        yield "a pod that no policy names may talk to all"
    needed, allowed = network_edges.needed(manifests), network_edges.allowed(manifests)
    yield from (f"needed and not allowed: {edge}" for edge in needed - allowed)
    yield from (f"allowed and not needed: {edge}" for edge in allowed - needed)


def scaling(manifests: Manifests) -> Iterator[str]:
    """Autoscalers ask for metrics that the adapter makes of series that the pods show, and go down slowly."""
    series = shown()
    rules = {rule["name"]["as"]: rule for rule in manifests.adapter["rules"]["custom"]}
    for name, rule in rules.items():
        asked = f"{rule['seriesQuery']} {rule['metricsQuery']}"
        names = set(re.findall(r"\bvitrine_\w+", asked))
        labels = {"namespace", "pod"}.union(*(series.get(one, set()) for one in names))
        unknown = (names - series.keys()) | (set(re.findall(r'(\w+)(?:=|!=|=~)"', asked)) - labels)
        yield from (f"{name} asks for {one}, which nothing shows" for one in unknown)
        if "clamp_min" not in rule["metricsQuery"]:
            yield f"{name} is nothing where nobody calls, and nothing is then scaled down"
    for name, scaler in manifests.of_kind("HorizontalPodAutoscaler").items():
        target = manifests.workloads[scaler["spec"]["scaleTargetRef"]["name"]]
        if "replicas" in target["spec"]:
            yield f"{name}: each apply would set the replicas back"
        for metric in scaler["spec"]["metrics"]:
            if metric["type"] != "Pods":
                continue
            if metric["pods"]["metric"]["name"] not in rules:
                yield f"{name}: the adapter has no {metric['pods']['metric']['name']}"
            if number(metric["pods"]["target"]["averageValue"]) >= _alert_at_s("VitrineQueueWait"):
                yield f"{name} grows only when the wait has called somebody"
        kinds = {metric["type"] for metric in scaler["spec"]["metrics"]}
        if kinds != ({"Resource"} if name == "gateway" else {"Pods", "Resource"}):
            yield f"{name} scales by {kinds}"
        if scaler["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] < 300:
            yield f"{name} goes down at once"


def availability(manifests: Manifests) -> Iterator[str]:
    """Where there are several of each, they lie on different nodes and go one at a time."""
    if manifests.overlay == "small":
        many = [name for name, one in manifests.workloads.items() if one["spec"].get("replicas", 1) != 1]
        yield from (f"{name} has several pods, and a catalogue or store of its own each" for name in many)
        return
    scalers, budgets = manifests.of_kind("HorizontalPodAutoscaler"), manifests.of_kind("PodDisruptionBudget")
    for name, workload in manifests.servers.items():
        least = scalers[name]["spec"]["minReplicas"] if name in scalers else workload["spec"].get("replicas", 1)
        if least < 2:
            yield f"{name} may have one pod only"
        if name not in budgets or budgets[name]["spec"].get("maxUnavailable") != 1:
            yield f"{name}: a node that is emptied may take more than one pod"
        if {one["topologyKey"] for one in manifests.spread(name)} != {
            "kubernetes.io/hostname",
            "topology.kubernetes.io/zone",
        }:
            yield f"{name} may lie on one node, or in one zone"


def _alert_at_s(alert: str) -> float:
    groups = yaml.safe_load((ROOT / "deploy/observability/prometheus/alerts.yml").read_text(encoding="utf-8"))["groups"]
    [expression] = [rule["expr"] for group in groups for rule in group["rules"] if rule["alert"] == alert]
    return float(expression.rpartition(">")[2])


@cache
def _unlike_schema(text: str, version: str) -> str:
    """What is wrong with a manifest; empty: nothing. Overlays share most of theirs, and the schemas are large."""
    one = json.loads(text)
    try:
        kubernetes_validate.validate(one, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{one['kind']} {one['metadata']['name']}, {version}: {list(error.path)}: {error.message}"
    return ""


CHECKS = (schema, selectors, edges, scaling, availability)
