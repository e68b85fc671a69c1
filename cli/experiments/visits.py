"""A folder's events, file by file and row by row."""

from collections.abc import Iterator
from pathlib import Path

from cli.events.layouts.native import native_event
from vitrine.errors import FailedPrecondition, InvalidArgument
from vitrine.rows import FORMATS, RowFile
from vitrine.user_event import UserEvent


class FolderEvents:
    """Events in Vitrine's own layout. `refused` rows are none, `first_fault` says why of the first."""

    def __init__(self, folder: Path) -> None:
        """Raises FailedPrecondition where there are no files."""
        self._paths = sorted(
            path
            for path in folder.rglob("*")
            if path.is_file()
            and not path.name.startswith((".", "_"))
            and path.name.lower().removesuffix(".gz").endswith(FORMATS)
        )
        if not self._paths:
            raise FailedPrecondition(f"{folder} holds no file that ends in {', '.join(FORMATS)}; export events into it")
        self.refused = 0
        self.first_fault = ""

    def __iter__(self) -> Iterator[UserEvent]:
        """The events, in the files' order. Raises InvalidArgument where a file is damaged."""
        for path in self._paths:
            for row in RowFile(path).rows():
                try:
                    event = None if row.fault else native_event(row.values)
                    fault = row.fault
                except InvalidArgument as error:
                    event, fault = None, error.message
                if event is not None and event.event_time is None:
                    event, fault = None, "event_time: is empty"
                if event is not None:
                    yield event
                    continue
                self.refused += 1
                self.first_fault = self.first_fault or f"{path.name}, row {row.number}: {fault}"
