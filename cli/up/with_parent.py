"""`python -m cli.up.with_parent PARENT COMMAND …` becomes COMMAND, which on Linux gets SIGTERM when its parent is gone.

A supervisor that was killed stops nobody. Its event store would go on and write the log that the next start's store
writes too, and its services would keep their ports.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main(parent: int, command: list[str]) -> None:
    """Does not return: the process is the command from here on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it was gone before we asked
            sys.exit(f"the process {parent} that started this one is gone")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
