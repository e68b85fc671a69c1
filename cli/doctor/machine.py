"""The machine that is examined."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine; `root` holds its proc and sys. `clock_ahead_s`: the clock less the steady one, when it began."""

    root: Path = Path("/")
    clock_ahead_s: float = field(default_factory=lambda: time.time() - time.monotonic())

    @property
    def in_container(self) -> bool:
        """As Docker's file or Kubernetes' variable tells."""
        return (self.root / ".dockerenv").exists() or "KUBERNETES_SERVICE_HOST" in os.environ
