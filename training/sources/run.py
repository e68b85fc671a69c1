"""A run that begins with source files: its run folder and the sources, opened together."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.processes import processes
from training.run_folder import RunFolder
from training.sources.files import SourceFiles, Sources, open_sources


def start_run(folder: Path, command: str, settings: Mapping[str, Any], files: SourceFiles) -> tuple[RunFolder, Sources]:
    """The run folder, new or resumed, with the sources in it; what cannot be read leaves no folder behind.

    The main process reads while the others wait. Raises TrainingError as RunFolder and open_sources do.
    """
    described = {**settings, "files": files.described()}
    if (folder / "run.json").exists():
        RunFolder(folder, command, described)
    if processes().is_main_process:
        open_sources(files, folder).close()
    processes().wait_for_everyone()
    run = RunFolder(folder, command, described)
    sources = open_sources(files, folder)
    if processes().is_main_process:
        for note in sources.notes:
            run.log(step="sources", note=note)
    return run, sources
