"""Containers, as compose files and the Dockerfile make them: not root, read-only, no rights to spare."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = sorted(path.name for path in ROOT.glob("docker-compose*.yml"))
# Built from our Dockerfile, which says who runs them.
OURS = {"embedder", "retriever", "ranker", "gateway"}
# Others' images that run as root and write beside their volumes; docs/security.md says so.
ROOT_IMAGES = {"milvus"}


def _services(name: str) -> dict[str, dict[str, Any]]:
    text = (ROOT / name).read_text(encoding="utf-8").replace("!override", "").replace("!reset", "")
    services: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
    return services


BASE = _services("docker-compose.yml")


@pytest.mark.parametrize("file", COMPOSE)
def test_every_container_of_a_compose_file_is_without_rights_to_spare(file: str) -> None:
    for name, said in _services(file).items():
        # What an overlay adds to a service of the base file is on top of that.
        service = said if file == "docker-compose.yml" else BASE.get(name, {}) | said
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert not {"privileged", "cap_add", "pid", "ipc"} & service.keys(), name
        assert all("docker.sock" not in str(volume) for volume in service.get("volumes", [])), name
        if name in ROOT_IMAGES:
            continue
        assert service["read_only"] is True, name
        assert name in OURS or service["user"] not in ("root", "0"), name
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", [])), name


def test_no_stage_of_the_image_that_serves_runs_as_root() -> None:
    stages = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    served = [stage for stage in stages if re.search(r"^CMD ", stage, re.MULTILINE)]
    # And the one that brings a recommender's bundle.
    assert len(served) == len(OURS) + 1
    for stage in served:
        # The last word on who runs it; nothing is installed after.
        assert re.findall(r"^USER (\S+)$", stage, re.MULTILINE) == ["vitrine"]
        assert "RUN " not in stage.split("USER vitrine")[1]


def test_the_secure_overlay_gives_every_part_certificates_and_the_gateway_keys() -> None:
    ports = {"gateway": 50051, "embedder": 50052, "retriever": 50053, "ranker": 50054}
    services = _services("docker-compose.secure.yml")
    assert set(services) == OURS
    wanted = {"VITRINE_TLS_CERTIFICATE", "VITRINE_TLS_KEY", "VITRINE_TLS_CA"}
    for name, port in ports.items():
        expected = wanted | ({"VITRINE_AUTH_KEYS_FILE"} if name == "gateway" else set())
        probe = ["python", "-m", "vitrine.health_probe", f"127.0.0.1:{port}", "--name", name]
        assert set(services[name]["environment"]) == expected
        assert services[name]["healthcheck"]["test"][1:] == probe
