"""Calls that are made again while the gateway is away or full."""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

from cli.ingest.settings import IngestSettings
from vitrine.channel import call
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, ResourceExhausted, Unavailable, VitrineError

# What another attempt may mend.
PASSING = (Unavailable, ResourceExhausted, DeadlineExceeded)
_MAX_BACKOFF_S = 10.0


def backoff_s(error: VitrineError, attempt: int, settings: IngestSettings) -> float:
    """Seconds to wait before attempt number `attempt` (from 0) after the error."""
    wait_s = min(_MAX_BACKOFF_S, settings.first_backoff_s * 2.0 ** min(attempt, 10))
    if isinstance(error, ResourceExhausted) and error.retry_after_s is not None:
        wait_s = max(wait_s, error.retry_after_s)
    return wait_s * random.uniform(0.5, 1.0)


async def patient_call(
    method: Any, request: Any, settings: IngestSettings, waits: Callable[[float, VitrineError], None]
) -> Any:
    """The reply of an idempotent call. Raises the error that no attempt mends, or the last when `give_up_s` is over."""
    began_at_s = time.monotonic()
    attempt = 0
    while True:
        try:
            deadline = Deadline.after(settings.call_timeout_s)
            return await call(method, request, deadline=deadline, wait_for_ready=True)
        except PASSING as error:
            if time.monotonic() - began_at_s > settings.give_up_s:
                raise
            wait_s = backoff_s(error, attempt, settings)
            waits(wait_s, error)
            await asyncio.sleep(wait_s)
            attempt += 1
