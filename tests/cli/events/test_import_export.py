"""Import and export over real gRPC, with the store killed, calls refused, visitors erased and files cut off."""

import asyncio
import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from cli.events.day_files import DayFiles
from cli.events.export import Exported, export_events
from cli.events.importing import EventImport, Summary
from cli.ingest.settings import IngestSettings
from cli.main import app
from cli.sample.files import write_shop
from gateway.events.store import EventStore
from gateway.serving import Gateway
from tests.cli.events.conftest import StoreServer
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, InvalidArgument
from vitrine.rows import RowFile
from vitrine.user_event import EventProduct, EventType, UserEvent

NOW = datetime.now(UTC).replace(microsecond=0)


def in_time() -> Deadline:
    return Deadline.after(60)


def event(event_id: str, visitor_id: str = "ana", days_ago: float = 0, **fields: Any) -> UserEvent:
    fields = {"event_type": EventType.VIEW_ITEM, "products": (EventProduct("p1"),), **fields}
    return UserEvent(event_id, visitor_id=visitor_id, event_time=NOW - timedelta(days=days_ago), **fields)


async def exported(out: Path, target: str, keep_days: float | None = None, part_events: int = 50_000) -> Exported:
    return await asyncio.to_thread(export_events, out, target, keep_days, part_events)


def rows(out: Path) -> list[dict[str, Any]]:
    paths = sorted(out.glob("event_date=*/*.parquet"))
    return [row for path in paths for row in pyarrow.parquet.read_table(path, partitioning=None).to_pylist()]


def ids(out: Path) -> list[str]:
    return sorted(row["event_id"] for row in rows(out))


async def imported(path: Path, format: str, target: str, state_dir: Path, **settings: Any) -> Summary:
    fixed = IngestSettings(target=target, state_dir=state_dir, first_backoff_s=0.01)
    importing = EventImport(path, format, fixed.model_copy(update=settings))
    return await importing.run(lambda _position, _progress: None, lambda _wait_s, _error: None)


async def test_an_export_is_by_day_and_goes_on_where_it_was(store: EventStore, target: str, tmp_path: Path) -> None:
    await store.write([event(f"e{n}", days_ago=n % 3) for n in range(30)], deadline=in_time())
    out = tmp_path / "out"
    assert (await exported(out, target)).events == 30
    days = sorted(path.name for path in out.glob("event_date=*"))
    assert days == sorted(f"event_date={(NOW - timedelta(days=day)).date()}" for day in range(3))
    for path in out.glob("event_date=*/*.parquet"):
        found = pyarrow.parquet.read_table(path, partitioning=None).to_pylist()
        assert {f"event_date={row['event_time'].date()}" for row in found} == {path.parent.name}
    assert (await exported(out, target)).events == 0
    await store.write([event("late", days_ago=2), event("new")], deadline=in_time())
    assert (await exported(out, target)).events == 2
    assert ids(out) == sorted([*(f"e{n}" for n in range(30)), "late", "new"])


async def test_an_exported_event_imports_as_it_was(store: EventStore, target: str, tmp_path: Path) -> None:
    products = (EventProduct("p1", 3, 19.9, 4, "Shoes > Running"), EventProduct("p2"))
    full = event(
        "e1",
        event_type=EventType.PURCHASE,
        session_id="s",
        query="红色 鞋",
        products=products,
        currency_code="CNY",
        transaction_id="t",
        attribution_token="a",
        placement="search",
        country_code="CN",
    )
    await store.write([full], deadline=in_time())
    await exported(tmp_path / "out", target)
    (path,) = (tmp_path / "out").glob("event_date=*/*.parquet")
    assert (await imported(path, "vitrine", target, tmp_path / "state")).duplicates == 1
    await store._redis.flushall()
    summary = await imported(path, "vitrine", target, tmp_path / "state")
    assert (summary.accepted, summary.duplicates) == (1, 0)
    assert (await store.list_events(10, "", deadline=in_time())).events == (full,)


