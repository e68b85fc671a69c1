"""Keeps a serving process from being forked: gRPC, ONNX Runtime and tokenizers hang in a forked child."""

import multiprocessing
import os

from vitrine.errors import FailedPrecondition

_MESSAGE = (
    "this process serves gRPC and must not be forked, since the child would hang; "
    "start workers by the spawn method: multiprocessing.get_context('spawn')\n"
)


def refuse_fork() -> None:
    """Makes spawn the process's start method, and ends every forked child at once with a message that says why.

    Subprocesses (subprocess, asyncio.create_subprocess_exec) are not touched. Raises FailedPrecondition when the start
    method was set to fork or forkserver before.
    """
    method = multiprocessing.get_start_method(allow_none=True)
    if method not in (None, "spawn"):
        raise FailedPrecondition(f"the multiprocessing start method is {method!r}; {_MESSAGE.strip()}")
    multiprocessing.set_start_method("spawn", force=True)
    os.register_at_fork(after_in_child=_end_child)


def _end_child() -> None:
    os.write(2, _MESSAGE.encode())
    os._exit(70)
