"""What compose files say, held to what the services read."""

from pathlib import Path

import pytest
import yaml

from tests.deploy.service_settings import SERVERS, known

ROOT = Path(__file__).parents[2]
OVERLAYS = sorted(path.name for path in ROOT.glob("docker-compose.*.yml"))


@pytest.mark.parametrize("overlay", ["docker-compose.yml", *OVERLAYS])
def test_compose_sets_what_the_services_read(overlay: str) -> None:
    file = yaml.safe_load((ROOT / overlay).read_text(encoding="utf-8").replace("!override", "").replace("!reset", ""))
    said = {name: service.get("environment", {}) for name, service in file["services"].items() if name in SERVERS}
    assert said
    assert {name: unknown for name, variables in said.items() if (unknown := set(variables) - known(name))} == {}
