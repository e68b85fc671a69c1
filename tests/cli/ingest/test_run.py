"""Ingest from file to catalogue over real gRPC: formats, dirt, faults of the gateway, and being killed."""

import asyncio
import csv
import gzip
import json
import signal
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from cli.ingest.checkpoint import Progress
from cli.ingest.run import Ingest, Summary
from cli.ingest.settings import IngestSettings
from cli.sample.files import product_row
from cli.sample.products import Shop
from tests.cli.conftest import Shelf
from vitrine.errors import FailedPrecondition, InvalidArgument, ResourceExhausted, Unavailable, VitrineError, invalid

PRODUCTS = 60


def sample_rows(products: int = PRODUCTS) -> list[dict[str, Any]]:
    shop = Shop(products, seed=11)
    return [product_row(shop.product(index)) for index in range(products)]


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


class Runs:
    """Runs ingests into one shelf; keeps what was said about waits and progress."""

    def __init__(self, shelf: Shelf, state_dir: Path) -> None:
        self.settings = IngestSettings(
            target=shelf.target, state_dir=state_dir, batch_products=10, window=3, first_backoff_s=0.01
        )
        self.waits: list[VitrineError] = []
        self.progress: list[Progress] = []
        self.positions: list[int] = []

    async def run(self, path: Path, mapping: Path | None = None, **settings: Any) -> Summary:
        def moved(position: int, progress: Progress) -> None:
            self.positions.append(position)
            self.progress.append(progress)

        ingest = Ingest(path, mapping, self.settings.model_copy(update=settings))
        return await ingest.run(moved, lambda _wait_s, error: self.waits.append(error))

    def report(self, summary: Summary) -> list[dict[str, Any]]:
        assert summary.report_path is not None
        return [json.loads(line) for line in summary.report_path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def runs(shelf: Shelf, tmp_path: Path) -> Runs:
    return Runs(shelf, tmp_path / "data" / "ingest")


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) + ["original_price"] * ("original_price" not in rows[0]))
        writer.writeheader()
        for row in rows:
            cells = {**row, "attributes": json.dumps(row["attributes"])}
            writer.writerow({**cells, **{name: "|".join(row[name]) for name in ("categories", "image_uris")}})


@pytest.mark.parametrize("name", ["shop.jsonl", "shop.jsonl.gz", "shop.csv", "shop.parquet"])
async def test_every_format_gives_the_same_products(shelf: Shelf, runs: Runs, tmp_path: Path, name: str) -> None:
    rows, path = sample_rows(), tmp_path / name
    if name == "shop.csv":
        write_csv(path, rows)
    elif name == "shop.parquet":
        # The first row says which columns there are.
        columns = dict.fromkeys(name for row in rows for name in row)
        table = [{**columns, **row, "attributes": json.dumps(row["attributes"])} for row in rows]
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table), path)
    else:
        write_lines(path, rows)
        if name.endswith(".gz"):
            path.write_bytes(gzip.compress(path.read_bytes()))
    summary = await runs.run(path)
    assert (summary.accepted, summary.refused, summary.rows) == (PRODUCTS, 0, PRODUCTS)
    shop = Shop(PRODUCTS, seed=11)
    for index in range(PRODUCTS):
        expected, kept = shop.product(index), shelf.products[shop.facts(index).id]
        assert kept.title == expected.title
        assert kept.attributes == expected.attributes
        assert (kept.price, kept.original_price) == (expected.price, expected.original_price)
        assert kept.categories == expected.categories
    assert runs.positions == sorted(runs.positions)
    assert not list(runs.settings.state_dir.glob("*.checkpoint.json"))


async def test_bad_rows_are_reported_and_cost_nothing_else(shelf: Shelf, runs: Runs, tmp_path: Path) -> None:
    """An empty or blank text in a batch fails its item and not the batch (dify#6807, azure-search-openai-demo#1134)."""
    good = [json.dumps({"id": str(number), "title": f"Watch {number}"}) for number in range(5)]
    lines = [
        good[0],
        '{"id": "broken", ',
        good[1],
        '{"id": "empty", "title": ""}',
        '{"id": "blank", "title": " \\t\\u3000\\u200b"}',
        '{"id": "cents", "title": "Watch", "price": "9,99 Taler", "currency_code": "EUR"}',
        good[2],
        '{"id": "wrong everywhere", "title": "", "price": -1}',
        '{"title": "no id"}',
        good[3],
        good[4],
    ]
    path = tmp_path / "shop.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    shelf.refuse = lambda product_id: invalid("products[1].title", "is not nice") if product_id == "3" else None
    summary = await runs.run(path)
    assert (summary.accepted, summary.refused) == (4, 7)
    assert set(shelf.products) == {"0", "1", "2", "4"}
    report = runs.report(summary)
    assert [(row["line"], row["id"]) for row in report] == [
        (2, ""),
        (4, "empty"),
        (5, "blank"),
        (6, "cents"),
        (8, "wrong everywhere"),
        (9, ""),
        (10, "3"),
    ]
    assert "is not JSON" in report[0]["reasons"][0]["description"]
    assert report[1]["reasons"][0]["field"] == report[2]["reasons"][0]["field"] == "title"
    assert "'9,99 Taler' names no currency" in report[3]["reasons"][0]["description"]
    assert {reason["field"] for reason in report[4]["reasons"]} == {"id", "title", "price", "currency_code"}
    assert report[6]["reasons"] == [{"field": "title", "description": "is not nice"}]


