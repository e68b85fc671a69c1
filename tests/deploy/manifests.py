"""The rendered manifests of an overlay, and what is asked of them again and again."""

import copy
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.render import RENDERED, SOURCES
from tests.deploy.service_settings import SERVERS

Manifest = dict[str, Any]
_UNITS = {"": 1, "m": 1e-3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


@dataclass(frozen=True)
class Manifests:
    """All manifests of an overlay, and the rules of prometheus-adapter that stand beside them."""

    overlay: str
    all: list[Manifest]
    adapter: Manifest

    @classmethod
    def of(cls, overlay: str) -> "Manifests":
        """Those of tests/deploy/rendered."""
        text = (RENDERED / f"{overlay}.yaml").read_text(encoding="utf-8")
        adapter = yaml.safe_load((SOURCES / "prometheus-adapter.yaml").read_text(encoding="utf-8"))
        return cls(overlay, list(yaml.safe_load_all(text)), adapter)

    def copy(self) -> "Manifests":
        """Those to break in a test."""
        return copy.deepcopy(self)

    def of_kind(self, *kinds: str) -> dict[str, Manifest]:
        """By name."""
        return {one["metadata"]["name"]: one for one in self.all if one["kind"] in kinds}

    @property
    def workloads(self) -> dict[str, Manifest]:
        """Deployments and StatefulSets, by name."""
        return self.of_kind("Deployment", "StatefulSet")

    @property
    def servers(self) -> dict[str, Manifest]:
        """Those of Vitrine's own services."""
        return {name: one for name, one in self.workloads.items() if name in SERVERS}

    def pod(self, workload: str) -> Manifest:
        """The pods' spec of a workload."""
        spec: Manifest = self.workloads[workload]["spec"]["template"]["spec"]
        return spec

    def container(self, workload: str) -> Manifest:
        """The container that serves."""
        [container] = self.pod(workload)["containers"]
        found: Manifest = container
        return found

    def labels(self, workload: str) -> dict[str, str]:
        """The labels of a workload's pods."""
        labels: dict[str, str] = self.workloads[workload]["spec"]["template"]["metadata"]["labels"]
        return labels

    def spread(self, workload: str) -> list[Manifest]:
        """The constraints that spread a workload's pods."""
        found: list[Manifest] = self.pod(workload).get("topologySpreadConstraints", [])
        return found

    def settings(self, name: str) -> Manifest:
        """The ConfigMap that kustomize made of the settings `name`."""
        [found] = [one for key, one in self.of_kind("ConfigMap").items() if re.sub("-[a-z0-9]{10}$", "", key) == name]
        return found

    def environment(self, workload: str) -> dict[str, str]:
        """What a workload's process finds in its environment; of a secret, its reference as secret:name/key."""
        container = self.container(workload)
        maps = self.of_kind("ConfigMap")
        found: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            found |= maps[source["configMapRef"]["name"]]["data"]
        for one in container.get("env", ()):
            secret = one.get("valueFrom", {}).get("secretKeyRef")
            found[one["name"]] = f"secret:{secret['name']}/{secret['key']}" if secret else one["value"]
        return found


def number(quantity: str | int) -> float:
    """A quantity of Kubernetes: 250m, 2Gi, "1"."""
    value, unit = re.fullmatch(r"([\d.]+)([A-Za-z]*)", str(quantity)).groups()  # type: ignore[union-attr]
    return float(value) * _UNITS[unit]


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a label selector holds for these labels."""
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for one in selector.get("matchExpressions", ()):
        assert one["operator"] == "In", one
        if labels.get(one["key"]) not in one["values"]:
            return False
    return True


def read_yaml(path: Path) -> list[Manifest]:
    """The manifests of a file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