async def test_an_export_that_was_cut_off_doubles_nothing(
    store: EventStore, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off after its files were written and before it noted so; meanwhile more has come in."""
    await store.write([event(f"e{n}", days_ago=n % 2) for n in range(20)], deadline=in_time())
    out = tmp_path / "out"

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cli.events.day_files.DayFiles.save", cut)
        with pytest.raises(KeyboardInterrupt):
            await exported(out, target)
    assert len(ids(out)) == 20
    await store.write([event(f"f{n}") for n in range(5)], deadline=in_time())
    await exported(out, target)
    assert ids(out) == sorted([*(f"e{n}" for n in range(20)), *(f"f{n}" for n in range(5))])


async def test_a_large_export_is_in_parts(store: EventStore, target: str, tmp_path: Path) -> None:
    for start in range(0, 2_500, 500):
        await store.write([event(f"e{start + n}") for n in range(500)], deadline=in_time())
    assert (await exported(tmp_path / "out", target, part_events=1_000)).events == 2_500
    assert len(list((tmp_path / "out").glob("event_date=*/*.parquet"))) == 3
    assert len(set(ids(tmp_path / "out"))) == 2_500


async def test_erased_visitors_leave_the_folder_too(store: EventStore, target: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    events = [event(f"a{n}", "ana", days_ago=n) for n in range(3)] + [event(f"b{n}", "bob") for n in range(2)]
    await store.write(events, deadline=in_time())
    await exported(out, target)
    await store.delete_visitor("ana", deadline=in_time())
    await asyncio.sleep(0.002)
    back = UserEvent("again", EventType.VIEW_ITEM, "ana", event_time=datetime.now(UTC), products=(EventProduct("p"),))
    assert await store.write([back], deadline=in_time()) == [True]
    done = await exported(out, target)
    assert (done.events, done.erased_rows) == (1, 3)
    assert ids(out) == ["again", "b0", "b1"]
    assert not any(b"a0" in path.read_bytes() for path in out.rglob("*.parquet"))
    assert (await exported(out, target)).erased_rows == 0
    await store.delete_visitor("bob", deadline=in_time())
    assert (await exported(out, target)).erased_rows == 2
    assert ids(out) == ["again"]


async def test_only_what_was_exported_and_is_old_is_purged(
    store: EventStore, target: str, tmp_path: Path, raw: Any
) -> None:
    out = tmp_path / "out"
    await store.write([event(f"e{n}", f"v{n % 7}") for n in range(250)], deadline=in_time())
    assert (await exported(out, target, keep_days=1)).purged == 0
    assert (await exported(out, target, keep_days=0)).purged == 250
    assert (await store.list_events(500, "", deadline=in_time())).events == ()
    assert (await store.get_visitor("v0", deadline=in_time())).event_count == 0
    assert len(await store.history("v0", deadline=in_time())) == 36  # what is known of a visitor stays
    assert await raw.keys("*:events:events:*") == []
    await store.write([event("new", "v0")], deadline=in_time())
    assert (await exported(out, target)).events == 1
    assert len(ids(out)) == 251
    with pytest.raises(InvalidArgument, match="page_token"):
        await store.purge_events("x", None, deadline=in_time())


async def test_two_exports_into_one_folder_are_one_too_many(target: str, tmp_path: Path) -> None:
    with DayFiles(tmp_path).locked(), pytest.raises(FailedPrecondition, match="another export"):
        await exported(tmp_path, target)
    (tmp_path / "_progress.json").write_text("[]")
    with pytest.raises(FailedPrecondition, match=r"_progress\.json"):
        await exported(tmp_path, target)


async def test_the_sample_shops_events_import(store: EventStore, target: str, tmp_path: Path) -> None:
    write_shop(tmp_path, products=40, seed=3, moved=lambda done, note: None)
    count = len((tmp_path / "events.jsonl").read_text().splitlines())
    summary = await imported(tmp_path / "events.jsonl", "vitrine", target, tmp_path / "state")
    assert (summary.accepted, summary.refused) == (count, 0)
    again = await imported(tmp_path / "events.jsonl", "vitrine", target, tmp_path / "state")
    assert (again.accepted, again.duplicates) == (count, count)


async def test_an_import_outlives_a_killed_store(
    store: EventStore, target: str, tmp_path: Path, store_server: StoreServer
) -> None:
    """Killed in the midst of a batch: all that the file holds is there once."""
    lines = [
        {"event_id": f"e{n}", "event_type": "view", "visitor_id": f"v{n % 5}", "product_ids": ["p"]}
        for n in range(3_000)
    ]
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    settings = IngestSettings(target=target, state_dir=tmp_path / "state", first_backoff_s=0.01, window=2)
    killed = False

    def moved(_position: int, progress: Any) -> None:
        nonlocal killed
        if progress.rows >= 1_000 and not killed:
            killed = True
            store_server.kill()

    summary = await EventImport(path, "vitrine", settings).run(moved, lambda _wait_s, _error: None)
    assert summary.accepted == 3_000
    await store_server.restarts()
    await exported(tmp_path / "out", target)
    assert ids(tmp_path / "out") == sorted(line["event_id"] for line in lines)


async def test_an_import_that_was_cut_off_goes_on_and_reports_bad_rows(
    store: EventStore, target: str, tmp_path: Path, gateway: Gateway
) -> None:
    good = {"event_type": "view", "visitor_id": "v", "product_ids": ["p"]}
    lines = [json.dumps({**good, "event_id": f"e{n}"}) for n in range(1_200)]
    lines[3] = "{broken"
    lines[700] = json.dumps({**good, "event_id": "no-visitor", "visitor_id": ""})
    lines[701] = json.dumps({**good, "event_id": "list", "product_ids": 5})
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(lines))
    settings = IngestSettings(target=target, state_dir=tmp_path / "state", window=1)

    def stop(_position: int, progress: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await EventImport(path, "vitrine", settings).run(stop, lambda _wait_s, _error: None)
    summary = await EventImport(path, "vitrine", settings).run(lambda *_: None, lambda *_: None)
    assert (summary.accepted, summary.refused, summary.rows) == (1_197, 3, 1_200)
    assert 0 < summary.resumed_rows < 1_200
    assert summary.report_path is not None
    report = [json.loads(line) for line in summary.report_path.read_text().splitlines()]
    assert [(line["line"], line["reasons"][0]["field"]) for line in report] == [
        (4, "row"),
        (701, "visitor_id"),
        (702, "row"),
    ]


def test_a_file_of_another_format_is_one_clear_line(tmp_path: Path) -> None:
    for name, format in (("events.xml", "ga4"), ("missing.jsonl", "ubi")):
        done = CliRunner().invoke(app, ["events", "import", str(tmp_path / name), "--format", format])
        assert done.exit_code == 1
        assert done.output.startswith("error: PATH")
        assert done.output.count("\n") == 1


@pytest.mark.skipif("VITRINE_TEST_UBI" not in os.environ, reason="set VITRINE_TEST_UBI to a file of UBI events")
async def test_a_real_ubi_log_imports(store: EventStore, target: str, tmp_path: Path) -> None:
    source = Path(os.environ["VITRINE_TEST_UBI"])
    path = Path(shutil.copy(source, tmp_path / source.name))
    summary = await imported(path, "ubi", target, tmp_path / "state")
    assert summary.refused == 0
    assert summary.accepted > 0.8 * sum(1 for row in RowFile(path).rows() if "index" not in row.values)
