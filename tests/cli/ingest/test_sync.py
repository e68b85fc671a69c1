"""A changed feed sends what changed and removes what is gone; the guards against a feed that came in part."""

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from cli.ingest.run import Ingest, Summary
from cli.ingest.settings import IngestSettings
from tests.cli.conftest import Shelf
from vitrine.errors import InvalidArgument, Unavailable, VitrineError

Sync = Callable[..., Any]


def rows_of(numbers: range, **changes: Any) -> list[dict[str, Any]]:
    return [
        {"id": f"p{number}", "title": f"Watch {number}", "price": f"{number},50 €", **changes} for number in numbers
    ]


@pytest.fixture
def sync(shelf: Shelf, tmp_path: Path) -> Sync:
    """Ingests rows as one feed; the file's name, options and settings can be said."""
    settings = IngestSettings(
        target=shelf.target, state_dir=tmp_path / "state", batch_products=10, first_backoff_s=0.01
    )

    async def run(rows: list[dict[str, Any]], name: str = "shop.jsonl", sync: bool = True, **options: Any) -> Summary:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        shelf.requests.clear()
        shelf.deletes.clear()
        ingest = Ingest(path, None, settings, sync=sync, **options)
        return await ingest.run(lambda _position, _progress: None, lambda _wait_s, _error: None)

    return run


@pytest.mark.parametrize("first_sync", [True, False], ids=["synced", "ingested"])
async def test_only_what_changed_travels_and_what_is_gone_goes(shelf: Shelf, sync: Sync, first_sync: bool) -> None:
    first = await sync(rows_of(range(40)), sync=first_sync)
    assert (first.accepted, first.unchanged, first.gone.deleted) == (40, 0, 0)
    again = await sync(rows_of(range(40)))
    assert (again.accepted, again.unchanged, again.rows) == (0, 40, 40)
    assert not shelf.requests
    changed = [*rows_of(range(5, 30)), *rows_of(range(30, 32), title="New title"), *rows_of(range(32, 45))]
    summary = await sync(changed)
    assert (summary.accepted, summary.unchanged, summary.gone.deleted) == (7, 33, 5)
    assert sorted(key for ids in shelf.requests for key in ids) == ["p30", "p31", "p40", "p41", "p42", "p43", "p44"]
    assert shelf.deletes == [[f"p{number}" for number in range(5)]]
    assert set(shelf.products) == {f"p{number}" for number in range(5, 45)}


async def test_what_another_changed_meanwhile_is_sent_again(shelf: Shelf, sync: Sync) -> None:
    await sync(rows_of(range(3)))
    del shelf.products["p1"]
    summary = await sync(rows_of(range(3)))
    assert (summary.accepted, shelf.requests) == (1, [["p1"]])


async def test_a_truncated_feed_deletes_nothing_unless_forced(shelf: Shelf, sync: Sync) -> None:
    await sync(rows_of(range(40)))
    summary = await sync(rows_of(range(20)))
    assert (summary.gone.kept, summary.gone.deleted, len(shelf.products)) == (20, 0, 40)
    assert not shelf.deletes
    forced = await sync(rows_of(range(20)), force=True)
    assert (forced.gone.deleted, len(shelf.products)) == (20, 20)
    assert (await sync(rows_of(range(20)))).gone.deleted == 0


async def test_exactly_the_share_that_may_go_goes(shelf: Shelf, sync: Sync) -> None:
    await sync(rows_of(range(10)))
    assert (await sync(rows_of(range(3, 10)))).gone.deleted == 3
    assert (await sync(rows_of(range(6, 10)))).gone.kept == 3


async def test_a_feed_that_is_broken_deletes_nothing(shelf: Shelf, sync: Sync, tmp_path: Path) -> None:
    items = "".join(f"<item><g:id>p{number}</g:id><title>Watch</title></item>" for number in range(10))
    path = tmp_path / "feed.xml"
    settings = IngestSettings(target=shelf.target, state_dir=tmp_path / "state")

    async def run() -> Summary:
        return await Ingest(path, None, settings, sync=True).run(lambda *_: None, lambda *_: None)

    path.write_text(f"<rss><channel>{items}</channel></rss>")
    assert (await run()).accepted == 10
    path.write_text(f"<rss><channel>{items}"[:-100])
    with pytest.raises(InvalidArgument, match="nothing after it was read"):
        await run()
    assert len(shelf.products) == 10


async def test_other_feeds_and_other_hands_keep_theirs(shelf: Shelf, sync: Sync) -> None:
    await sync(rows_of(range(10)), name="a.jsonl")
    await sync(rows_of(range(8, 20)), name="b.jsonl")
    await sync([{"id": "by hand", "title": "x"}], name="c.jsonl", sync=False)
    summary = await sync(rows_of(range(7)), name="a.jsonl")
    # p8 and p9 are in the other feed too.
    assert (summary.gone.deleted, shelf.deletes) == (1, [["p7"]])


async def test_a_feed_with_a_new_name_each_day_is_known_by_its_own(shelf: Shelf, sync: Sync) -> None:
    await sync(rows_of(range(10)), name="feed-1.jsonl", feed_name="main")
    summary = await sync(rows_of(range(1, 10)), name="feed-2.jsonl", feed_name="main")
    assert (summary.unchanged, summary.gone.deleted) == (9, 1)


