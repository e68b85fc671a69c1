"""What people read of an ingest, and its exit status."""

import asyncio
from pathlib import Path

import pytest
import typer

from cli.ingest.settings import IngestSettings
from cli.ingest.terminal import ingest_file, update_offers
from tests.cli.conftest import Shelf
from vitrine.product import Product

HEADER = "id;title;description;price;notes\n"


def settings_of(shelf: Shelf, folder: Path) -> IngestSettings:
    return IngestSettings(target=shelf.target, state_dir=folder / "state", first_backoff_s=0.01)


async def test_what_was_mended_repeated_and_not_used_is_said(
    shelf: Shelf, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "shop.csv"
    rows = "1;Tasse;<p>Schön</p>;¥5;x\n2;Krug;;5 €;x\n1;Tasse 2;;6 €;x\n3;;;5 €;x\n"
    path.write_text(HEADER + rows, encoding="cp1252")
    settings = settings_of(shelf, tmp_path)
    await asyncio.to_thread(ingest_file, path, None, settings, sync=False, force=False, feed_name="")
    said = capsys.readouterr().out
    assert "shop.csv: CSV in cp1252" in said
    assert "3 products accepted, 1 rows refused" in said
    assert "1 × HTML or entities in description read as plain text" in said
    assert "1 × prices in ¥ taken as CNY" in said
    assert "1 rows took the place of earlier rows with their id, such as 1" in said
    assert "columns not used: notes" in said


async def test_a_sync_that_would_delete_most_fails_and_says_how_to_go_on(
    shelf: Shelf, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, settings = tmp_path / "shop.csv", settings_of(shelf, tmp_path)
    for rows in (range(10), range(2)):
        path.write_text(HEADER + "".join(f"{n};Mug {n};;;\n" for n in rows))
        sync = asyncio.to_thread(ingest_file, path, None, settings, sync=True, force=False, feed_name="")
        if len(rows) == 10:
            await sync
            continue
        with pytest.raises(typer.Exit) as ended:
            await sync
        assert ended.value.exit_code == 1
    said = capsys.readouterr()
    assert "2 unchanged and not sent" in said.out
    assert "8 products are gone from this feed, more than may go at once" in said.err
    assert "--force" in said.err
    assert len(shelf.products) == 10
    await asyncio.to_thread(ingest_file, path, None, settings, sync=True, force=True, feed_name="")
    assert "8 gone from the feed and deleted" in capsys.readouterr().out


async def test_offers_are_counted(shelf: Shelf, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shelf.products["1"] = Product(id="1", title="Mug")
    path, settings = tmp_path / "prices.csv", settings_of(shelf, tmp_path)
    path.write_text("id,price\n1,5 EUR\n2,5 EUR\n")
    await asyncio.to_thread(update_offers, path, None, settings)
    said = capsys.readouterr().out
    assert "prices.csv: CSV, of which offers" in said
    assert "1 offers accepted, 1 rows refused" in said
    path.write_text("id,price\n2,5 EUR\n")
    with pytest.raises(typer.Exit):
        await asyncio.to_thread(update_offers, path, None, settings)
