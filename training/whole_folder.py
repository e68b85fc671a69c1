"""Replaces a folder by one that is complete: readers see the old one or the new one, never a half."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from training.errors import TrainingError

Made = TypeVar("Made")


def replace_folder(folder: Path, marker: str, build: Callable[[Path], Made]) -> Made:
    """`build` fills a scratch folder beside `folder`, which then takes its place; what `build` gives is returned.

    Raises TrainingError when `folder` holds files and no `marker` among them: such a folder is not ours to replace.
    """
    check_replaceable(folder, marker)
    scratch, before = (folder.with_name(f".{folder.name}.{name}") for name in ("new", "before"))
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(parents=True)
        made = build(scratch)
        if folder.exists():
            shutil.rmtree(before, ignore_errors=True)
            folder.rename(before)
        scratch.rename(folder)
        shutil.rmtree(before, ignore_errors=True)
    except OSError as error:
        raise TrainingError(f"cannot write {folder}: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return made


def check_all_replaceable(marker: str, *folders: Path | None) -> None:
    """`check_replaceable` of those that are given; raise TrainingError, too, when one is given twice."""
    given = [folder for folder in folders if folder is not None]
    for folder in given:
        check_replaceable(folder, marker)
    for folder in given[1:]:
        if folder.resolve() == given[0].resolve():
            raise TrainingError(f"{folder} is given for two bundles; give a folder for each")


def check_replaceable(folder: Path, marker: str) -> None:
    """Raise TrainingError when `folder` is a file, or holds files and no `marker` among them, or cannot be made."""
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / marker).is_file())):
        raise TrainingError(f"{folder} holds something else (no {marker}); give another folder or empty it")
    _check_above(folder)


def check_file(path: Path) -> None:
    """Raise TrainingError when no file can be written at `path`."""
    if path.is_dir():
        raise TrainingError(f"{path} is a folder; give the name of a file")
    _check_above(path)


def _check_above(path: Path) -> None:
    above = next(one for one in path.absolute().parents if one.exists())
    if not above.is_dir():
        raise TrainingError(f"{path} cannot be written: {above} is a file; give another place")
    if not os.access(above, os.W_OK | os.X_OK):
        raise TrainingError(f"{path} cannot be written: {above} may not be written to; give another place")
