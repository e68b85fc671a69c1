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


def test_the_etcd_inside_milvus_forgets_what_was() -> None:
    milvus = yaml.safe_load((ROOT / "docker-compose.milvus.yml").read_text(encoding="utf-8"))["services"]["milvus"]
    folders = dict(volume.removesuffix(":ro").split(":") for volume in milvus["volumes"])
    read = Path(milvus["environment"]["ETCD_CONFIG_PATH"])
    [source] = [source for source, target in folders.items() if target == str(read.parent)]
    etcd = yaml.safe_load((ROOT / source / read.name).read_text(encoding="utf-8"))
    # Of etcd's own settings none does, and it takes no more writes when its 2 GB are full.
    assert etcd["auto-compaction-mode"] == "revision"
    assert int(etcd["auto-compaction-retention"]) > 0
