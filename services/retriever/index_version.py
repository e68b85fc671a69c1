"""The version of what a retriever's searches depend on: a name that changes with each publication and each start."""

import uuid


class IndexVersion:
    """Counts publications; the writer's thread counts, any thread names."""

    def __init__(self) -> None:
        # Other processes, and this one before a restart, count from nothing as well.
        self._opened_as = uuid.uuid4().hex[:12]
        self._publications = 0

    def published(self) -> None:
        """Counts one; to be called once readers see what was published."""
        self._publications += 1

    def named(self, *others: object) -> str:
        """The name, with all `others` that searches depend on besides what was published."""
        return ".".join(map(str, (self._opened_as, self._publications, *others)))
