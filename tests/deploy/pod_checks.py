"""What is asked of each workload's pods; each check lists the faults that it found."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import ValidationError

from gateway.unary_calls import SERVICES as GATEWAY_SERVICES
from loadtest.capacity import RANK_MS, USE, retrievers
from services.embedder.__main__ import SERVICES as EMBEDDER_SERVICES
from services.ranker.__main__ import SERVICES as RANKER_SERVICES
from services.retriever.__main__ import SERVICES as RETRIEVER_SERVICES
from services.retriever.settings import RetrieverSettings
from tests.deploy.manifests import Manifest, Manifests, number
from tests.deploy.render import ROOT
from tests.deploy.service_settings import SERVERS, classes, known, read
from vitrine.health import LIVE

HEALTH = {
    "gateway": GATEWAY_SERVICES,
    "embedder": EMBEDDER_SERVICES,
    "retriever": RETRIEVER_SERVICES,
    "ranker": RANKER_SERVICES,
}
# What docs/kubernetes.md says that each size is for: products, and searches a second.
SIZES = {"small": (100_000, 10), "large": (1_000_000, 50), "example": (1_000_000, 50)}
# Until a service listens, on one busy processor (docs/kubernetes.md), and how much longer it may take.
LISTENS_S, PATIENCE = 10.0, 10
# Longest that Kubernetes' DNS keeps an answer; gRPC lets connections live up to a tenth longer than they are told.
DNS_S, AGE_SPREAD = 30, 1.1
# What a load from empty takes at its peak, to what is taken later: docs/indexes.md.
PEAK = 1.5


def settings(manifests: Manifests) -> Iterator[str]:
    """Each variable is one that the service reads, and its value one that it takes."""
    for name in manifests.servers:
        environment = manifests.environment(name)
        yield from (f"{name} reads no {variable}" for variable in environment.keys() - known(name))
        for one in classes(name):
            try:
                read(one, environment)
            except ValidationError as error:
                yield f"{name}: {error}"


def ports(manifests: Manifests) -> Iterator[str]:
    """Containers name the ports that the services listen on, on all addresses, and Services lead there, headless."""
    services = manifests.of_kind("Service")
    for name in manifests.servers:
        server: Any = read(SERVERS[name], manifests.environment(name))
        listens = {"grpc": server.port, "metrics": server.metrics_port}
        if name == "gateway":
            listens["http"] = server.http_port
        named = {one["name"]: one["containerPort"] for one in manifests.container(name)["ports"]}
        if named != listens or server.host != "0.0.0.0":
            yield f"{name} listens on {server.host} {listens}, and its container says {named}"
        scraped = manifests.workloads[name]["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"]
        if scraped != str(server.metrics_port):
            yield f"{name} is scraped at {scraped}"
    for name in manifests.workloads:
        named = {one["name"]: one["containerPort"] for one in manifests.container(name)["ports"]}
        service = services[name]["spec"]
        if service["clusterIP"] != "None":
            yield f"{name} is not headless: its clients see one address"
        for one in service["ports"]:
            if named.get(one["targetPort"]) != one["port"]:
                yield f"Service {name}: {one} leads to no port of {named}"
        wanted = named.keys() - {"metrics"}
        if {one["name"] for one in service["ports"]} != wanted:
            yield f"Service {name} leads to other ports than {wanted}"


def probes(manifests: Manifests) -> Iterator[str]:
    """Probes ask the port and the services of each server; only what does not answer is killed."""
    for name in manifests.servers:
        container = manifests.container(name)
        port = next(one["containerPort"] for one in container["ports"] if one["name"] == "grpc")
        for kind, wanted in (("startup", {LIVE}), ("liveness", {LIVE}), ("readiness", set(HEALTH[name]))):
            asked, service = _asked(container[f"{kind}Probe"], name)
            if asked != port or service not in wanted:
                yield f"{name}: {kind} asks for {service} at {asked}"
            if container[f"{kind}Probe"]["timeoutSeconds"] < 5:
                yield f"{name}: a busy machine answers {kind} later"
        startup, liveness = container["startupProbe"], container["livenessProbe"]
        if startup["periodSeconds"] * startup["failureThreshold"] < LISTENS_S * PATIENCE:
            yield f"{name} is killed while it starts"
        if liveness["periodSeconds"] * liveness["failureThreshold"] < 60:
            yield f"{name} is killed for less than a minute's silence"


def resources(manifests: Manifests) -> Iterator[str]:
    """Limits hold what docs/scaling.md reckons for the size's products and searches."""
    products, searches = SIZES[manifests.overlay]
    for name in manifests.servers:
        limits, requests = (manifests.container(name)["resources"][what] for what in ("limits", "requests"))
        if number(limits["cpu"]) % 1:
            yield f"{name}: a part of a processor gives no thread"
        if requests["memory"] != limits["memory"] or number(requests["cpu"]) > number(limits["cpu"]):
            yield f"{name} requests {requests} of {limits}"
    retriever = manifests.workloads["retriever"]["spec"]
    limits = manifests.container("retriever")["resources"]["limits"]
    memory, replicas = number(limits["memory"]), retriever.get("replicas", 1)
    need = retrievers(products, 384, replicas, searches, RetrieverSettings(memory_mb=int(memory / 2**21)))
    if need.memory_bytes * PEAK > memory:
        yield f"a retriever needs {need.memory_bytes * PEAK / 2**20:,.0f} MiB"
    if need.processors / USE > number(limits["cpu"]) * replicas:
        yield f"the retrievers need {need.processors / USE:.1f} processors"
    [claim] = retriever["volumeClaimTemplates"]
    # In SQLite the catalogue is there too, and a snapshot before it is copied away.
    disk = need.disk_bytes * (1 if "VITRINE_CATALOGUE_URL" in manifests.environment("retriever") else 2)
    if disk > number(claim["spec"]["resources"]["requests"]["storage"]):
        yield f"a retriever needs {disk / 2**30:.1f} GiB of disk"
    environment = manifests.environment("gateway")
    depth = read(SERVERS["gateway"], environment).model_dump()["rank_depth"]
    scaler = manifests.of_kind("HorizontalPodAutoscaler").get("ranker")
    most = scaler["spec"]["maxReplicas"] if scaler else 1
    if (
        searches * depth * RANK_MS / 1_000 / USE
        > number(manifests.container("ranker")["resources"]["limits"]["cpu"]) * most
    ):
        yield "the rankers have too few processors"


