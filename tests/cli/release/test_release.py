"""`vitrine release` against a service over real gRPC, and what it prints."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from cli.release.calls import create_release, delete_release, digest_of, flip_release, print_releases, roll_back
from gateway.releases.api import ReleaseApi
from gateway.releases.follower import Follower
from gateway.releases.served_parts import ServedParts
from gateway.releases.service import ReleaseAdmin
from gateway.releases.servicer import ReleaseServicer
from services.retriever.catalogue import Catalogue
from services.retriever.releases.store import Releases
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, NotFound
from vitrine.ports import IndexInfo, ModelInfo, ServedModels
from vitrine.v1 import release_service_pb2_grpc

FIRST, SECOND, AWAY = (f"sha256:{digit * 64}" for digit in "123")


class Served:
    """A part that serves two models."""

    async def get_models(self, *, deadline: Deadline) -> ServedModels:
        models = [ModelInfo("m", "1", digest, 8, 64, ("en",), "onnxruntime") for digest in (FIRST, SECOND)]
        return ServedModels(tuple(models))

    async def get_index(self, *, deadline: Deadline) -> IndexInfo:
        return IndexInfo(1, 1, FIRST, 8, "exact")


@pytest.fixture
async def target(tmp_path: Path, start_server: Any) -> Any:
    catalogue = Catalogue(tmp_path)
    part: Any = Served()
    parts = ServedParts(part, part, part, ())
    gates: Any = None  # nothing is built here
    admin = ReleaseAdmin(Follower(Releases(catalogue), parts, follow_s=1.0), parts, part, gates)

    def add(server: grpc.aio.Server) -> Sequence[str]:
        servicer = ReleaseServicer(ReleaseApi(admin), 60.0)
        release_service_pb2_grpc.add_ReleaseServiceServicer_to_server(servicer, server)
        return ["vitrine.v1.ReleaseService"]

    server = await start_server(add)
    yield f"127.0.0.1:{server.port}"
    catalogue.close()


async def test_releases_are_created_flipped_and_rolled_back(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    await print_releases(target)
    assert "no release serves" in capsys.readouterr().out
    assert await create_release("spring", "", SECOND, "", target) == 0
    assert await create_release("summer", "", FIRST, "", target) == 0
    await flip_release("spring", target, force=False)
    await flip_release("summer", target, force=False)
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "for rollback" in rows["spring"]
    assert SECOND[7:19] in rows["spring"]
    assert "serves" in rows["summer"]
    await roll_back(target)
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "serves" in rows["spring"]
    with pytest.raises(FailedPrecondition, match="spring serves"):
        await delete_release("spring", target)
    with pytest.raises(NotFound, match="no release 'autumn'"):
        await flip_release("autumn", target, force=False)


async def test_what_a_release_lacks_is_printed(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await create_release("x", "", AWAY, "", target) == 1
    assert f"ranker {AWAY} is not served; add its folder" in capsys.readouterr().err
    await print_releases(target)
    shown = capsys.readouterr()
    assert "cannot answer" in shown.out
    assert f"x: ranker {AWAY} is not served" in shown.err


def test_a_folder_stands_for_its_bundles_digest(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text(f'{{"digest": "{FIRST}"}}')
    assert (digest_of(str(tmp_path)), digest_of(SECOND), digest_of("")) == (FIRST, SECOND, "")
    with pytest.raises(FailedPrecondition, match="no bundle at nowhere"):
        digest_of("nowhere")