async def test_of_rows_with_one_id_the_last_wins(shelf: Shelf, runs: Runs, tmp_path: Path) -> None:
    rows = [{"id": str(number % 7), "title": f"Version {number}"} for number in range(70)]
    summary = await runs.run(write_lines(tmp_path / "shop.jsonl", rows))
    assert summary.accepted == 70
    assert {key: product.title for key, product in shelf.products.items()} == {
        str(number % 7): f"Version {number}" for number in range(63, 70)
    }
    assert all(len(set(ids)) == len(ids) for ids in shelf.requests)


async def test_a_file_of_bad_rows_alone_is_read_to_its_end(shelf: Shelf, runs: Runs, tmp_path: Path) -> None:
    path = tmp_path / "shop.jsonl"
    path.write_text('{"id": "", "title": "nameless"}\n' * 1_700)
    summary = await runs.run(path)
    assert (summary.accepted, summary.refused) == (0, 1_700)
    assert len(runs.report(summary)) == 1_700
    assert not shelf.requests


async def test_requests_under_way_are_bounded(shelf: Shelf, runs: Runs, tmp_path: Path) -> None:
    shelf.gate.clear()
    running = asyncio.create_task(runs.run(write_lines(tmp_path / "shop.jsonl", sample_rows(200))))
    await shelf.has_received(runs.settings.window)
    assert shelf.most_unanswered == runs.settings.window
    shelf.gate.set()
    assert (await running).accepted == 200
    assert shelf.most_unanswered == runs.settings.window


async def test_requests_are_bounded_in_bytes(shelf: Shelf, runs: Runs, tmp_path: Path) -> None:
    rows = [{"id": str(number), "title": "Watch", "description": "字" * 20_000} for number in range(30)]
    summary = await runs.run(write_lines(tmp_path / "shop.jsonl", rows), batch_products=500, batch_bytes=200_000)
    assert summary.accepted == 30
    assert [len(ids) for ids in shelf.requests] == [3] * 10


@pytest.mark.parametrize(
    "error",
    [Unavailable("away"), ResourceExhausted("full"), ResourceExhausted("full", retry_after_s=0.02)],
    ids=["away", "full", "full with delay"],
)
async def test_what_passes_is_waited_for(shelf: Shelf, runs: Runs, tmp_path: Path, error: VitrineError) -> None:
    """Nothing is lost or settled twice when the gateway refuses for a while."""
    broken = {3, 4, 8}

    def fault(number: int) -> None:
        if number in broken:
            broken.remove(number)
            raise error

    shelf.fault = fault
    summary = await runs.run(write_lines(tmp_path / "shop.jsonl", sample_rows()))
    assert (summary.accepted, len(shelf.products)) == (PRODUCTS, PRODUCTS)
    assert [progress.accepted for progress in runs.progress] == [10, 20, 30, 40, 50, 60]
    # A stream's end that crosses a request on its way is known as Unavailable alone.
    assert {type(wait) for wait in runs.waits} <= {type(error), Unavailable}
    assert not broken


async def test_an_item_that_is_refused_for_now_is_sent_again(shelf: Shelf, runs: Runs, tmp_path: Path) -> None:
    refusals = iter([Unavailable("embedder away"), None])
    victim = sample_rows()[15]["id"]
    shelf.refuse = lambda product_id: next(refusals, None) if product_id == victim else None
    summary = await runs.run(write_lines(tmp_path / "shop.jsonl", sample_rows()))
    assert (summary.accepted, summary.refused) == (PRODUCTS, 0)
    assert victim in shelf.products


