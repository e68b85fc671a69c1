"""What a handler needs to know of the call it answers."""

import math
from typing import Any

import grpc.aio

from vitrine.deadline import Deadline

Context = grpc.aio.ServicerContext[Any, Any]


def deadline_of(context: Context, default_timeout_s: float) -> Deadline:
    """The client's deadline, or `default_timeout_s` from now when it set none."""
    remaining: float | None = context.time_remaining()
    if remaining is None or math.isinf(remaining):
        return Deadline.after(default_timeout_s)
    return Deadline.after(remaining)
