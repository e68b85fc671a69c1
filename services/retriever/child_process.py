"""A process beside the retriever's own: it yields to searches, and ends with its parent."""

import multiprocessing
import os
import signal
import threading


def begin(nice: int) -> None:
    """What such a process does first; `nice`: how much it yields, in steps of which each costs a fifth of its share."""
    # Ctrl-C goes to a whole group of processes; the parent finishes what waits, and ends this one then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(nice)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