async def test_a_fault_that_stays_ends_it_and_the_next_run_goes_on(shelf: Shelf, runs: Runs, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "shop.jsonl", sample_rows())

    def fault(number: int) -> None:
        if number >= 4:
            raise FailedPrecondition("the index holds vectors of another model")

    shelf.fault = fault
    with pytest.raises(FailedPrecondition, match="another model"):
        await runs.run(path)
    assert len(shelf.products) == 30
    shelf.fault = lambda number: None
    summary = await runs.run(path)
    assert (summary.resumed_rows, summary.accepted, len(shelf.products)) == (30, PRODUCTS, PRODUCTS)
    assert shelf.written == PRODUCTS


async def test_it_gives_up_in_the_end(runs: Runs, tmp_path: Path, shelf: Shelf) -> None:
    path = write_lines(tmp_path / "shop.jsonl", sample_rows(1))
    with pytest.raises(Unavailable):
        await runs.run(path, target="127.0.0.1:1", give_up_s=0.05)
    assert not runs.progress


async def test_a_damaged_file_is_written_up_to_the_damage(shelf: Shelf, runs: Runs, tmp_path: Path) -> None:
    path = tmp_path / "shop.jsonl.gz"
    write_lines(path, sample_rows(2_000))
    whole = gzip.compress(path.read_bytes())
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidArgument, match="cannot be read to its end"):
        await runs.run(path, batch_products=100)
    assert 100 < len(shelf.products) < 2_000
    assert runs.progress[-1].rows == len(shelf.products)


async def stopped_half_way(shelf: Shelf, runs: Runs, path: Path) -> None:
    def fault(number: int) -> None:
        if number >= 4:
            raise FailedPrecondition("stop")

    shelf.fault = fault
    with pytest.raises(FailedPrecondition):
        await runs.run(path)
    shelf.fault = lambda number: None


async def test_a_file_that_changed_is_begun_anew(shelf: Shelf, runs: Runs, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "shop.jsonl", sample_rows())
    await stopped_half_way(shelf, runs, path)
    write_lines(path, [{**row, "title": f"New {row['title']}"} for row in sample_rows()])
    summary = await runs.run(path)
    assert (summary.resumed_rows, summary.accepted) == (0, PRODUCTS)
    assert all(product.title.startswith("New ") for product in shelf.products.values())


async def test_a_catalogue_emptied_meanwhile_is_filled_from_the_beginning(
    shelf: Shelf, runs: Runs, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "shop.jsonl", sample_rows())
    await stopped_half_way(shelf, runs, path)
    shelf.products.clear()
    assert (await runs.run(path)).resumed_rows == 0
    assert len(shelf.products) == PRODUCTS


async def test_a_finished_file_is_written_again_when_asked_again(shelf: Shelf, runs: Runs, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "shop.jsonl", sample_rows())
    for _ in range(2):
        summary = await runs.run(path)
        assert (summary.resumed_rows, summary.accepted) == (0, PRODUCTS)
    assert shelf.written == 2 * PRODUCTS


def dirty_rows(products: int) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(sample_rows(products)):
        yield row if number % 10 else {**row, "title": ""}


async def test_killed_at_any_moment_it_goes_on_without_loss_or_doubles(shelf: Shelf, tmp_path: Path) -> None:
    """kill -9 of the real command, again and again: each run goes on where the acknowledged rows end."""
    products = 400
    path = write_lines(tmp_path / "shop.jsonl", list(dirty_rows(products)))
    environment = {
        "VITRINE_INGEST_BATCH_PRODUCTS": "10",
        "VITRINE_INGEST_WINDOW": "2",
        "VITRINE_INGEST_TARGET": shelf.target,
    }

    async def start() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", "ingest", str(path)),
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": str(Path(__file__).parents[3])},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    starts = []
    for kill_after in (4, 9):
        starts.append(len(shelf.requests))
        process = await start()
        await shelf.has_received(len(shelf.requests) + kill_after)
        process.send_signal(signal.SIGKILL)
        await process.communicate()
    starts.append(len(shelf.requests))
    process = await start()
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert b"went on after row" in output
    assert b"360 products accepted, 40 rows refused" in output
    assert set(shelf.products) == {row["id"] for row in dirty_rows(products) if row["title"]}
    # Each run began after the rows of the run before, but for those under way when it was killed.
    firsts = [shelf.requests[number][0] for number in starts]
    assert all(earlier < later for earlier, later in pairwise(firsts))
    assert shelf.written <= 360 + 2 * 2 * 10
    (report,) = (tmp_path / "data" / "ingest").glob("*.refused.jsonl")
    lines = [json.loads(line)["line"] for line in report.read_text(encoding="utf-8").splitlines()]
    assert lines == list(range(1, products + 1, 10))
