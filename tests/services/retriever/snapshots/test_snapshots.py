"""Snapshots: one moment of a catalogue that is written to, whole or refused, from and into either database."""

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from moto.server import ThreadedMotoServer

from services.retriever.releases import tables as releases
from services.retriever.snapshots import creating
from services.retriever.snapshots.creating import create_snapshot
from services.retriever.snapshots.databases import one_moment, replaced_postgres, replaced_sqlite
from services.retriever.snapshots.manifest import NAME, Manifest
from services.retriever.snapshots.place import Place
from services.retriever.snapshots.restoring import newest_whole, restore_snapshot
from services.retriever.tables import metadata
from vitrine.errors import FailedPrecondition, NotFound


def _still(_done: int, _of: int) -> None:
    pass


def _created(place: Place, folder: Path, url: str = "") -> tuple[Place, Manifest]:
    with one_moment(folder, url) as connection:
        return create_snapshot(connection, place, moved=_still)


def _restored(place: Place, folder: Path, url: str = "", *, replace: bool = False) -> list[str]:
    """Restores the newest whole snapshot; what was said of those that are not."""
    said: list[str] = []
    snapshot, manifest = newest_whole(place, skipped=lambda _, error: said.append(error.message))
    opened = replaced_postgres(url, replace=replace) if url else replaced_sqlite(folder, replace=replace)
    with opened as connection:
        restore_snapshot(connection, snapshot, manifest, moved=_still)
    return said


