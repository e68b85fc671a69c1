"""Folders of data: that they can be written, and have room."""

import errno
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from cli.doctor.check import check
from cli.doctor.findings import Finding, ok, problem, warning
from cli.doctor.machine import Machine
from cli.ingest.settings import IngestSettings
from cli.up.settings import UpSettings
from gateway.auth.settings import AuthSettings
from gateway.events.settings import EventsSettings
from gateway.settings import GatewaySettings
from services.retriever.settings import RetrieverSettings

_LEAST_BYTES = 256 << 20
_LEAST_INODES = 1_000
_PROBE_BYTES = 1 << 20


@check(
    "folders.writable",
    "machine",
    tells="the folders of VITRINE_*_DATA_DIR, _STATE_DIR, _CACHE_DIR and the audit log can be written",
)
async def writable(machine: Machine) -> AsyncIterator[Finding]:
    """A MiB is written, made durable and removed, in the folder or in the one where it would be made."""
    for variable, folder in _folders():
        try:
            with tempfile.TemporaryFile(dir=_there(folder)) as file:
                file.write(bytes(_PROBE_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            # A container's own file system, in an image of one service, has not the volumes of another.
            of_another = error.errno == errno.EROFS and machine.in_container and variable not in os.environ
            made = warning if of_another else problem
            yield made(
                f"{folder} ({variable}) cannot be written: {error.strerror}",
                f"give it to the user {os.geteuid()} and room, or set {variable} to another folder",
            )
        else:
            yield ok(f"{folder} can be written")


@check(
    "folders.space", "machine", tells="room on the disk of each of them: what it holds is written anew beside the old"
)
async def space(_machine: Machine) -> AsyncIterator[Finding]:
    """Free bytes against what the folder holds now."""
    for variable, folder in _folders():
        free, held = shutil.disk_usage(_there(folder)).free, _held(folder)
        said = f"{folder}: {free >> 20:,} MiB free, {held >> 20:,} MiB held"
        if free < _LEAST_BYTES:
            yield problem(said, f"make room, or set {variable} to a folder on a larger disk")
        elif free < held:
            yield warning(
                f"{said}: an index or a log that is written anew does not fit beside the old one", "make room"
            )
        else:
            yield ok(said)


@check("folders.inodes", "machine", tells="files can still be made there (inodes)")
async def inodes(_machine: Machine) -> AsyncIterator[Finding]:
    """File systems without a fixed number of inodes say 0 of 0."""
    for variable, folder in _folders():
        stat = os.statvfs(_there(folder))
        if stat.f_files and stat.f_favail < _LEAST_INODES:
            yield problem(
                f"{folder} has inodes for {stat.f_favail} more files", f"remove files there, or move {variable}"
            )
        else:
            yield ok(f"{folder}: {f'{stat.f_favail:,} inodes free' if stat.f_files else 'no limit of inodes'}")


def _folders() -> Iterator[tuple[str, Path]]:
    """The folders that the settings name, each once, and the variable of each."""
    events, gateway, audit = EventsSettings(), GatewaySettings(), AuthSettings().audit_file
    named = [
        ("VITRINE_RETRIEVER_DATA_DIR", RetrieverSettings().data_dir),
        ("VITRINE_INGEST_STATE_DIR", IngestSettings().state_dir),
        *([] if events.redis_url else [("VITRINE_EVENTS_DATA_DIR", events.data_dir)]),
        *([] if gateway.redis_url else [("VITRINE_UP_CACHE_DIR", UpSettings().cache_dir)]),
        *([("VITRINE_AUTH_AUDIT_FILE", audit.parent)] if audit else []),
    ]
    seen: set[Path] = set()
    for variable, folder in named:
        if folder not in seen:
            seen.add(folder)
            yield variable, folder


def _there(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(one for one in (folder, *folder.absolute().parents) if one.exists())


def _held(folder: Path) -> int:
    held = 0
    for path in folder.rglob("*") if folder.is_dir() else ():
        try:
            held += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # what runs there cleared it away meanwhile
            continue
    return held
