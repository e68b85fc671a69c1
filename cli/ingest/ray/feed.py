"""A feed as a Ray data source: requests that the ingest puts into a queue, one block for each, while the job runs."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask
from ray.util.queue import Queue

COLUMN = "request"


class FeedSource(Datasource):
    """Reads serialised requests from a queue until None comes; the feed's file needs to be where the ingest is only."""

    def __init__(self, queue: Queue) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._queue = queue

    def estimate_inmemory_data_size(self) -> int | None:
        """Not known."""
        return None

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        """One task: a feed is read in its order."""
        unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [ReadTask(_blocks_of(self._queue), unknown)]


def _blocks_of(queue: Queue) -> Callable[[], Iterable[pa.Table]]:
    def blocks() -> Iterator[pa.Table]:
        while (request := queue.get()) is not None:
            yield pa.table({COLUMN: pa.array([request], pa.binary())})

    return blocks
