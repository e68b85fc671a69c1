"""kill -9 in the middle of `vitrine release build`: the same command goes on, and no vector is another model's."""

import asyncio
import sys
from pathlib import Path

import numpy as np

from cli.release.calls import create_release, flip_release
from services.embedder.engines import EmbedderEngines
from services.embedder.settings import EmbedderSettings
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from tests.cli.up.running import ROOT, Up, vitrine_up
from vitrine.bundle import load_bundle, write_bundle
from vitrine.channel import open_channel
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.ports import InputType
from vitrine.product_text import embedding_text
from vitrine.v1 import release_pb2, release_service_pb2, release_service_pb2_grpc

PRODUCTS = 120
LIMIT_S = 60.0


def other_embedder(folder: Path) -> str:
    """A bundle of the shipped embedder that makes other vectors of the same texts; its digest."""
    source = load_bundle(ROOT / "models/embedder", "embedder")
    folder.mkdir()
    for name in source.manifest.files:
        (folder / name).symlink_to(source.folder / name)
    # The bundle's known text, which is tried at the start, is a query.
    prompts = dict(source.manifest.prompts) | {"document": "product: "}
    return write_bundle(folder, source.manifest.model_copy(update={"prompts": prompts})).manifest.digest


async def build(up: Up) -> asyncio.subprocess.Process:
    """`vitrine release build new`, as a user runs it."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "release", "build", "new", "--target", up.target),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def generation(up: Up, digest: str) -> release_pb2.Generation:
    """The vectors of the new model."""
    async with open_channel(up.target) as channel:
        stub = release_service_pb2_grpc.ReleaseServiceStub(channel)
        listed = await stub.ListReleases(release_service_pb2.ListReleasesRequest(), timeout=LIMIT_S)
    (found,) = (one for one in listed.generations if one.model_digest == digest)
    return found


async def test_killed_in_the_middle_it_goes_on_where_it_was(tmp_path: Path, redis_url: str) -> None:
    digest = other_embedder(tmp_path / "other")
    settings = {
        "REDIS_URL": redis_url,
        "VITRINE_RETRIEVER_DATA_DIR": str(tmp_path / "data"),
        "VITRINE_EMBEDDER_FURTHER_BUNDLES": str(tmp_path / "other"),
        "VITRINE_UP_SAMPLE_PRODUCTS": str(PRODUCTS),
        "VITRINE_UP_SAMPLE_REVIEWS": "0",
    }
    async with vitrine_up(tmp_path, **settings) as up:
        await up.prints("Ctrl-C stops it.")
        assert await create_release("new", digest, "", "", up.target) == 1
        building = await build(up)
        async with asyncio.timeout(LIMIT_S):
            while not (made := (await generation(up, digest)).vectors):
                pass
        up.process.kill()
        assert await up.ends() == -9
        _, said = await building.communicate()
        assert building.returncode == 1
        assert b"Traceback" not in said
    assert 0 < made < PRODUCTS
    async with vitrine_up(tmp_path, **settings) as up:
        await up.prints("Ctrl-C stops it.")
        found = await generation(up, digest)
        assert made <= found.vectors < PRODUCTS
        assert not found.searchable
        building = await build(up)
        printed, said = await building.communicate()
        assert building.returncode == 0, said
        assert b"release new is built" in printed
        found = await generation(up, digest)
        assert (found.vectors, found.missing, found.searchable) == (PRODUCTS, 0, True)
        await flip_release("new", up.target, force=True)
    await check_vectors(tmp_path, digest)


async def check_vectors(folder: Path, digest: str) -> None:
    """Every product has the vectors that the two models make of its text, and no others."""
    budget = ComputeBudget()
    settings = EmbedderSettings(bundle=ROOT / "models/embedder", further_bundles=(str(folder / "other"),))
    embedder = await EmbedderEngines.open(settings, budget)
    engine = await RetrieverEngine.open(RetrieverSettings(data_dir=folder / "data"))
    snapshots = [engine._snapshot, engine._published.of(digest)]
    for snapshot in snapshots:
        columns = snapshot.columns
        found = await engine.get_products(list(columns.ids), deadline=Deadline.after(LIMIT_S), with_description=True)
        made = await embedder.embed(
            [embedding_text(product) for product in found.products],
            input_type=InputType.DOCUMENT,
            deadline=Deadline.after(LIMIT_S),
            model_digest=snapshot.model_digest,
        )
        assert len(columns.ids) == len(found.products) == PRODUCTS
        assert (made.vectors * columns.vectors[np.arange(PRODUCTS)]).sum(axis=1).min() > 0.999
    assert not np.allclose(snapshots[0].columns.vectors[0], snapshots[1].columns.vectors[0])
    await engine.close()
    await embedder.close()
    await budget.close()