async def _shows(engine: Any, shop: Any) -> list[Any]:
    """All that can be found, with score and product."""
    found = []
    for query in ({"text": "smart watch"}, {"text": "智能手表"}, {"vector": shop.vectors(1)[0]}):
        candidates = (await shop.search(engine, depth=100, **query)).candidates
        found.append([(c.product_id, pytest.approx(c.score, abs=1e-5), c.product) for c in candidates])
    digests = await engine.list_product_digests("", 100, deadline=shop.deadline())
    return [*found, digests]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place without snapshots."""
    return Place(str(tmp_path / "snapshots"))


@pytest.fixture
async def filled(engine: Any, shop: Any) -> Any:
    """An engine over 25 products."""
    products = [shop.product(n, description="water resistant 防水", attributes={"size": (1.5,)}) for n in range(25)]
    await shop.fill(engine, products, shop.vectors(25))
    return engine


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_snapshot_is_restored_elsewhere(
    kind: str, filled: Any, place: Place, open_engine: Any, shop: Any, tmp_path: Path, request: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(creating, "ROWS_OF_A_FILE", 10)
    await filled.delete_products(["p00003"], deadline=shop.deadline())
    snapshot, manifest = _created(place, filled._settings.data_dir)
    assert (manifest.products, manifest.dim, manifest.model_digest) == (24, shop.DIM, shop.DIGEST)
    assert [file.rows for file in manifest.files if file.table == "version"] == [10, 10, 4]
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else ""
    assert _restored(place, tmp_path / "elsewhere", url) == []
    engine = await open_engine(data_dir=tmp_path / "elsewhere", catalogue_url=url)
    assert await _shows(engine, shop) == await _shows(await _anew(filled, open_engine), shop)
    state = engine._catalogue.state()
    assert state.revision == manifest.revision
    # Indexes that were saved beside the old catalogue are not taken for those of this one.
    assert state.catalogue_id != manifest.catalogue_id
    await shop.fill(engine, [shop.product(30)], shop.vectors(1))
    await engine.self_test()
    if url:
        back, _ = _created(place, tmp_path, url)
        await engine.close()
        _restored(back, tmp_path / "back")
        again = await open_engine(data_dir=tmp_path / "back")
        assert len(await shop.found(again, vector=shop.vectors(1)[0], depth=100)) == 25
    assert snapshot.url.startswith(place.url)


async def _anew(engine: Any, open_engine: Any) -> Any:
    """The engine opened again, its indexes made of what lives alone, as those of what was restored are."""
    await engine.close()
    shutil.rmtree(engine._settings.data_dir / "views", ignore_errors=True)
    return await open_engine(data_dir=engine._settings.data_dir)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_snapshot_is_of_one_moment_while_writes_go_on(
    kind: str, open_engine: Any, place: Place, shop: Any, tmp_path: Path, request: Any, monkeypatch: Any
) -> None:
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else ""
    engine = await open_engine(catalogue_url=url)
    vectors = shop.vectors(30)
    monkeypatch.setattr(creating, "ROWS_OF_A_FILE", 7)
    loop = asyncio.get_running_loop()
    writes = 0

    async def write() -> None:
        nonlocal writes
        writes += 1
        products = [shop.product(n, title=f"smart watch of write {writes}") for n in range(30)]
        await shop.fill(engine, products, vectors)

    def write_between(_done: int, _of: int) -> None:
        asyncio.run_coroutine_threadsafe(write(), loop).result(30)

    def create() -> Manifest:
        with one_moment(engine._settings.data_dir, url) as connection:
            return create_snapshot(connection, place, moved=write_between)[1]

    await write()
    manifest = await asyncio.to_thread(create)
    # After each of five files all products were written anew, and what those replaced was purged.
    assert (writes, manifest.products) == (6, 30)
    _restored(place, tmp_path / "elsewhere")
    restored = await open_engine(data_dir=tmp_path / "elsewhere", catalogue_url="")
    found = await restored.get_products([f"p{n:05}" for n in range(30)], deadline=shop.deadline())
    assert {product.title for product in found.products} == {"smart watch of write 1"}
    assert {product.revision for product in found.products} == {manifest.revision}


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def _altered(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("harm", "name", "said"),
    [
        (_torn, "version-00000.parquet", "version-00000.parquet is torn"),
        (_altered, "version-00000.parquet", "its manifest says sha256:"),
        (Path.unlink, "version-00000.parquet", "cannot be read"),
        (_torn, NAME, "manifest.json is torn"),
        (Path.unlink, NAME, "holds no manifest.json"),
    ],
)
async def test_of_several_snapshots_the_newest_whole_one_is_restored(
    filled: Any, place: Place, open_engine: Any, shop: Any, tmp_path: Path, harm: Any, name: str, said: str
) -> None:
    """faiss#861, knowledge-base-mcp-server#57: a damaged file gives the version before it, and a word of it."""
    _created(place, filled._settings.data_dir)
    await filled.delete_products(["p00003"], deadline=shop.deadline())
    newest, _ = _created(place, filled._settings.data_dir)
    harm(Path(newest.url) / name)
    [why] = _restored(place, tmp_path / "elsewhere")
    assert said in why
    assert newest.url in why
    engine = await open_engine(data_dir=tmp_path / "elsewhere")
    assert len(await shop.found(engine, vector=shop.vectors(1)[0], depth=100)) == 25
    await engine.close()
    # Asked for by its own name it is refused, and what is there stays.
    with pytest.raises(FailedPrecondition, match=said):
        _restored(newest, tmp_path / "elsewhere", replace=True)
    assert (await open_engine(data_dir=tmp_path / "elsewhere"))._catalogue.state().revision == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_restore_that_fails_leaves_what_is_there(
    kind: str, filled: Any, place: Place, open_engine: Any, shop: Any, tmp_path: Path, request: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(creating, "ROWS_OF_A_FILE", 10)
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else ""
    snapshot, manifest = _created(place, filled._settings.data_dir)
    _restored(place, tmp_path / "elsewhere", url)
    opened: Callable[[], Any] = (
        (lambda: replaced_postgres(url, replace=True))
        if url
        else (lambda: replaced_sqlite(tmp_path / "elsewhere", replace=True))
    )
    # The store loses a file between the check and the restore.
    (Path(snapshot.url) / "version-00002.parquet").unlink()

    def restore() -> None:
        with opened() as connection:
            restore_snapshot(connection, snapshot, manifest, moved=_still)

    with pytest.raises(FailedPrecondition, match=r"version-00002.parquet|cannot be read"):
        restore()
    assert not list((tmp_path / "elsewhere").glob("*restoring*"))
    engine = await open_engine(data_dir=tmp_path / "elsewhere", catalogue_url=url)
    assert len(await shop.found(engine, vector=shop.vectors(1)[0], depth=100)) == 25


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_what_is_there_or_served_is_not_overwritten(
    kind: str, filled: Any, place: Place, open_engine: Any, shop: Any, tmp_path: Path, request: Any
) -> None:
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else ""
    folder = tmp_path / "elsewhere"
    _created(place, filled._settings.data_dir)
    _restored(place, folder, url)
    with pytest.raises(FailedPrecondition, match="--replace"):
        _restored(place, folder, url)
    engine = await open_engine(data_dir=folder, catalogue_url=url)
    await shop.fill(engine, [shop.product(99)], shop.vectors(1))
    with pytest.raises(FailedPrecondition, match="stop"):
        _restored(place, folder, url, replace=True)
    await engine.close()
    _restored(place, folder, url, replace=True)
    again = await open_engine(data_dir=folder, catalogue_url=url)
    assert len(await shop.found(again, vector=shop.vectors(1)[0], depth=100)) == 25


async def test_a_damaged_catalogue_is_replaced(filled: Any, place: Place, open_engine: Any, shop: Any) -> None:
    folder = filled._settings.data_dir
    _created(place, folder)
    await filled.close()
    (folder / "catalogue.db").write_bytes(b"\x07 torn" * 5_000)
    with pytest.raises(FailedPrecondition, match="snapshot"):
        await open_engine()
    with pytest.raises(FailedPrecondition, match="--replace"):
        _restored(place, folder)
    _restored(place, folder, replace=True)
    assert len(await shop.found(await open_engine(), vector=shop.vectors(1)[0], depth=100)) == 25


async def test_a_snapshot_of_another_version_is_refused(filled: Any, place: Place, tmp_path: Path) -> None:
    snapshot, _ = _created(place, filled._settings.data_dir)
    path = Path(snapshot.url) / NAME
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"catalogue_format": 99}))
    with pytest.raises(FailedPrecondition, match="catalogue format 99"):
        _restored(place, tmp_path / "elsewhere")
    path.write_text(json.dumps(said | {"format": 7}))
    with pytest.raises(FailedPrecondition, match="format"):
        _restored(place, tmp_path / "elsewhere")


