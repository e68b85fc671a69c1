"""The catalogue's folder: whether SQLite's file and the saved views hold together, and are of the embedder's model."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from cli.doctor.check import check
from cli.doctor.findings import Finding, ok, problem, unknown, warning
from cli.doctor.machine import Machine
from services.embedder.settings import EmbedderSettings
from services.retriever.saved_views import SavedViews
from services.retriever.settings import RetrieverSettings
from services.retriever.tables import ALIVE, FORMAT, state, version
from vitrine.bundle import load_bundle
from vitrine.errors import FailedPrecondition

_RESTORE = "stop the retriever, then `vitrine snapshot restore PLACE --replace`"


def _opened(folder: Path) -> sa.Engine | None:
    """The catalogue's file, read only, beside a retriever that may run; None where there is none."""
    path = (folder / "catalogue.db").absolute()
    if not path.is_file():
        return None

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, check_same_thread=False)

    return sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool)


def stored_products(folder: Path) -> tuple[int, int]:
    """Living products in a folder and the width of their vectors; zeros where no catalogue can be read."""
    engine = _opened(folder)
    if engine is None:
        return 0, 0
    try:
        with engine.connect() as connection:
            dim = connection.execute(sa.select(state.c.dim)).scalar_one_or_none() or 0
            return connection.execute(sa.select(sa.func.count()).where(ALIVE).select_from(version)).scalar_one(), dim
    except DatabaseError:
        # catalogue.file says what is wrong with it.
        return 0, 0


@check(
    "catalogue.file", "machine", tells="SQLite's file is whole, of this version's format and of the embedder's model"
)
async def file(_machine: Machine) -> AsyncIterator[Finding]:
    """SQLite's own check of each page, and what the state row says."""
    settings = RetrieverSettings()
    engine = None if settings.catalogue_url else _opened(settings.data_dir)
    if engine is None:
        where = (
            "the catalogue is in PostgreSQL" if settings.catalogue_url else f"no catalogue in {settings.data_dir} yet"
        )
        yield ok(where)
        return
    path = settings.data_dir / "catalogue.db"
    try:
        with engine.connect() as connection:
            found = await asyncio.to_thread(lambda: connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
            if found != "ok":
                yield problem(f"{path} is damaged: {found}", _RESTORE)
                return
            row = connection.execute(sa.select(state)).mappings().one_or_none()
    except DatabaseError as error:
        yield problem(f"{path} cannot be read: {error.orig}", _RESTORE)
        return
    if row is None:
        yield problem(f"{path} has no state", _RESTORE)
    elif row["format"] != FORMAT:
        yield problem(
            f"{path} has format {row['format']} and this version reads {FORMAT}",
            "ingest again into an empty folder, or run the version that made it",
        )
    else:
        yield ok(f"{path} is whole, at revision {row['revision']}")
        try:
            served = load_bundle(EmbedderSettings().bundle, "embedder").manifest.digest
        except FailedPrecondition:
            return  # models.bundles says what is wrong with it
        further = {load_bundle(Path(one), "embedder").manifest.digest for one in EmbedderSettings().further_bundles}
        if row["model_digest"] and row["model_digest"] not in {served, *further}:
            yield problem(
                f"its vectors are of {row['model_digest']} and the embedder is {served}",
                "set VITRINE_EMBEDDER_BUNDLE to the catalogue's model, or change models by a release",
            )


@check(
    "catalogue.views", "machine", tells="the saved views match their checksums, so that a start need not make them anew"
)
async def views(_machine: Machine) -> AsyncIterator[Finding]:
    """The manifest and every block that it names."""
    settings = RetrieverSettings()
    folder = settings.data_dir / "views"
    engine = None if settings.catalogue_url else _opened(settings.data_dir)
    if engine is None or not folder.is_dir():
        yield ok(f"no views are saved in {folder}")
        return
    try:
        with engine.connect() as connection:
            row = connection.execute(sa.select(state)).mappings().one_or_none()
    except DatabaseError as error:
        yield problem(f"the catalogue of {folder} cannot be read: {error.orig}", _RESTORE)
        return
    if row is None:
        yield unknown(f"nothing says what the views in {folder} are of", "see catalogue.file")
        return
    saved = SavedViews(folder)
    try:
        manifest = saved.manifest(row["catalogue_id"])
        if manifest is not None:
            await asyncio.to_thread(saved.verify, manifest)
    except FailedPrecondition as error:
        yield warning(error.message, f"nothing is lost: the next start makes them anew; or remove {folder} first")
    else:
        behind = row["revision"] - manifest.state.revision if manifest else 0
        yield ok(f"{folder} is whole, {behind} revisions behind the catalogue" if manifest else f"{folder} is empty")