def images(manifests: Manifests) -> Iterator[str]:
    """Ours are those that the Dockerfile builds, of this version; others' are those of the compose files."""
    built, taken = {"vitrine-recommender"}, set[str]()
    for path in ROOT.glob("docker-compose*.yml"):
        text = path.read_text(encoding="utf-8").replace("!override", "")
        for one in yaml.safe_load(text)["services"].values():
            if "image" in one:
                (built if "build" in one else taken).add(one["image"])
    stages = set(re.findall(r"^FROM \S+ AS (\w+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE))
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version is not None
    for name in manifests.workloads:
        pod = manifests.pod(name)
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            image, _, tag = container["image"].rpartition(":")
            short = image.rpartition("/")[2]
            ours = short in built and short.split("-")[1] in stages and tag == version[1]
            if not ours and container["image"] not in taken:
                yield f"{name}: nothing builds {container['image']}"


def stopping(manifests: Manifests) -> Iterator[str]:
    """A pod is killed only after its server's own grace; the next one goes when clients have found the one before."""
    for name, workload in manifests.servers.items():
        server: Any = read(SERVERS[name], manifests.environment(name))
        before = manifests.container(name).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        # The gateway's HTTP server has the grace once more, after that of gRPC.
        takes_s = before + server.grace_s * (2 if name == "gateway" else 1) + 5
        if manifests.pod(name)["terminationGracePeriodSeconds"] < takes_s:
            yield f"{name} is killed before its {takes_s} s are over"
        if workload["spec"].get("minReadySeconds", 0) < DNS_S + server.max_connection_age_s * AGE_SPREAD:
            yield f"{name}: the next pod goes before clients have found the one before"
        if workload["kind"] == "Deployment" and workload["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] != 0:
            yield f"{name} has fewer pods while it is rolled"


def rights(manifests: Manifests) -> Iterator[str]:
    """No pod has rights to spare, and the namespace refuses those that had."""
    pods = {name: manifests.pod(name) for name in manifests.workloads}
    pods |= {name: one["spec"] for name, one in manifests.of_kind("Pod").items()}
    for name, pod in pods.items():
        if pod["automountServiceAccountToken"] is not False or pod["enableServiceLinks"] is not False:
            yield f"{name} has an account's token, or is told of other services"
        context = pod["securityContext"]
        if (
            not context["runAsNonRoot"]
            or not context["runAsUser"]
            or context["seccompProfile"]["type"] != "RuntimeDefault"
        ):
            yield f"{name}: {context}"
        if {"hostNetwork", "hostPID", "hostIPC"} & pod.keys():
            yield f"{name} shares its node's network or processes"
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            if container["securityContext"] != {
                "readOnlyRootFilesystem": True,
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }:
                yield f"{name}: {container['name']} has rights to spare"
    for name, one in manifests.of_kind("Namespace").items():
        if one["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"the namespace {name} takes any pod"


def secrets(manifests: Manifests) -> Iterator[str]:
    """Passwords, keys and certificates come from secrets that the page says how to make, and stand in no manifest."""
    page = (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
    made = set(re.findall(r"create secret \w+ ([\w-]+)", page))
    if manifests.of_kind("Secret"):
        yield "a secret stands in a manifest"
    for name, one in manifests.of_kind("ConfigMap").items():
        yield from (f"{name}: {key} holds a password" for key, value in one["data"].items() if _has_password(value))
    for name in manifests.workloads:
        for variable, value in manifests.environment(name).items():
            if re.search(r"(PASSWORD|TOKEN|API_KEY|SECRET)$", variable) and not value.startswith("secret:"):
                yield f"{name}: {variable} stands in a manifest"
            if _has_password(value):
                yield f"{name}: {variable} holds a password"
            if value.startswith("secret:"):
                secret, _, key = value.removeprefix("secret:").partition("/")
                if secret not in made or f"--from-literal={key}=" not in page:
                    yield f"docs/kubernetes.md makes no secret {secret} with {key}"
        for volume in manifests.pod(name).get("volumes", ()):
            if "secret" in volume and volume["secret"]["secretName"] not in made:
                yield f"docs/kubernetes.md makes no secret {volume['secret']['secretName']}"


def stores(manifests: Manifests) -> Iterator[str]:
    """The cache may forget and the event store may not; each has room for what it may hold."""
    for name, durable in (("redis", False), ("events", True)):
        if name not in manifests.workloads:
            continue
        args = manifests.container(name)["args"]
        said = dict(zip(args[1::2], args[2::2], strict=True))
        wanted = ("yes", "noeviction") if durable else ("no", "allkeys-lru")
        if (said["--appendonly"], said["--maxmemory-policy"]) != wanted:
            yield f"{name}: {shlex.join(args)}"
        data = number(said["--maxmemory"].upper().removesuffix("B").replace("M", "Mi").replace("G", "Gi"))
        if number(manifests.container(name)["resources"]["limits"]["memory"]) < data * (2 if durable else 1.25):
            yield f"{name} is killed before it is full"
        claims = manifests.workloads[name]["spec"].get("volumeClaimTemplates", [])
        if durable and (not claims or number(claims[0]["spec"]["resources"]["requests"]["storage"]) < 4 * data):
            yield f"{name} has no volume, or too small a one for its log and the next"


def _has_password(value: str) -> bool:
    return re.search(r"://[^/]*@", value) is not None


def _asked(probe: Manifest, name: str) -> tuple[int, str]:
    """Port and service that a probe asks for; by the image's own probe where Kubernetes' speaks no TLS."""
    if "grpc" in probe:
        return probe["grpc"]["port"], probe["grpc"].get("service", "")
    command = probe["exec"]["command"]
    assert command[:3] == ["python", "-m", "vitrine.health_probe"], command
    options = dict(zip(command[4::2], command[5::2], strict=True))
    return (int(command[3].rpartition(":")[2]) if options.get("--name") == name else 0), options.get("--service", "")


CHECKS = (settings, ports, probes, resources, images, stopping, rights, secrets, stores)