async def test_a_full_disk_leaves_no_snapshot_and_says_so(filled: Any, tmp_path: Path) -> None:
    """/dev/full refuses every byte, as a full disk does."""
    (tmp_path / "full").mkdir()

    class Full(Place):
        def __truediv__(self, name: str) -> Place:
            made = super().__truediv__(name)
            Path(made.url).mkdir()
            (Path(made.url) / "version-00000.parquet").symlink_to("/dev/full")
            return made

    with pytest.raises(FailedPrecondition, match="No space left on device"):
        _created(Full(str(tmp_path / "full")), filled._settings.data_dir)
    with pytest.raises(FailedPrecondition, match="cut off"):
        Place(str(tmp_path / "full")).snapshots()[0].manifest()


def test_a_place_without_snapshots_says_how_to_make_one(place: Place) -> None:
    with pytest.raises(NotFound, match="vitrine snapshot create"):
        place.snapshots()


def test_a_folder_without_a_catalogue_is_refused(place: Place, tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="there is no catalogue"):
        _created(place, tmp_path / "nothing")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of an empty S3 bucket."""
    import s3fs

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("shop")
    yield "s3://shop"
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


async def test_s3_holds_snapshots_as_a_folder_does(
    filled: Any, bucket: str, open_engine: Any, shop: Any, tmp_path: Path
) -> None:
    import s3fs

    place = Place(f"{bucket}/snapshots/")
    with pytest.raises(NotFound):
        await asyncio.to_thread(place.snapshots)

    def twice() -> Place:
        _created(place, filled._settings.data_dir)
        newest, _ = _created(place, filled._settings.data_dir)
        # Its first bytes only, as an upload that was cut off leaves them.
        path = f"{newest.url}/version-00000.parquet"
        s3fs.S3FileSystem().pipe_file(path, newest.read("version-00000.parquet")[:1_000])
        return newest

    newest = await asyncio.to_thread(twice)
    [said] = await asyncio.to_thread(_restored, place, tmp_path / "elsewhere")
    assert f"{newest.url}/version-00000.parquet is torn" in said
    engine = await open_engine(data_dir=tmp_path / "elsewhere")
    assert len(await shop.found(engine, vector=shop.vectors(1)[0], depth=100)) == 25
    with pytest.raises(FailedPrecondition, match=r"s3://nowhere.* cannot be written"):
        await asyncio.to_thread(_created, Place("s3://nowhere/x"), filled._settings.data_dir)


async def test_releases_and_further_vectors_are_in_a_snapshot(
    filled: Any, place: Place, shop: Any, tmp_path: Path
) -> None:
    generation, vectors = releases.generation, releases.generation_vector
    await filled.delete_products(["p00000", "p00001"], deadline=shop.deadline())
    with filled._catalogue.begin() as connection:
        connection.execute(sa.insert(releases.pointer).values(one=1, serving="spring", previous=None))
        connection.execute(sa.insert(generation).values(model_digest="m2", dim=1, fills=1, searchable=True))
        rows = [{"model_digest": "m2", "row": row, "data": bytes([row] * 4)} for row in range(1, 26)]
        connection.execute(sa.insert(vectors), rows)
    _created(place, filled._settings.data_dir)
    _restored(place, tmp_path / "elsewhere")
    with one_moment(tmp_path / "elsewhere", "") as connection:
        assert connection.execute(sa.select(releases.pointer.c.serving)).all() == [("spring",)]
        assert connection.execute(sa.select(generation)).all() == [("m2", 1, 1, True)]
        kept = connection.execute(sa.select(vectors.c.row, vectors.c.data).order_by(vectors.c.row)).all()
    # Those of the first two rows are of nothing that lives.
    assert kept == [(row, bytes([row] * 4)) for row in range(3, 26)]


def test_every_table_goes_into_a_snapshot() -> None:
    kinds = {type(column.type) for table in metadata.sorted_tables for column in table.columns}
    for kind in kinds:
        assert creating._arrow_type(sa.Column("any", kind())) is not None
