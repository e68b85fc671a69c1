"""The catalogue's tables: one process, one truth, and errors that say what to do."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.retriever.catalogue import IN_CHUNK, Catalogue
from services.retriever.tables import Version
from vitrine.errors import FailedPrecondition, Unavailable


def _version(row: int, product_id: str, revision: int = 1) -> Version:
    return Version(row, product_id, revision, "{}", "", "[]", b"", b"")


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path)
    with pytest.raises(FailedPrecondition, match="another process"):
        Catalogue(tmp_path)
    catalogue.close()
    Catalogue(tmp_path).close()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(FailedPrecondition, match="cannot be written"):
        Catalogue(tmp_path / "file" / "data")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "catalogue.db").write_bytes(b"\x07 not a database" * 100)
    with pytest.raises(FailedPrecondition, match="restore"):
        Catalogue(tmp_path)


def test_damage_that_is_found_late_names_the_fix(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path)
    with catalogue.transaction() as transaction:
        transaction.add([_version(row, f"p{row}") for row in range(1, 200)], "m")
    catalogue.close()
    with sqlite3.connect(tmp_path / "catalogue.db") as connection:
        page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'version'").fetchone()[0]
    connection.close()
    with (tmp_path / "catalogue.db").open("r+b") as file:
        file.seek((root - 1) * page_bytes)
        file.write(b"\x07" * page_bytes)
    catalogue = Catalogue(tmp_path)
    with pytest.raises(Unavailable, match=r"malformed; `vitrine snapshot restore"):
        catalogue.documents([1])
    catalogue.close()


def test_a_catalogue_of_another_format_is_refused(tmp_path: Path) -> None:
    Catalogue(tmp_path).close()
    with sqlite3.connect(tmp_path / "catalogue.db") as connection:
        connection.execute("UPDATE state SET format = 99")
    connection.close()
    with pytest.raises(FailedPrecondition, match="format 99"):
        Catalogue(tmp_path)


def test_the_database_itself_refuses_two_living_versions(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path)

    def write() -> None:
        with catalogue.transaction() as transaction:
            transaction.add([_version(1, "a"), _version(2, "b")], "m")
            transaction.add([_version(3, "a")], "m")

    with pytest.raises(Exception, match="UNIQUE"):
        write()
    with catalogue.changes_since(0) as changes:
        assert changes is not None
        assert list(changes.added) == []
    catalogue.close()


def test_commits_reach_the_disk(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path)
    with catalogue._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
    catalogue.close()


def test_reads_as_of_a_revision_in_chunks(tmp_path: Path) -> None:
    """metarank#318 (case 131): one giant request exceeds the limit; this one is cut."""
    catalogue = Catalogue(tmp_path)
    count = IN_CHUNK * 2 + 5
    with catalogue.transaction() as transaction:
        transaction.add([_version(n, f"p{n}") for n in range(count)], "m")
        transaction.mark_dead(range(0, count, 2), revision=2)
        transaction.add([_version(count + 1, "p0", revision=2)], "m")
    ids = [f"p{n}" for n in range(count)]
    assert dict(catalogue.rows_at(ids, 1)) == {f"p{n}": n for n in range(count)}
    assert dict(catalogue.rows_at(ids, 2)) == {f"p{n}": n for n in range(1, count, 2)} | {"p0": count + 1}
    with catalogue.transaction() as transaction:
        assert transaction.purge(catalogue.reader_id, 1) == 0
    assert len(dict(catalogue.rows_at(ids, 1))) == count
    with catalogue.transaction() as transaction:
        assert transaction.purge(catalogue.reader_id, 2) == 2
    assert len(dict(catalogue.rows_at(ids, 1))) == count // 2
    assert len(catalogue.documents(range(count))) == count // 2
    catalogue.close()


async def test_a_write_that_the_disk_refuses_is_not_acknowledged(engine: Any, shop: Any) -> None:
    vectors = shop.vectors(4)
    await shop.fill(engine, [shop.product(1)], vectors[:1])
    with engine._catalogue._engine.connect() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON version BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
        connection.commit()
    with pytest.raises(Exception, match="disk full") as refusal:
        await shop.fill(engine, [shop.product(1, title="other"), shop.product(2)], vectors[2:])
    assert type(refusal.value).__name__ == "Unavailable"
    assert await shop.found(engine, vector=vectors[0]) == ["p00001"]
    assert (await shop.found(engine, text="other")) == []
    [alert] = (await engine.get_index(deadline=shop.deadline())).alerts
    assert "disk full; revision 1 is served" in alert
    with engine._catalogue._engine.connect() as connection:
        connection.exec_driver_sql("DROP TRIGGER full")
        connection.commit()
    await shop.fill(engine, [shop.product(2)], vectors[1:2])
    assert (await engine.get_index(deadline=shop.deadline())).alerts == ()
    assert set(await shop.found(engine, vector=vectors[0])) == {"p00001", "p00002"}
    await engine.self_test()


async def test_a_file_that_may_not_grow_is_served_on(engine: Any, shop: Any, open_engine: Any) -> None:
    """SQLite itself runs out of room, in the middle of a write: what was there is served, now and after a restart."""
    vectors = shop.vectors(300)
    await shop.fill(engine, [shop.product(1)], vectors[:1])

    def bounded(connection: Any, *_: object) -> None:
        [(pages,)] = connection.execute("PRAGMA page_count").fetchall()
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()

    database = engine._catalogue._engine
    sa.event.listen(database, "checkout", bounded)
    products = [shop.product(n, description="long " * 400) for n in range(300)]
    with pytest.raises(Unavailable, match="database or disk is full"):
        await shop.fill(engine, products, vectors)
    [alert] = (await engine.get_index(deadline=shop.deadline())).alerts
    assert "database or disk is full" in alert
    assert await shop.found(engine, vector=vectors[0]) == ["p00001"]
    await engine.self_test()
    sa.event.remove(database, "checkout", bounded)
    await engine.close()
    again = await open_engine()
    assert await shop.found(again, vector=vectors[0]) == ["p00001"]
    await shop.fill(again, products, vectors)
    assert (await again.get_index(deadline=shop.deadline())).products == 300


async def test_indexes_that_fall_out_of_step_are_made_anew(engine: Any, shop: Any) -> None:
    """mem0#7117: index and ids out of step must never serve a wrong id (case 110)."""
    vectors = shop.vectors(6)
    await shop.fill(engine, [shop.product(n) for n in range(3)], vectors[:3])

    def broken(*_: object) -> None:
        raise MemoryError("no room")

    engine._writer._views.follow = broken
    await shop.fill(engine, [shop.product(n) for n in range(3, 6)], vectors[3:])
    index = await engine.get_index(deadline=shop.deadline())
    assert index.products == 6
    assert "no room" in " ".join(index.alerts)
    for number in range(6):
        found = await shop.search(engine, vector=vectors[number], text=f"wx-{number}")
        assert found.candidates[0].product.id == f"p{number:05}"


async def test_words_of_another_version_are_segmented_again(open_engine: Any, engine: Any, shop: Any) -> None:
    await shop.fill(engine, [shop.product(n, description="waterproof") for n in range(3)], shop.vectors(3))
    with engine._catalogue._engine.connect() as connection:
        connection.exec_driver_sql("UPDATE version SET entry = '[0, {}, [], null]'")
        connection.commit()
    await engine.close()
    again = await open_engine()
    assert len(await shop.found(again, text="waterproof", filter=shop.filter(max_price=1))) == 2