async def test_a_row_that_is_refused_is_not_gone(shelf: Shelf, sync: Sync) -> None:
    await sync(rows_of(range(10)))
    summary = await sync([*rows_of(range(8)), *rows_of(range(8, 10), price="free")])
    assert (summary.refused, summary.gone.deleted, len(shelf.products)) == (2, 0, 10)


async def test_a_later_row_that_is_refused_takes_no_place(shelf: Shelf, sync: Sync) -> None:
    rows = [*rows_of(range(3)), *rows_of(range(2), price="free")]
    for accepted, unchanged in ((3, 0), (0, 3)):
        summary = await sync(rows)
        assert (summary.accepted, summary.unchanged, summary.refused, summary.repeated) == (accepted, unchanged, 2, 0)
    assert {product.title for product in shelf.products.values()} == {"Watch 0", "Watch 1", "Watch 2"}


async def test_rows_with_one_id_are_told_and_the_last_wins(shelf: Shelf, sync: Sync) -> None:
    rows = [*rows_of(range(12)), *rows_of(range(3), title="Second")]
    summary = await sync(rows)
    assert (summary.repeated, summary.repeated_ids) == (3, ("p0", "p1", "p2"))
    # Compared with the catalogue alone the first row would be unchanged, and the second win for good.
    again = await sync([*rows, *rows_of(range(1))])
    assert (shelf.products["p0"].title, shelf.products["p1"].title) == ("Watch 0", "Second")
    assert again.repeated == 4
    # Of an id that was there twice before only the last row is looked at: no earlier one is on sale for a moment.
    assert shelf.requests == [["p0"]]
    third = await sync([*rows, *rows_of(range(1))])
    assert (third.accepted, third.unchanged, third.repeated, shelf.requests) == (0, 12, 4, [])
    once = await sync(rows_of(range(12)))
    assert (once.accepted, once.unchanged, once.repeated) == (2, 10, 0)
    assert {product.title for product in shelf.products.values()} == {f"Watch {number}" for number in range(12)}


@pytest.mark.parametrize("count", [9, 10, 30])
async def test_of_many_repeated_ids_each_last_row_is_sent_once(shelf: Shelf, sync: Sync, count: int) -> None:
    await sync([*rows_of(range(count)), *rows_of(range(count), title="Second")], sync=False)
    summary = await sync([*rows_of(range(count)), *rows_of(range(count), title="Third"), *rows_of(range(90, 91))])
    sent = [key for ids in shelf.requests for key in ids]
    assert sorted(sent) == sorted({*(f"p{number}" for number in range(count)), "p90"})
    assert (summary.accepted, summary.repeated, summary.rows) == (count + 1, count, 2 * count + 1)
    assert {shelf.products[f"p{number}"].title for number in range(count)} == {"Third"}


def cut_off_after_the_first() -> Callable[[int], None]:
    """Fails at each batch but the first, counted over all streams: one that breaks on a busy machine is opened anew."""
    came = count()

    def fault(_number: int) -> None:
        if next(came) >= 1:
            raise InvalidArgument()

    return fault


async def test_cut_off_no_repeated_row_that_waited_is_lost(shelf: Shelf, sync: Sync) -> None:
    await sync([*rows_of(range(30)), *rows_of(range(1), title="Second")])

    shelf.fault = cut_off_after_the_first()
    with pytest.raises(VitrineError):
        await sync(rows_of(range(30), title="New"))
    assert shelf.products["p0"].title == "Second"
    shelf.fault = lambda _number: None
    summary = await sync(rows_of(range(30), title="New"))
    assert (summary.resumed_rows, summary.rows, summary.unchanged) == (0, 30, 10)
    assert {product.title for product in shelf.products.values()} == {"New"}


async def test_drafts_go(shelf: Shelf, sync: Sync, tmp_path: Path) -> None:
    header = "Handle,Title,Variant Price,Status\n"
    settings = IngestSettings(target=shelf.target, state_dir=tmp_path / "state", currency_code="EUR")
    path = tmp_path / "shopify.csv"

    async def run(states: str) -> Summary:
        path.write_text(header + "".join(f"p{number},Mug,5,{state}\n" for number, state in enumerate(states.split())))
        return await Ingest(path, None, settings, sync=True).run(lambda *_: None, lambda *_: None)

    await run("active active active active")
    summary = await run("active draft active active")
    assert (summary.left_out, summary.gone.deleted, set(shelf.products)) == (1, 1, {"p0", "p2", "p3"})


async def test_cut_off_it_goes_on_and_forgets_nothing(shelf: Shelf, sync: Sync) -> None:
    await sync(rows_of(range(30)))

    shelf.fault = cut_off_after_the_first()
    with pytest.raises(VitrineError):
        await sync(rows_of(range(2, 30), title="New"))
    shelf.fault = lambda _number: None
    summary = await sync(rows_of(range(2, 30), title="New"))
    assert summary.resumed_rows == 10
    assert (summary.accepted, summary.gone.deleted, summary.repeated) == (28, 2, 0)
    assert {product.title for product in shelf.products.values()} == {"New"}


async def test_deletes_wait_for_a_gateway_that_is_away(shelf: Shelf, sync: Sync) -> None:
    await sync(rows_of(range(10)))
    shelf.delete_faults = [Unavailable("away"), Unavailable("away")]
    assert (await sync(rows_of(range(1, 10)))).gone.deleted == 1
    assert not shelf.delete_faults
