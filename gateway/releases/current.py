"""The release that answers the call at hand: known to all that it does, so that no answer is made of two releases."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from vitrine.ports.release import Release

# Each service's first model.
FIRST = Release()
_current: ContextVar[Release] = ContextVar("release", default=FIRST)


def current_release() -> Release:
    """The release of this call; tasks that the call starts have the same one."""
    return _current.get()


@contextmanager
def answering_by(release: Release) -> Iterator[None]:
    """What is asked inside is answered by this release."""
    token = _current.set(release)
    try:
        yield
    finally:
        _current.reset(token)
