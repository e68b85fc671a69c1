"""Calls that wait for each other's sake: all at once, and none left behind."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def together(*calls: Coroutine[Any, Any, T]) -> list[T]:
    """The results in order. When one fails the others are cancelled and waited for, and its error is raised."""
    if len(calls) < 2:
        # Nothing to wait for beside it: a task of its own would cost turns of the event loop.
        return [await call for call in calls]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
