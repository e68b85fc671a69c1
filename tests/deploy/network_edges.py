"""Who may talk to whom, as network policies say it and as the services' settings need it."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from tests.deploy.manifests import Manifest, Manifests, selects

# Who calls, who is called, at which port and by what ("53/UDP"); pods by their workload, others by their namespace, or
# ANYWHERE.
Edge = tuple[str, str, str]
ANYWHERE, ANY_PORT = "anywhere", "any"
# Where a secret says where a store is, the port that it has by custom.
_STORE_PORTS = {"VITRINE_GATEWAY_REDIS_URL": 6379, "VITRINE_EVENTS_REDIS_URL": 6379, "VITRINE_CATALOGUE_URL": 5432}
_TARGETS = ("VITRINE_GATEWAY_EMBEDDER_TARGET", "VITRINE_GATEWAY_RETRIEVER_TARGET", "VITRINE_GATEWAY_RANKER_TARGET")
_ADDRESSES = (*_TARGETS, *_STORE_PORTS, "VITRINE_RETRIEVER_MILVUS_URI", "VITRINE_TRACING_ENDPOINT")


def needed(manifests: Manifests) -> set[Edge]:
    """What the settings of the pods imply."""
    edges: set[Edge] = set()
    for name in manifests.workloads:
        environment = manifests.environment(name)
        edges |= {(name, "kube-system", "53/UDP"), (name, "kube-system", "53/TCP")}
        edges |= {
            (name, *_place(variable, environment[variable])) for variable in _ADDRESSES if variable in environment
        }
        processes = filter(None, environment.get("VITRINE_GATEWAY_OPS_PROCESSES", "").split(","))
        edges |= {(name, *_place("VITRINE_GATEWAY_OPS_PROCESSES", f"http://{one}")) for one in processes}
        edges |= {
            ("monitoring", name, f"{port}/TCP")
            for variable, port in environment.items()
            if variable.endswith("_METRICS_PORT")
        }
    return edges | {(ANYWHERE, "gateway", "50051/TCP"), (ANYWHERE, "gateway", "8080/TCP")}


def _place(variable: str, address: str) -> tuple[str, str]:
    if address.startswith("secret:"):
        return ANYWHERE, f"{_STORE_PORTS[variable]}/TCP"
    url = urlsplit(address.replace("dns:///", "dns://"))
    assert url.hostname is not None, address
    assert url.port is not None, address
    # service, or service.namespace
    return url.hostname.split(".")[-1], f"{url.port}/TCP"


def allowed(manifests: Manifests) -> set[Edge]:
    """What the network policies let through."""
    policies = [one["spec"] for one in manifests.of_kind("NetworkPolicy").values()]
    ways_out = {name: list(_ways(manifests, policies, name, "egress")) for name in manifests.workloads}
    ways_in = {name: list(_ways(manifests, policies, name, "ingress")) for name in manifests.workloads}
    edges: set[Edge] = set()
    for name in manifests.workloads:
        edges |= {(name, place, port) for place, port in ways_out[name] if place not in manifests.workloads}
        edges |= {(place, name, port) for place, port in ways_in[name] if place not in manifests.workloads}
        for place, port in ways_out[name]:
            if place in manifests.workloads and {(name, port), (ANYWHERE, port), (ANYWHERE, ANY_PORT)} & {
                *ways_in[place]
            }:
                edges.add((name, place, port))
    return edges


def _ways(manifests: Manifests, policies: list[Manifest], workload: str, direction: str) -> Iterator[tuple[str, str]]:
    """Who, at which port, a workload may call (egress) or be called by."""
    labels = manifests.labels(workload)
    held = [
        one for one in policies if direction.capitalize() in one["policyTypes"] and selects(one["podSelector"], labels)
    ]
    if not held:
        yield ANYWHERE, ANY_PORT
    for rule in (rule for policy in held for rule in policy.get(direction, ())):
        ports = [f"{one['port']}/{one.get('protocol', 'TCP')}" for one in rule.get("ports", ())] or [ANY_PORT]
        peers = rule.get("to" if direction == "egress" else "from")
        places = [ANYWHERE] if not peers else [place for peer in peers for place in _places(manifests, peer)]
        yield from ((place, port) for place in places for port in ports)


def _places(manifests: Manifests, peer: Manifest) -> list[str]:
    if "namespaceSelector" in peer:
        return [peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]]
    return [name for name in manifests.workloads if selects(peer["podSelector"], manifests.labels(name))]
